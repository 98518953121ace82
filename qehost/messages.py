"""The messages of the venue and the events that carry them.

Three layers, all immutable:

* `ClientPushMessage` is the outer message as it came over the socket.
* `MasterOrderMessage`, `OrderMessage` and `FillMessage` are the documented message types: the
  documented fields, in the documented order, floats where documented.
* `MasterOrderDetail`, `OrderDetail` and `FillDetail` hold the same facts without loss: every field
  of the venue's V2 objects under its own name in snake_case, decimals as `decimal.Decimal`.

An `Event` is what the processes send each other and plugins receive: one message, or one event of
the connection, with its number in the account's sequence.  There is a subclass for each kind, so
that a batch of mixed events is encoded and decoded in one call.

All are encoded as arrays, which is half the size of objects with named fields and twice as fast.
`as_dict()` gives names where a plugin needs them.

This module imports nothing else of qehost.
"""

from __future__ import annotations

import sys
from decimal import Decimal
from enum import Enum
from importlib import import_module
from typing import Any, ClassVar, Literal, TypeAlias

import msgspec

__all__ = [
    "FINAL_STATUSES",
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


FINAL_STATUSES = frozenset(
    form(status)
    for status in (
        *("FILLED", "CANCELLED", "CANCELED", "REJECTED", "EXPIRED"),
        *("COMPLETED", "COMPLETED_WITHTAIL"),
    )
    for form in (str.upper, str.lower, str.capitalize)
)
"""Statuses of master and child orders after which an order does not go on, as venues write them."""


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


class _DataclassFields:
    """The attribute by which `dataclasses` recognizes a dataclass; made at its first use."""

    def __get__(self, _: object, owner: type[msgspec.Struct]) -> dict[str, Any]:
        import dataclasses  # slow to import, and few programs need it

        fields: list[tuple[str, Any, Any]] = []
        for each in msgspec.structs.fields(owner):
            if each.required:
                default = dataclasses.field()
            elif each.default is msgspec.NODEFAULT:
                default = dataclasses.field(default_factory=each.default_factory)
            else:
                default = dataclasses.field(default=each.default)
            fields.append((each.name, each.type, default))
        equivalent = dataclasses.make_dataclass(owner.__name__, fields, frozen=True)
        return {each.name: each for each in dataclasses.fields(equivalent)}


class _NotABaseClass(TypeError, AttributeError):
    """For `hasattr` the attribute does not exist; the author of the class sees a TypeError."""


class _DataclassParams:
    """The attribute that `@dataclass` reads of a base class."""

    def __get__(self, *_: object) -> Any:
        raise _NotABaseClass(
            "a class made of a message can't be a dataclass: leave @dataclass out and write "
            "class NAME(MESSAGE, frozen=True), whose annotations are its fields"
        )


# Without garbage collection, since what can't change can't refer to itself: batches are made,
# encoded and decoded in a tenth less time.
class _Record(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The base of all messages: immutable, and convertible to a dictionary.

    The venue documents its messages as dataclasses, so the functions of `dataclasses` take them,
    and so does `vars`.
    """

    __dataclass_fields__: ClassVar[_DataclassFields] = _DataclassFields()
    __dataclass_params__: ClassVar[_DataclassParams] = _DataclassParams()

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        """The fields by name, in a new dictionary."""
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
    """`data`, `status`, `error`, `master_data`, `order_data`, or another one."""
    messageId: str
    """Unique to the message."""
    userId: str
    """The user whose orders these are."""
    data: str
    """Plain text, or a JSON object as text."""


class BaseThirdPartyMessage(_Record, frozen=True):
    """The base of the inner messages."""

    type: str
    """`master_order`, `order` or `fill`."""


class MasterOrderMessage(_Record, frozen=True):
    """A master order: what was ordered, and how far it is worked.

    The exchanges that count contracts are Deribit and those of `perp_cm`.  A field that the venue
    left out is `""`, `0` or `False`; `MasterOrderDetail` tells a missing number from a zero.
    """

    type: str
    """Always `master_order`."""
    master_order_id: str
    """The venue's id of the master order."""
    client_id: str
    """The id that the client gave the master order."""
    strategy: str
    """The algorithm: `TWAP`, `VWAP`, `POV` or another one."""
    symbol: str
    """The pair, as the venue writes it."""
    side: str
    """`buy` or `sell`, in the case in which the venue sends it."""
    qty: float
    """What is to be worked; 0.0 where that is a notional.  In the base currency, or contracts."""
    duration_secs: float
    """How long it is worked.  In seconds."""
    category: str
    """`spot`, `perp` or `perp_cm`: spot, perpetual, perpetual margined in the coin."""
    action: str
    """What V1 calls the order's action; V2 has none."""
    reduce_only: bool
    """Whether it may only reduce a position."""
    status: str
    """`NEW`, `WAITING`, `PROCESSING`, `PAUSED`, `CANCELLED`, `COMPLETED`, `COMPLETED_WITHTAIL`,
    `REJECTED`, `EXPIRED`, or any other text that the venue sent."""
    date: float
    """When it changed last.  In epoch seconds."""
    ticktime_int: int
    """When it changed last.  In epoch seconds."""
    ticktime_ms: int
    """When it changed last.  In epoch milliseconds."""
    reason: str
    """Why it was rejected or cancelled, in the venue's words."""
    timestamp: int
    """When it changed last.  In epoch milliseconds."""


class OrderMessage(_Record, frozen=True):
    """A child order with its running fill.

    Quantities have the sign that the venue writes.
    """

    type: str
    """Always `order`."""
    master_order_id: str
    """The venue's id of the master order."""
    order_id: str
    """The exchange's id of the child order; it changes where the order is amended."""
    symbol: str
    """The pair, as the venue writes it."""
    category: str
    """`spot`, `perp` or `perp_cm`: spot, perpetual, perpetual margined in the coin."""
    side: str
    """`buy` or `sell`, in the case in which the venue sends it."""
    price: float
    """The limit; 0.0 where there is none.  In the quote currency."""
    quantity: float
    """What was ordered.  In the base currency, or contracts."""
    status: str
    """`PLACED`, `FILLED`, `CANCELLED`, `REJECTED`, `Cancelack`, `CANCEL_REJECTED`, or any other
    text that the venue sent."""
    created_time: int
    """When it was made.  In epoch milliseconds."""
    fill_qty: float
    """V2: what is filled; V1: what the venue says.  In the base currency, or contracts."""
    fill_price: float
    """The average price of what is filled; V1: what the venue says.  In the quote currency."""
    cum_filled_qty: float
    """What is filled of it by now.  In the base currency, or contracts."""
    quantity_remaining: float
    """What is not filled of it.  In the base currency, or contracts."""
    ack_time: int
    """When the exchange took it; 0 where that is not known.  In epoch milliseconds."""
    last_fill_time: int
    """When it was filled last; 0 before the first fill.  In epoch milliseconds."""
    cancel_time: int
    """When it was cancelled; 0 where that is not known.  In epoch milliseconds."""
    price_type: str
    """`LIMIT`, `MARKET` or another text."""
    reason: str
    """Why it was rejected, in the venue's words."""
    timestamp: int
    """When it changed last.  In epoch milliseconds."""


class FillMessage(_Record, frozen=True):
    """One execution of a child order: `filled_qty`, in the unit of the order's quantity, at
    `fill_price`.

    Times are epoch milliseconds.  V1 pushes fills; in V2 they are derived from the growth of a
    child order's filled quantity, and their event's `origin` says so.  A derived one has no sign:
    `side` says what it is.  Its `fill_price` is 0.0 only if neither the notional nor the average
    price of the order is known; where only those of the whole order are, it is the order's average,
    and the exact price is None.
    """

    type: str
    """Always `fill`."""
    master_order_id: str
    """The venue's id of the master order."""
    order_id: str
    """The exchange's id of the child order."""
    symbol: str
    """The pair, as the venue writes it."""
    category: str
    """`spot`, `perp` or `perp_cm`: spot, perpetual, perpetual margined in the coin."""
    side: str
    """`buy` or `sell`, in the case in which the venue sends it."""
    fill_price: float
    """Of this fill.  In the quote currency."""
    filled_qty: float
    """Of this fill.  In the base currency, or contracts."""
    fill_time: int
    """When it was filled.  In epoch milliseconds."""
    timestamp: int
    """When the order changed.  In epoch milliseconds."""


class MasterOrderDetail(_Record, frozen=True):
    """A master order with every field of the venue's V2 object, nothing rounded.

    Decimals keep every digit they came with (`"100.10"` stays `Decimal("100.10")`).  `None` is a
    number, boolean or time that the venue did not send, `""` a text that it did not send.
    `worst_price` is `Decimal("-1")` where there is none.  `*_ms` are epoch milliseconds;
    `created_at` and `updated_at` are as the venue wrote them.  A V1 master order fills the
    fields it has.
    """

    created_at: str = ""
    """When it was made, as the venue wrote it: mostly RFC 3339."""
    updated_at: str = ""
    """When it changed last, as the venue wrote it."""
    master_order_id: str = ""
    """The venue's id of the master order."""
    client_order_id: str = ""
    """The id that the client gave it."""
    api_key_id: str = ""
    """The user's exchange account that it trades with; older venues call it `apiKeyUuid`."""
    trading_account: str = ""
    """The name of that account."""
    exchange: str = ""
    """`Binance`, `OKX`, `LTP`, `Deribit`, `Hyperliquid`, `Bybit`, `Bitget` or another one."""
    market_type: str = ""
    """`SPOT` or `PERP`."""
    category: str = ""
    """`spot`, `perp` or `perp_cm`: spot, perpetual, perpetual margined in the coin."""
    symbol: str = ""
    """The pair, as the venue writes it."""
    base_currency: str = ""
    """What is traded."""
    quote_currency: str = ""
    """What it is paid in."""
    side: str = ""
    """`buy` or `sell`; of a target position `buy` is long, `sell` is short."""
    margin_type: str = ""
    """Of perpetuals: `U` for margin in a stable coin, `C` for margin in the coin itself."""
    reduce_only: bool | None = None
    """Whether it may only reduce a position."""
    is_margin: bool | None = None
    """Whether a spot order trades on margin."""
    algorithm: str = ""
    """`TWAP`, `VWAP`, `POV`, `BoostTWAP`, `BoostVWAP` or another one."""
    total_quantity: Decimal | None = None
    """What is to be worked, unless by `order_notional`.  In the base currency, or contracts."""
    order_notional: Decimal | None = None
    """What is to be worked, by value.  In the quote currency."""
    start_time_ms: int | None = None
    """When the work begins.  In epoch milliseconds."""
    execution_duration_seconds: int | None = None
    """How long it is worked.  In seconds."""
    worst_price: Decimal | None = None
    """No worse price is traded; -1 where there is no bound.  In the quote currency."""
    must_complete: bool | None = None
    """Whether it catches up so as to be done in time, even at a worse price."""
    maker_rate_limit: Decimal | None = None
    """The least maker share; -1 leaves it to the algorithm.  As a fraction of 1."""
    pov_limit: Decimal | None = None
    """The most of the market's volume that it takes.  As a fraction of 1."""
    pov_min_limit: Decimal | None = None
    """The least of the market's volume that it takes.  As a fraction of 1."""
    up_tolerance: Decimal | None = None
    """How far it may be ahead of schedule; -1 for none.  As a fraction of 1."""
    low_tolerance: Decimal | None = None
    """How far it may be behind schedule; -1 for none.  As a fraction of 1."""
    strict_up_bound: bool | None = None
    """Whether the upper tolerance, or `pov_limit`, is kept even by very small child orders."""
    tail_order_protection: bool | None = None
    """Whether a rest too small for the exchange is traded with the last order."""
    enable_make: bool | None = None
    """Whether passive orders are allowed; else everything takes."""
    is_target_position: bool | None = None
    """Whether `total_quantity` is the position to reach, and not what to trade."""
    notes: str = ""
    """The user's own text."""
    status: str = ""
    """As in `MasterOrderMessage`."""
    reject_reason: str = ""
    """Why it was rejected or cancelled, in the venue's words."""
    finished_ms: int | None = None
    """When it ended.  In epoch milliseconds."""
    cum_filled_qty: Decimal | None = None
    """What is filled by now.  In the base currency, or contracts."""
    cum_filled_notional: Decimal | None = None
    """The value of what is filled.  In the quote currency."""
    avg_filled_price: Decimal | None = None
    """The average price of what is filled.  In the quote currency."""
    maker_rate: Decimal | None = None
    """The maker share of what is filled, as the venue counts it.  As a fraction of 1."""
    completed_quantity: Decimal | None = None
    """What the venue counts as completed.  In the base currency, or contracts."""
    commission: dict[str, Decimal] = {}
    """The fees by currency.  In the currency that is the key."""
    trigger_price: Decimal | None = None
    """The price that starts it; the venue does not document how.  In the quote currency."""
    trigger_price1: Decimal | None = None
    """The second trigger price; not documented either.  In the quote currency."""
    max_trigger_wait_secs: int | None = None
    """How long it waits for its trigger.  In seconds."""
    max_trigger_wait_timeout_action: str = ""
    """What happens after that: the venue's code, from 0 to 10."""


class OrderDetail(_Record, frozen=True):
    """A child order with every field of the venue's V2 object, nothing rounded.

    See `MasterOrderDetail` for what a missing field looks like.  `id` is the venue's own number of
    the child order, `order_id` the exchange's.  `order_created_time` is epoch milliseconds.
    """

    id: str = ""
    """The venue's own id of the child order; it stays where the order is amended."""
    order_created_time: int | None = None
    """When it was made.  In epoch milliseconds."""
    master_order_id: str = ""
    """The venue's id of the master order."""
    exchange: str = ""
    """As in `MasterOrderDetail`."""
    category: str = ""
    """`spot`, `perp` or `perp_cm`: spot, perpetual, perpetual margined in the coin."""
    symbol: str = ""
    """The pair, as the venue writes it."""
    side: str = ""
    """`buy` or `sell`, in the case in which the venue sends it."""
    filled_notional: Decimal | None = None
    """The value of what is filled, as the venue counts it.  In the quote currency."""
    filled_quantity: Decimal | None = None
    """What is filled by now.  In the base currency, or contracts."""
    average_price: Decimal | None = None
    """The average price of what is filled.  In the quote currency."""
    price: Decimal | None = None
    """The limit.  In the quote currency."""
    status: str = ""
    """As in `OrderMessage`."""
    reject_reason: str = ""
    """Why it was rejected, in the venue's words."""
    base_currency: str = ""
    """What is traded."""
    quote_currency: str = ""
    """What it is paid in."""
    order_type: str = ""
    """`LIMIT`, `MARKET` or another text."""
    order_id: str = ""
    """The exchange's id of it, another one after it was amended."""
    quantity: Decimal | None = None
    """What was ordered.  In the base currency, or contracts."""
    created_at: str = ""
    """When the venue recorded it, as it wrote it: mostly RFC 3339."""
    updated_at: str = ""
    """When it changed last, as the venue wrote it."""


class FillDetail(_Record, frozen=True):
    """One execution, exact.

    `quantity` is in the unit of the order's quantity, `price` in the quote currency.  For a derived
    fill they are the differences between two updates of one child order, without sign:
    `notional` = Δ filledNotional, `quantity` = Δ filledQuantity, `price` = their quotient.  Where
    the venue's notional is not quantity × average price within rounding, because the quantity is
    in contracts or the notional in another currency, `notional` is still what the venue counts, and
    `price` is Δ (quantity × average price) / Δ quantity.  It is None if it can't be worked out.
    `cum_quantity` is the child order's filled quantity after this fill, where known.
    """

    master_order_id: str = ""
    """The venue's id of the master order."""
    order_id: str = ""
    """The exchange's id of the child order."""
    symbol: str = ""
    """The pair, as the venue writes it."""
    category: str = ""
    """`spot`, `perp` or `perp_cm`: spot, perpetual, perpetual margined in the coin."""
    side: str = ""
    """`buy` or `sell`, in the case in which the venue sends it."""
    price: Decimal | None = None
    """Of this fill, Δ notional / Δ quantity; None if not known.  In the quote currency."""
    quantity: Decimal | None = None
    """Of this fill.  In the base currency, or contracts."""
    notional: Decimal | None = None
    """The value of this fill, as the venue counts it.  In the quote currency."""
    cum_quantity: Decimal | None = None
    """What is filled of the child order after this fill.  In the base currency, or contracts."""
    fill_time: int | None = None
    """When it was filled.  In epoch milliseconds."""
    # The last one, so that what was written before there was this field can be read.
    id: str = ""
    """The venue's own id of the child order, as in `OrderDetail`; `""` for a fill of V1."""


class Connected(_Record, frozen=True):
    """A connection that was opened.

    `attempt` counts from 1 within one outage.  `down_since` and `up_at` (epoch ns, the venue's time
    as far as it is known) bound the window in which nothing could be received; `down_since` is 0
    for the first connection of a run that has no checkpoint of an earlier one.
    """

    url: str
    """Where to, without the listen key."""
    attempt: int = 1
    """From 1 within one outage."""
    down_since: int = 0
    """Since when nothing could be received; 0 where that is not known.  In epoch nanoseconds."""
    up_at: int = 0
    """From when on it is received again.  In epoch nanoseconds."""


class Disconnected(_Record, frozen=True):
    """A connection that ended.

    `code` is the close code of the WebSocket protocol, 1006 where the connection ended without a
    close frame.  `up_since` and `last_heard` are epoch ns, the venue's time as far as it is known;
    what the venue sent after `last_heard` may have been missed.
    """

    reason: str
    """How it ended, for people."""
    code: int = 1006
    """The close code; 1006 without a close frame."""
    up_since: int = 0
    """Since when it was open.  In epoch nanoseconds."""
    last_heard: int = 0
    """When something was received last.  In epoch nanoseconds."""


class Problem(_Record, frozen=True):
    """An error in the form in which processes send it; `errors.from_problem` makes the
    exception."""

    code: str
    """Which class of `qehost.errors` it is."""
    text: str
    """What is wrong, for people."""
    facts: dict[str, str] = {}
    """What the exception holds, by name."""


Origin: TypeAlias = Literal["stream", "catch_up", "derived", "baseline"]
EventKind: TypeAlias = Literal[
    "master_order", "order", "fill", "status", "error", "connected", "disconnected", "unknown"
]


class _DetailSlot:
    # Beside the fields, so that it is not encoded, compared or copied.
    __slots__ = ("_detail",)
    _detail: Any


_DETAIL_MAKER = "qehost.events.wire.details"
_DETAIL = "_detail"
_NOT_MADE = object()


def _detail_of(event: Event) -> Any:
    """The event's detail, made once."""
    detail = getattr(event, _DETAIL, _NOT_MADE)
    if detail is not _NOT_MADE:
        return detail
    # What reads the venue's objects is built on this module, so it is found by its name: also in a
    # process that does nothing but unpickle events.
    maker: Any = sys.modules.get(_DETAIL_MAKER) or import_module(_DETAIL_MAKER)
    detail = maker.detail_or_none(event)
    msgspec.structs.force_setattr(event, _DETAIL, detail)
    return detail


# The slot comes first: Python lays an object out by the first base that has more than its fields.
class _Attempted(_DetailSlot, _Record, frozen=True, kw_only=True):
    # A keyword's place is behind all fields of the subclasses: what was written before there was
    # this one can be read, and is read by versions that don't know it.
    attempt: int = 1
    """1 for the first call of a hook with this event; 2 and more where that call comes again, since
    the plugin raised `Retry` or the user retries a dead letter: it counts what is known not to have
    returned, over restarts, too.  Where there may have been one call more, in a process that died,
    there is `redelivered` beside it."""
    journal_id: str = ""
    """16 hex digits, drawn each time the journal is opened for writing: together with `account` and
    `seq` they are never those of another event, whatever is copied, restored or set back.  `""`
    for an event that qehost made on the way to the program, with the number 0."""


class Event(_Attempted, frozen=True, tag_field="kind"):
    """One message, or one event of the connection, with its number in the sequence."""

    kind: ClassVar[EventKind]

    seq: int
    """From 1, without gaps, for each account."""
    account: str
    """The account's name in the settings."""
    message_id: str
    """The venue's `messageId`: of the message itself, or of the one this event was derived from.
    `""` if there is none."""
    received_at: int
    """When the bytes came off the socket, by this machine's clock.  In epoch nanoseconds."""
    origin: Origin
    """`stream`: pushed by the venue, or an event of the connection.  `catch_up`: read over REST,
    since the stream did not bring it.  `derived`: computed from another event.  `baseline`: the
    state of an order before the stream was opened, read over REST; never a fill."""
    redelivered: bool
    """True if this plugin may have been called with this event before, by a process that died in
    that call or right after it.  A call that comes again on purpose has `attempt` instead."""
    raw: str
    """The text as it was received; for a derived event the text it was derived from; `""` for an
    event of the connection itself."""
    message: Any
    """The typed message; its type follows from the kind."""

    @property
    def detail(self) -> MasterOrderDetail | OrderDetail | FillDetail | None:
        """Every field of the venue's object with exact decimals, as the hooks' argument `detail`;
        None for kinds other than `master_order`, `order` and `fill`.  Made from `raw` when it is
        first asked for, and kept."""
        return None

    @property
    def stale(self) -> bool:
        """True for a state that the order has left: it was told late, after a state that ends the
        order, or after one in which more was filled.  It does not open a finished order again."""
        return False

    def as_dict(self) -> dict[str, Any]:
        """The fields by name, with `kind`."""
        return {"kind": self.kind, **_Record.as_dict(self)}


class MasterOrderEvent(Event, frozen=True, tag="master_order"):
    """`on_master_order`"""

    kind: ClassVar[EventKind] = "master_order"
    message: MasterOrderMessage
    stale: bool = False

    @property
    def detail(self) -> MasterOrderDetail:
        made: MasterOrderDetail = _detail_of(self)
        return made


class OrderEvent(Event, frozen=True, tag="order"):
    """`on_order`"""

    kind: ClassVar[EventKind] = "order"
    message: OrderMessage
    stale: bool = False

    @property
    def detail(self) -> OrderDetail:
        made: OrderDetail = _detail_of(self)
        return made


class FillEvent(Event, frozen=True, tag="fill"):
    """`on_fill`.  `exact` is set for derived fills, whose exact figures are in no text."""

    kind: ClassVar[EventKind] = "fill"
    message: FillMessage
    exact: FillDetail | None = None

    @property
    def detail(self) -> FillDetail:
        made: FillDetail = self.exact or _detail_of(self)
        return made


class StatusEvent(Event, frozen=True, tag="status"):
    """`on_status`: `message` is the venue's text."""

    kind: ClassVar[EventKind] = "status"
    message: str


class ErrorEvent(Event, frozen=True, tag="error"):
    """`on_error`: an error that the venue sent, an undecodable message, or a problem of our own."""

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
