"""Text → events: decoding, de-duplication and derived fills in one step.  No I/O.

One `Pipeline` serves one account.  It gives every event its place in the account's sequence, and it
never raises for what the venue sent: what can't be read becomes an `ErrorEvent` with the text.
"""

from __future__ import annotations

from collections.abc import Iterable

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
from qehost.once import Once, change
from qehost.shapes import Unreadable

__all__ = ["Pipeline"]


class Pipeline:
    """The memory of one account's stream, and the way from its text to events."""

    def __init__(self, account: str, next_seq: int = 1) -> None:
        self.account = account
        self.next_seq = next_seq
        self._ids = Once()
        self._streamed = Once()
        self._caught_up = Once()
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
        return ErrorEvent(self._seq(), self.account, "", at, origin, False, raw, problem)

    def restore(self, events: Iterable[AnyEvent]) -> None:
        """Remember events of an earlier run, from the journal, in the order of their `seq`.

        Afterwards the pipeline is as if it had made these events itself.
        """
        for event in events:
            self.next_seq = event.seq + 1
            if event.origin == "derived":
                continue
            self._ids.add(event.message_id)
            if not isinstance(event, MasterOrderEvent | OrderEvent):
                continue
            try:
                self._remember(event)
            except (DecodeError, Unreadable):
                continue  # a text that an older qehost could read; its id is remembered

    # --- inside -----------------------------------------------------------------------------

    def _remember(self, event: MasterOrderEvent | OrderEvent) -> None:
        if event.origin == "catch_up":
            type_ = "order_data" if isinstance(event, OrderEvent) else "master_data"
            decoded: wire.Decoded | None = wire.decode_object(type_, event.raw)
        else:
            decoded = wire.decode(event.raw)
        if decoded is None:
            return
        states = self._caught_up if event.origin == "catch_up" else self._streamed
        states.add(change(event.message, decoded.filled))
        if decoded.running is not None and isinstance(event, OrderEvent):
            self._fills.update(event.message, decoded.running)

    def _deliver(
        self, events: list[AnyEvent], decoded: wire.Decoded, raw: str, at: int, origin: Origin
    ) -> None:
        message = decoded.message
        message_id = decoded.message_id
        account = self.account
        event: AnyEvent
        fill: FillDetail | None = None
        if isinstance(message, MasterOrderMessage | OrderMessage):
            state = change(message, decoded.filled)
            if self._caught_up.seen(state) or (origin == "catch_up" and self._streamed.seen(state)):
                self._ids.add(message_id)
                return
            if isinstance(message, OrderMessage):
                if decoded.running is not None:
                    try:
                        fill = self._fills.update(message, decoded.running)
                    except Unreadable as error:
                        raise wire.unreadable(error, raw, origin) from None
                event = OrderEvent(
                    self._seq(), account, message_id, at, origin, False, raw, message
                )
            else:
                event = MasterOrderEvent(
                    self._seq(), account, message_id, at, origin, False, raw, message
                )
            (self._caught_up if origin == "catch_up" else self._streamed).add(state)
        elif isinstance(message, FillMessage):
            event = FillEvent(self._seq(), account, message_id, at, origin, False, raw, message)
        elif message is None:
            event = UnknownEvent(self._seq(), account, message_id, at, origin, False, raw, None)
        elif decoded.type == "status":
            event = StatusEvent(self._seq(), account, message_id, at, origin, False, raw, message)
        else:
            problem = to_problem(VenueError(message))
            event = ErrorEvent(self._seq(), account, message_id, at, origin, False, raw, problem)
        self._ids.add(message_id)
        events.append(event)
        if fill is not None:
            events.append(
                FillEvent(
                    self._seq(),
                    account,
                    message_id,
                    at,
                    "derived",
                    False,
                    raw,
                    _message(fill),
                    fill,
                )
            )

    def _seq(self) -> int:
        seq = self.next_seq
        self.next_seq = seq + 1
        return seq


def _order_of_telling(decoded: wire.Decoded) -> tuple[int, int]:
    message = decoded.message
    if isinstance(message, OrderMessage):
        return message.timestamp, 1
    if isinstance(message, MasterOrderMessage):
        done = message.status in FINISHED or message.status.startswith("COMPLETED")
        return message.timestamp, 2 if done else 0
    return 0, 0


def _message(fill: FillDetail) -> FillMessage:
    moment = fill.fill_time or 0
    return FillMessage(
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
