"""Text → events: decoding, de-duplication and derived fills in one step.  No I/O.

One `Pipeline` serves one account.  It gives every event its place in the account's sequence, and it
never raises for what the venue sent: what can't be read becomes an `ErrorEvent` with the text.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from types import NoneType
from typing import Any

from qehost import wire
from qehost.errors import DecodeError, VenueError, WebsocketClientError, to_problem
from qehost.fills import FINISHED, Fills
from qehost.messages import (
    AnyEvent,
    Connected,
    ConnectedEvent,
    Disconnected,
    DisconnectedEvent,
    ErrorEvent,
    FillDetail,
    FillEvent,
    FillMessage,
    MasterOrderEvent,
    MasterOrderMessage,
    OrderEvent,
    OrderMessage,
    Origin,
    StatusEvent,
    UnknownEvent,
)
from qehost.once import Once, States
from qehost.wire.shapes import Unreadable, V2MasterOrder, V2Order

__all__ = ["Pipeline"]


class Pipeline:
    """The memory of one account's stream, and the way from its text to events."""

    def __init__(self, account: str, next_seq: int = 1) -> None:
        self.account = account
        self.next_seq = next_seq
        self._ids = Once()
        self._states = States()
        self._fills = Fills()

    def feed(self, texts: Iterable[str], received_at: int) -> list[AnyEvent]:
        """The events of text frames of the stream, in their order.

        `received_at` is epoch ns.  A message that was delivered already gives no event, a bare
        `pong` neither; a V2 child order whose filled quantity grew gives two.
        """
        events: list[AnyEvent] = []
        for text in texts:
            try:
                outer = wire.read_outer(text)
                if outer is None or self._ids.seen(outer.message_id):
                    continue
                decoded = wire.read_inner(outer, text)
                self._deliver(events, decoded, text, received_at, "stream")
            except DecodeError as error:
                events.append(self.problem(error, received_at, text))
        return events

    def catch_up(
        self, master_orders: Iterable[str], orders: Iterable[str], received_at: int
    ) -> list[AnyEvent]:
        """The events of bare V2 objects from REST: only of states that were not delivered yet.

        They come in the order of the venue's time of change; at equal times a master order comes
        before its child orders, and after them if it is finished.
        """
        events: list[AnyEvent] = []
        states: list[tuple[int, int, wire.Decoded, str]] = []
        for type_, texts in (("master_data", master_orders), ("order_data", orders)):
            for text in texts:
                try:
                    decoded = wire.decode_object(type_, text)
                except DecodeError as error:
                    events.append(self.problem(error, received_at, text, "catch_up"))
                    continue
                states.append((*_order_of_telling(decoded), decoded, text))
        states.sort(key=lambda state: state[:2])
        for _, _, decoded, text in states:
            try:
                self._deliver(events, decoded, text, received_at, "catch_up")
            except DecodeError as error:
                events.append(self.problem(error, received_at, text, "catch_up"))
        return events

    def connected(self, message: Connected, at: int) -> ConnectedEvent:
        """The connection opened; `at` is epoch ns."""
        return ConnectedEvent(self._seq(), self.account, "", at, "stream", False, "", message)

    def disconnected(self, message: Disconnected, at: int) -> DisconnectedEvent:
        """The connection ended; `at` is epoch ns."""
        return DisconnectedEvent(self._seq(), self.account, "", at, "stream", False, "", message)

    def problem(
        self, error: WebsocketClientError, at: int, raw: str = "", origin: Origin = "stream"
    ) -> ErrorEvent:
        """An error for `on_error`; `at` is epoch ns, `raw` the text it is about."""
        problem = to_problem(error)
        if not raw.isascii():
            # Half of a surrogate pair has no UTF-8, so the journal could not hold it.
            raw = raw.encode("utf-8", "backslashreplace").decode()
        return ErrorEvent(self._seq(), self.account, "", at, origin, False, raw, problem)

    def restore(self, events: Iterable[AnyEvent]) -> None:
        """Remember events of an earlier run, from the journal, in the order of their `seq`.

        Afterwards the pipeline is as if it had made these events itself.
        """
        raw = ""
        for event in events:
            self.next_seq = event.seq + 1
            if event.origin == "derived" and event.raw == raw:
                continue  # its order stands before it
            raw = event.raw
            self._ids.add(event.message_id)
            try:
                self._note(*_told(event))
            except (DecodeError, Unreadable):
                continue  # a text that an older qehost could read; its id is remembered

    # --- inside -----------------------------------------------------------------------------

    def _deliver(
        self, events: list[AnyEvent], decoded: wire.Decoded, raw: str, at: int, origin: Origin
    ) -> None:
        message: Any = decoded.message
        try:
            new, fill = self._note(message, decoded.shape, origin)
        except Unreadable as error:
            raise wire.unreadable(error, raw, origin) from None
        message_id = decoded.message_id
        if not new:
            if fill is not None:
                # V1 pushes fills by themselves: the order's state is known, and this was lost.
                events.append(self._derived(fill, message_id, at, raw))
            return
        seq = self.next_seq
        event_type = _EVENTS[type(message)]
        if event_type is ErrorEvent:
            if decoded.type == "status":
                event_type = StatusEvent
            else:
                message = to_problem(VenueError(message))
        self._ids.add(message_id)
        events.append(event_type(seq, self.account, message_id, at, origin, False, raw, message))
        self.next_seq = seq + 1
        if fill is not None:
            events.append(self._derived(fill, message_id, at, raw))

    def _note(
        self, message: Any, shape: wire.Shape | None, origin: Origin
    ) -> tuple[bool, FillDetail | None]:
        """Remember a message; whether it is new, and the fill that it brings.

        This is all that messages do to the memory.  Raises Unreadable, having remembered nothing,
        for figures that can't be added up.
        """
        kind = type(message)
        if kind is OrderMessage:
            fill = None
            if message.cum_filled_qty:
                if type(shape) is V2Order:
                    fill = self._fills.update(message, shape)
                else:
                    self._fills.ordered(message)
            order: Hashable = (message.master_order_id, message.order_id)
            state = (message.timestamp, message.status, message.cum_filled_qty)
        elif kind is MasterOrderMessage:
            fill = None
            filled = shape.cum_filled_qty or 0.0 if type(shape) is V2MasterOrder else 0.0
            order = message.master_order_id
            state = (message.timestamp, message.status, filled)
        elif kind is FillMessage:
            return self._fills.pushed(message), None
        else:
            return True, None
        if origin == "stream":
            return self._states.streamed(order, state) or fill is not None, fill
        return self._states.caught_up(order, state, fill is not None), fill

    def _derived(self, fill: FillDetail, message_id: str, at: int, raw: str) -> FillEvent:
        moment = fill.fill_time or 0
        message = FillMessage(
            "fill",
            fill.master_order_id,
            fill.order_id,
            fill.symbol,
            fill.category,
            fill.side,
            float(fill.price or 0),
            float(fill.quantity or 0),
            moment,
            moment,
        )
        seq = self._seq()
        return FillEvent(seq, self.account, message_id, at, "derived", False, raw, message, fill)

    def _seq(self) -> int:
        seq = self.next_seq
        self.next_seq = seq + 1
        return seq


_EVENTS: dict[type, Any] = {
    MasterOrderMessage: MasterOrderEvent,
    OrderMessage: OrderEvent,
    FillMessage: FillEvent,
    NoneType: UnknownEvent,
    str: ErrorEvent,  # or StatusEvent, by the outer type
}


def _told(event: AnyEvent) -> tuple[Any, wire.Shape | None, Origin]:
    """What an event was made from: its object has figures that no message has."""
    if event.origin == "derived":
        order = wire.decode_object("order_data", event.raw)
        return order.message, order.shape, "catch_up"
    shape = None
    if isinstance(event, MasterOrderEvent | OrderEvent):
        if event.origin == "catch_up":
            type_ = "order_data" if isinstance(event, OrderEvent) else "master_data"
            shape = wire.decode_object(type_, event.raw).shape
        elif decoded := wire.decode(event.raw):
            shape = decoded.shape
    return event.message, shape, event.origin


def _order_of_telling(decoded: wire.Decoded) -> tuple[int, int]:
    message = decoded.message
    if isinstance(message, OrderMessage):
        return message.timestamp, 1
    if isinstance(message, MasterOrderMessage):
        done = message.status in FINISHED or message.status.startswith("COMPLETED")
        return message.timestamp, 2 if done else 0
    return 0, 0
