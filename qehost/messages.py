"""The messages of the venue and the events that carry them.

Three layers, all immutable:

* `ClientPushMessage` is the outer message as it came over the socket.
* `MasterOrderMessage`, `OrderMessage` and `FillMessage` are the documented message types: the
  documented fields, in the documented order, floats where documented.
* `MasterOrderDetail`, `OrderDetail` and `FillDetail` hold the same facts without loss: every field
  of the venue's V2 objects under its own name in snake_case, decimals as `decimal.Decimal`.

An `Event` is what travels between the processes and what plugins receive: one message, or one thing
that happened to the connection, with its place in the account's sequence.  There is a subclass for
each kind, so that a whole batch of mixed events is encoded and decoded in one call.

All of them encode as arrays, which is half the size of an object with named fields and twice as
fast.  `as_dict()` gives names where a plugin needs them.

This module imports nothing else of qehost.
"""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import Any, ClassVar, Literal, TypeAlias

import msgspec

__all__ = [
    "AnyEvent",
    "BaseThirdPartyMessage",
    "ClientMessageType",
    "ClientPushMessage",
    "Connected",
    "ConnectedEvent",
    "Disconnected",
    "DisconnectedEvent",
    "ErrorEvent",
    "Event",
    "EventKind",
    "FillDetail",
    "FillEvent",
    "FillMessage",
    "MasterOrderDetail",
    "MasterOrderEvent",
    "MasterOrderMessage",
    "OrderDetail",
    "OrderEvent",
    "OrderMessage",
    "Origin",
    "Problem",
    "StatusEvent",
    "ThirdPartyMessageType",
    "UnknownEvent",
]


class ClientMessageType(Enum):
    """The documented values of the outer message's `type`."""

    DATA = "data"
    STATUS = "status"
    ERROR = "error"
    MASTER_DATA = "master_data"
    ORDER_DATA = "order_data"


class ThirdPartyMessageType(Enum):
    """The documented values of the inner message's `type`."""

    MASTER_ORDER = "master_order"
    ORDER = "order"
    FILL = "fill"


# Out of the garbage collector's sight: what can't change can't come to hold itself, and a batch
# takes a tenth less to make, to encode and to decode.
class _DataclassFields:
    """What makes a class a dataclass in the eyes of `dataclasses`; made when it is asked for."""

    def __get__(self, _: object, owner: type[msgspec.Struct]) -> dict[str, Any]:
        import dataclasses  # slow to import, and few programs ask

        fields: list[tuple[str, Any, Any]] = []
        for each in msgspec.structs.fields(owner):
            if each.required:
                default = dataclasses.field()
            elif each.default is msgspec.NODEFAULT:
                default = dataclasses.field(default_factory=each.default_factory)
            else:
                default = dataclasses.field(default=each.default)
            fields.append((each.name, each.type, default))
        twin = dataclasses.make_dataclass(owner.__name__, fields, frozen=True)
        return {each.name: each for each in dataclasses.fields(twin)}


class _NoBase(TypeError, AttributeError):
    """For `hasattr` an attribute that is not there, for whoever writes the class a TypeError."""


class _DataclassParams:
    """What `@dataclass` asks a base class for."""

    def __get__(self, *_: object) -> Any:
        raise _NoBase(
            "a class made of a message can't be a dataclass: leave @dataclass out and write "
            "class NAME(MESSAGE, frozen=True), whose annotations are its fields"
        )


class _Record(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What all messages share: they are immutable and can be turned into a dictionary.

    The venue documents its messages as dataclasses, so the functions of `dataclasses` take them,
    and so does `vars`.
    """

    __dataclass_fields__: ClassVar[_DataclassFields] = _DataclassFields()
    __dataclass_params__: ClassVar[_DataclassParams] = _DataclassParams()

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        """The fields by name; to change this dictionary does not change the message."""
        return {name: getattr(self, name) for name in self.__struct_fields__}

    def as_dict(self) -> dict[str, Any]:
        """The fields by name, nested messages too; decimals stay `decimal.Decimal`."""
        return {
            name: value.as_dict() if isinstance(value, _Record) else value
            for name in self.__struct_fields__
            for value in (getattr(self, name),)
        }


class ClientPushMessage(_Record, frozen=True):
    """The outer message of the stream.  Field names are the venue's.

    `data` is the text that the venue sent: plain for `status` and `error`, otherwise a JSON object
    (also where the venue sent the object itself in place of a string).
    """

    type: str
    messageId: str
    userId: str
    data: str


class BaseThirdPartyMessage(_Record, frozen=True):
    """What the inner messages have in common."""

    type: str


class MasterOrderMessage(_Record, frozen=True):
    """A master order: what the user asked for and how far it has come.

    `qty` is in units of the base currency, `duration_secs` in seconds.  `timestamp` and
    `ticktime_ms` are epoch milliseconds, `ticktime_int` and `date` epoch seconds.  `status` is one
    of NEW, WAITING, PROCESSING, PAUSED, CANCELLED, COMPLETED, COMPLETED_WITHTAIL, REJECTED and
    EXPIRED, or any other text that the venue sent.  A field that the venue left out is `""`, `0`
    or `False`; `MasterOrderDetail` tells a missing number from a zero.
    """

    type: str
    master_order_id: str
    client_id: str
    strategy: str
    symbol: str
    side: str
    qty: float
    duration_secs: float
    category: str
    action: str
    reduce_only: bool
    status: str
    date: float
    ticktime_int: int
    ticktime_ms: int
    reason: str
    timestamp: int


class OrderMessage(_Record, frozen=True):
    """A child order with its running fill.

    Quantities are in the base currency, `price` and `fill_price` (the average so far) in the quote
    currency, times in epoch milliseconds.  `status` is one of PLACED, FILLED, CANCELLED, REJECTED,
    Cancelack, CANCEL_REJECTED, or any other text that the venue sent.
    """

    type: str
    master_order_id: str
    order_id: str
    symbol: str
    category: str
    side: str
    price: float
    quantity: float
    status: str
    created_time: int
    fill_qty: float
    fill_price: float
    cum_filled_qty: float
    quantity_remaining: float
    ack_time: int
    last_fill_time: int
    cancel_time: int
    price_type: str
    reason: str
    timestamp: int


class FillMessage(_Record, frozen=True):
    """One execution of a child order: `filled_qty` in the base currency at `fill_price`.

    Times are epoch milliseconds.  V1 pushes fills; in V2 they are derived from the growth of a
    child order's filled quantity, and their event's `origin` says so.
    """

    type: str
    master_order_id: str
    order_id: str
    symbol: str
    category: str
    side: str
    fill_price: float
    filled_qty: float
    fill_time: int
    timestamp: int


class MasterOrderDetail(_Record, frozen=True):
    """A master order with every field of the venue's V2 object, nothing rounded.

    Decimals keep every digit they came with (`"100.10"` stays `Decimal("100.10")`).  `None` is a
    number, boolean or time that the venue did not send, `""` a text that it did not send.
    `worst_price` is `Decimal("-1")` where there is none.  `*_ms` are epoch milliseconds;
    `created_at` and `updated_at` stand as the venue wrote them.  A V1 master order fills the
    fields it has.
    """

    created_at: str = ""
    updated_at: str = ""
    master_order_id: str = ""
    client_order_id: str = ""
    api_key_id: str = ""  # the user's exchange binding; older venues call it apiKeyUuid
    trading_account: str = ""
    exchange: str = ""
    market_type: str = ""
    category: str = ""
    symbol: str = ""
    base_currency: str = ""
    quote_currency: str = ""
    side: str = ""
    margin_type: str = ""
    reduce_only: bool | None = None
    is_margin: bool | None = None
    algorithm: str = ""
    total_quantity: Decimal | None = None
    order_notional: Decimal | None = None
    start_time_ms: int | None = None
    execution_duration_seconds: int | None = None
    worst_price: Decimal | None = None
    must_complete: bool | None = None
    maker_rate_limit: Decimal | None = None
    pov_limit: Decimal | None = None
    pov_min_limit: Decimal | None = None
    up_tolerance: Decimal | None = None
    low_tolerance: Decimal | None = None
    strict_up_bound: bool | None = None
    tail_order_protection: bool | None = None
    enable_make: bool | None = None
    is_target_position: bool | None = None
    notes: str = ""
    status: str = ""
    reject_reason: str = ""
    finished_ms: int | None = None
    cum_filled_qty: Decimal | None = None
    cum_filled_notional: Decimal | None = None
    avg_filled_price: Decimal | None = None
    maker_rate: Decimal | None = None
    completed_quantity: Decimal | None = None
    commission: dict[str, Decimal] = {}
    trigger_price: Decimal | None = None
    trigger_price1: Decimal | None = None
    max_trigger_wait_secs: int | None = None
    max_trigger_wait_timeout_action: str = ""


class OrderDetail(_Record, frozen=True):
    """A child order with every field of the venue's V2 object, nothing rounded.

    See `MasterOrderDetail` for what a missing field looks like.  `id` is the venue's own number of
    the child order, `order_id` the exchange's.  `order_created_time` is epoch milliseconds.
    """

    id: str = ""
    order_created_time: int | None = None
    master_order_id: str = ""
    exchange: str = ""
    category: str = ""
    symbol: str = ""
    side: str = ""
    filled_notional: Decimal | None = None
    filled_quantity: Decimal | None = None
    average_price: Decimal | None = None
    price: Decimal | None = None
    status: str = ""
    reject_reason: str = ""
    base_currency: str = ""
    quote_currency: str = ""
    order_type: str = ""
    order_id: str = ""
    quantity: Decimal | None = None
    created_at: str = ""
    updated_at: str = ""


class FillDetail(_Record, frozen=True):
    """One execution, exact.

    `quantity` is in the base currency, `price` and `notional` in the quote currency.  For a derived
    fill they are the differences between two updates of one child order:
    `notional` = Δ filledNotional, `quantity` = Δ filledQuantity, `price` = their quotient.
    `cum_quantity` is the child order's filled quantity after this fill, where known.
    """

    master_order_id: str = ""
    order_id: str = ""
    symbol: str = ""
    category: str = ""
    side: str = ""
    price: Decimal | None = None
    quantity: Decimal | None = None
    notional: Decimal | None = None
    cum_quantity: Decimal | None = None
    fill_time: int | None = None  # epoch milliseconds


class Connected(_Record, frozen=True):
    """A connection that opened.

    `attempt` counts from 1 within one outage.  `down_since` and `up_at` (epoch ns) bound the window
    in which the stream could not be heard; `down_since` is 0 for the first connection of a run that
    has no memory of an earlier one.
    """

    url: str  # without the listen key
    attempt: int = 1
    down_since: int = 0
    up_at: int = 0


class Disconnected(_Record, frozen=True):
    """A connection that ended.

    `code` is the close code of the WebSocket protocol, 1006 where the connection ended without a
    close frame.  `up_since` and `last_heard` are epoch ns; what the venue sent after `last_heard`
    may have been missed.
    """

    reason: str
    code: int = 1006
    up_since: int = 0
    last_heard: int = 0


class Problem(_Record, frozen=True):
    """An error on its way between processes; `errors.from_problem` makes the exception of it."""

    code: str
    text: str
    facts: dict[str, str] = {}


Origin: TypeAlias = Literal["stream", "catch_up", "derived"]
EventKind: TypeAlias = Literal[
    "master_order", "order", "fill", "status", "error", "connected", "disconnected", "unknown"
]


class Event(_Record, frozen=True, tag_field="kind"):
    """One message, or one thing that happened to the connection, with its place in the sequence."""

    kind: ClassVar[EventKind]

    seq: int
    """From 1, without gaps, for each account."""
    account: str
    """The account's name in the settings."""
    message_id: str
    """The venue's `messageId`: of the message itself, or of the one this event was derived from.
    `""` where there was none."""
    received_at: int
    """Epoch nanoseconds, read when the bytes came off the socket."""
    origin: Origin
    """`stream`: pushed by the venue, or seen on the connection.  `catch_up`: read over REST because
    the stream did not bring it.  `derived`: computed from another event."""
    redelivered: bool
    """True where this plugin may have been called with this event before."""
    raw: str
    """The text as it was received; for a derived event the text it was derived from; `""` for an
    event of the connection itself."""
    message: Any
    """The typed message; its type follows from the kind."""

    def as_dict(self) -> dict[str, Any]:
        """The fields by name, with `kind`."""
        return {"kind": self.kind, **_Record.as_dict(self)}


class MasterOrderEvent(Event, frozen=True, tag="master_order"):
    """`on_master_order`"""

    kind: ClassVar[EventKind] = "master_order"
    message: MasterOrderMessage


class OrderEvent(Event, frozen=True, tag="order"):
    """`on_order`"""

    kind: ClassVar[EventKind] = "order"
    message: OrderMessage


class FillEvent(Event, frozen=True, tag="fill"):
    """`on_fill`.  `exact` is there for derived fills, whose exact figures stand in no text."""

    kind: ClassVar[EventKind] = "fill"
    message: FillMessage
    exact: FillDetail | None = None


class StatusEvent(Event, frozen=True, tag="status"):
    """`on_status`: `message` is the venue's text."""

    kind: ClassVar[EventKind] = "status"
    message: str


class ErrorEvent(Event, frozen=True, tag="error"):
    """`on_error`: an error that the venue sent, an undecodable message, or trouble on our side."""

    kind: ClassVar[EventKind] = "error"
    message: Problem


class ConnectedEvent(Event, frozen=True, tag="connected"):
    """`on_connected`"""

    kind: ClassVar[EventKind] = "connected"
    message: Connected


class DisconnectedEvent(Event, frozen=True, tag="disconnected"):
    """`on_disconnected`"""

    kind: ClassVar[EventKind] = "disconnected"
    message: Disconnected


class UnknownEvent(Event, frozen=True, tag="unknown"):
    """A message whose outer type qehost does not know: `on_raw_message` alone gets it."""

    kind: ClassVar[EventKind] = "unknown"
    message: None


AnyEvent: TypeAlias = (
    MasterOrderEvent
    | OrderEvent
    | FillEvent
    | StatusEvent
    | ErrorEvent
    | ConnectedEvent
    | DisconnectedEvent
    | UnknownEvent
)
