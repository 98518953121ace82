"""Events with plausible values.

They are made as qehost makes them: the fields become the venue's text, and the text is decoded.  So
`message`, `raw` and `detail` always agree, to the last digit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Unpack, overload

import msgspec

from qehost.errors import DecodeError, VenueError, WebsocketClientError
from qehost.events import wire
from qehost.events.fills import fill_message
from qehost.events.problems import to_problem
from qehost.messages import (
    AnyEvent,
    Connected,
    ConnectedEvent,
    Disconnected,
    DisconnectedEvent,
    ErrorEvent,
    FillDetail,
    FillEvent,
    MasterOrderDetail,
    MasterOrderEvent,
    OrderDetail,
    OrderEvent,
    StatusEvent,
    UnknownEvent,
)
from qehost.simulator import encode
from qehost.testing.fields import (
    ConnectionFields,
    FillFields,
    MasterOrderFields,
    MessageFields,
    Number,
    OrderFields,
    renamed,
)
from qehost.testing.objects import fill_detail, master_order_detail, order_after, order_detail

__all__ = [
    "Events",
    "connected",
    "default",
    "detail",
    "disconnected",
    "error",
    "fill",
    "fill_of",
    "master_order",
    "order",
    "status",
    "unknown",
]

START = 1_767_323_045_000
"""2026-01-02T03:04:05Z in epoch milliseconds: when the first event was received."""

HEAD = ("seq", "account", "message_id", "received_at", "origin", "redelivered", "journal_id")
USER = "user-1"
JOURNAL_ID = "0123456789abcdef"

_pushed = msgspec.json.Encoder(decimal_format="number")


class Events:
    """Makes events: `seq` counts from 1 for each account, and they are `step_ms` milliseconds
    apart.  All have one `journal_id`.

    Every method takes `seq`, `account`, `received_at` (epoch ns), `redelivered` and `journal_id`;
    those of messages `message_id` and the fields of their message and detail, too.
    """

    def __init__(
        self,
        account: str = "main",
        *,
        start_ms: int = START,
        step_ms: int = 100,
        journal_id: str = JOURNAL_ID,
    ) -> None:
        self.account = account
        self.journal_id = journal_id
        self.start_ms = start_ms
        self.step_ms = step_ms
        self._made = 0
        self._seqs: dict[str, int] = {}

    # --- messages ------------------------------------------------------------------------

    def master_order(self, **fields: Unpack[MasterOrderFields]) -> MasterOrderEvent:
        """A master order; by default 1.5 BTC bought by TWAP, PROCESSING, nothing filled."""
        head, own = self._split(fields)
        stale = own.pop("stale", False)
        made = master_order_detail(own, head["received_at"] // 1_000_000, self.start_ms)
        raw = self._raw(head, "master_data", made)
        message = _decoded(head, "master_data", raw)
        return MasterOrderEvent(**head, raw=raw, message=message, stale=stale)

    def order(self, **fields: Unpack[OrderFields]) -> OrderEvent:
        """A child order; by default a limit order for 0.5 BTC, placed, nothing filled.

        No fill comes with it; `fill_of` makes the one that belongs to it.
        """
        head, own = self._split(fields)
        stale = own.pop("stale", False)
        made = order_detail(own, head["received_at"] // 1_000_000, self.start_ms)
        raw = self._raw(head, "order_data", made)
        message = _decoded(head, "order_data", raw)
        return OrderEvent(**head, raw=raw, message=message, stale=stale)

    def fill(self, **fields: Unpack[FillFields]) -> FillEvent:
        """A fill; by default 0.5 BTC at 97000.1, derived from its child order as in V2.

        With `origin="stream"` it is one that V1 pushed, which has no notional of its own.
        """
        head, own = self._split(fields, origin="derived")
        moment = head["received_at"] // 1_000_000
        if head["origin"] == "stream":
            return self._pushed_fill(head, own, moment)
        made = fill_detail(own, moment)
        return _derived(head, made, self._raw(head, "order_data", order_after(made, moment)))

    def fill_of(
        self, update: OrderEvent, quantity: Number = None, **fields: Unpack[MessageFields]
    ) -> FillEvent:
        """The fill that is derived from this update: of `quantity`, or of all that is filled."""
        after = detail(update)
        given: dict[str, Any] = {
            "account": update.account,
            "received_at": update.received_at,
            "message_id": update.message_id,
            **fields,
        }
        head = self._head(given, origin="derived")
        filled = after.filled_quantity if quantity is None else quantity
        own = {
            "id": after.id,
            "master_order_id": after.master_order_id,
            "order_id": after.order_id or after.id,
            "symbol": after.symbol,
            "category": after.category,
            "side": after.side,
            "price": after.average_price,
            "quantity": filled,
            "cum_quantity": after.filled_quantity,
        }
        return _derived(head, fill_detail(own, update.message.timestamp), update.raw)

    def status(self, text: str = "connected", **fields: Unpack[MessageFields]) -> StatusEvent:
        """A status that the venue sent."""
        head = self._head(fields)
        return StatusEvent(**head, raw=_outer("status", head["message_id"], text), message=text)

    def error(
        self, what: str | WebsocketClientError = "rejected", **fields: Unpack[MessageFields]
    ) -> ErrorEvent:
        """An error: a text is one that the venue sent, else it is an exception of the stream."""
        head = self._head(fields)
        if isinstance(what, str):
            raw = _outer("error", head["message_id"], what)
            what = VenueError(what)
        else:
            raw = what.raw if isinstance(what, DecodeError) else ""
            head["message_id"] = fields.get("message_id", "")
        return ErrorEvent(**head, raw=raw, message=to_problem(what))

    def unknown(
        self, type_: str = "news", data: object = None, **fields: Unpack[MessageFields]
    ) -> UnknownEvent:
        """A message of a type that qehost does not know; `data` becomes JSON."""
        head = self._head(fields)
        raw = _outer(type_, head["message_id"], json.dumps({} if data is None else data))
        return UnknownEvent(**head, raw=raw, message=None)

    # --- the connection ------------------------------------------------------------------

    def connected(
        self,
        url: str = "wss://venue.example/api/ws/v2",
        *,
        attempt: int = 1,
        down_since: int = 0,
        up_at: int | None = None,
        **fields: Unpack[ConnectionFields],
    ) -> ConnectedEvent:
        """The stream was opened.  `down_since` and `up_at` are epoch ns, by default
        `received_at`."""
        head = self._head(fields, message_id="")
        up_at = head["received_at"] if up_at is None else up_at
        message = Connected(url, attempt, down_since, up_at)
        return ConnectedEvent(**head, raw="", message=message)

    def disconnected(
        self,
        reason: str = "the connection was reset",
        *,
        code: int = 1006,
        up_since: int | None = None,
        last_heard: int | None = None,
        **fields: Unpack[ConnectionFields],
    ) -> DisconnectedEvent:
        """The stream ended.  `up_since` and `last_heard` are epoch ns."""
        head = self._head(fields, message_id="")
        message = Disconnected(
            reason,
            code,
            self.start_ms * 1_000_000 if up_since is None else up_since,
            head["received_at"] if last_heard is None else last_heard,
        )
        return DisconnectedEvent(**head, raw="", message=message)

    # --- inside --------------------------------------------------------------------------

    def _split(
        self, fields: Mapping[str, Any], **defaults: Any
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The fields that all events have, and the others."""
        account = fields.get("account", self.account)
        seq = fields.get("seq")
        if seq is None:
            seq = self._seqs.get(account, 0) + 1
        self._seqs[account] = max(seq, self._seqs.get(account, 0))
        head: dict[str, Any] = {
            "seq": seq,
            "account": account,
            "message_id": f"m-{seq}",
            "received_at": (self.start_ms + self._made * self.step_ms) * 1_000_000,
            "origin": "stream",
            "redelivered": False,
            "journal_id": self.journal_id,
            **defaults,
        }
        self._made += 1
        head |= {name: fields[name] for name in HEAD if name in fields}
        return head, {name: value for name, value in fields.items() if name not in HEAD}

    def _head(self, fields: Mapping[str, Any], **defaults: Any) -> dict[str, Any]:
        """The fields that all events have, where others are not allowed."""
        head, own = self._split(fields, **defaults)
        renamed(own, {}, HEAD)
        return head

    def _raw(
        self, head: dict[str, Any], type_: str, subject: MasterOrderDetail | OrderDetail
    ) -> str:
        data = json.dumps(encode.v2_object(subject), ensure_ascii=False)
        if head["origin"] in wire.BARE:
            head["message_id"] = ""
            return data
        return _outer(type_, head["message_id"], data)

    def _pushed_fill(
        self, head: dict[str, Any], fields: Mapping[str, Any], moment: int
    ) -> FillEvent:
        for name in ("id", "notional", "cum_quantity"):
            if name in fields:
                raise TypeError(f"{name}: a fill that V1 pushes has none; leave origin out")
        made = fill_detail(fields, moment)
        pushed = {
            "type": "fill",
            "master_order_id": made.master_order_id,
            "order_id": made.order_id,
            "symbol": made.symbol,
            "category": made.category,
            "side": made.side,
            "fill_price": made.price or 0,
            "filled_qty": made.quantity or 0,
            "fill_time": made.fill_time or 0,
            "timestamp": made.fill_time or 0,
        }
        raw = _outer("data", head["message_id"], _pushed.encode(pushed).decode())
        return FillEvent(**head, raw=raw, message=_decoded(head, "data", raw))


def _outer(type_: str, message_id: str, data: str) -> str:
    return json.dumps(
        {"type": type_, "messageId": message_id, "userId": USER, "data": data}, ensure_ascii=False
    )


def _decoded(head: Mapping[str, Any], type_: str, raw: str) -> Any:
    if head["origin"] in wire.BARE:
        return wire.decode_object(type_, raw).message
    found = wire.decode(raw)
    return None if found is None else found.message


def _derived(head: Mapping[str, Any], made: FillDetail, raw: str) -> FillEvent:
    return FillEvent(**head, raw=raw, message=fill_message(made), exact=made)


@overload
def detail(event: MasterOrderEvent) -> MasterOrderDetail: ...
@overload
def detail(event: OrderEvent) -> OrderDetail: ...
@overload
def detail(event: FillEvent) -> FillDetail: ...
@overload
def detail(
    event: StatusEvent | ErrorEvent | ConnectedEvent | DisconnectedEvent | UnknownEvent,
) -> None: ...
def detail(event: AnyEvent) -> Any:
    """`event.detail`: as a hook gets it; None for an event of a kind that has none."""
    return event.detail


default = Events()
"""Makes the events of the functions below."""
master_order = default.master_order
order = default.order
fill = default.fill
fill_of = default.fill_of
status = default.status
error = default.error
unknown = default.unknown
connected = default.connected
disconnected = default.disconnected
