"""Text → records: decoding, de-duplication and derived fills in one step.  No I/O.

One `Pipeline` serves one account.  It gives every event its place in the account's sequence, and it
never raises for what the venue sent: what can't be read becomes an `ErrorEvent` with the text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from qehost import wire
from qehost.errors import DecodeError, WebsocketClientError, to_problem
from qehost.fills import FINISHED, Before
from qehost.known_orders import Key, Known
from qehost.messages import (
    AnyEvent,
    Connected,
    ConnectedEvent,
    Disconnected,
    DisconnectedEvent,
    ErrorEvent,
    MasterOrderEvent,
    MasterOrderMessage,
    OrderEvent,
    OrderMessage,
    Origin,
)
from qehost.once import Once
from qehost.orders import Lost, Orders
from qehost.records import Record, Texts, derived_event
from qehost.wire.shapes import Unreadable

__all__ = ["FromRest", "Pipeline", "arranged"]


UNREADABLE = 1000
"""Objects of REST that can't be read, and are not told again."""


class FromRest(NamedTuple):
    """An object of a list that was read over REST, or why it can't be decoded."""

    decoded: wire.Decoded | DecodeError
    text: str


class Pipeline:
    """The memory of one account's stream, and the way from its text to records of events."""

    def __init__(self, account: str, next_seq: int = 1) -> None:
        self.account = account
        self.next_seq = next_seq
        self._ids = Once()
        self._unreadable = Once(UNREADABLE)
        self._orders = Orders()

    def feed(self, texts: Iterable[str], received_at: int) -> list[Record]:
        """The events of text frames of the stream, in their order.

        `received_at` is epoch ns.  A message that was delivered already gives no event, a bare
        `pong` neither; a V2 child order whose filled quantity grew gives two.
        """
        records: list[Record] = []
        taken: list[str | Before] = []
        self._orders.now = received_at // 10**6
        glance, first, note = wire.glance, self._ids.first, self._orders.note
        for text in texts:
            try:
                if (known := glance(text)) is None:
                    message_id, told = self._take_carefully(text)
                else:
                    message_id, shape = known
                    if not first(message_id):
                        continue
                    try:
                        told = note(shape)
                    except Unreadable:
                        self._ids.forget(message_id)
                        message_id, told = self._take_carefully(text)
            except DecodeError as error:
                taken = self._close(records, taken, received_at)
                records.append(self.problem(error, received_at, text))
                continue
            if told is False:
                self._ids.forget(message_id)
                continue
            taken.append(text)
            if told is not True:
                taken.append(told)
        self._close(records, taken, received_at)
        return records

    def catch_up(self, objects: Iterable[FromRest], received_at: int) -> list[AnyEvent]:
        """The events of what REST has: only of states that were not delivered yet.

        What `arranged` returned may be given bit by bit, with messages of the stream in between.
        """
        events: list[AnyEvent] = []
        self._orders.now = received_at // 10**6
        for decoded, text in objects:
            try:
                if isinstance(decoded, DecodeError):
                    raise decoded
                self._catch_up(events, decoded, text, received_at)
            except (DecodeError, Unreadable) as error:
                # It stays on the venue's list, and comes again each time that is read.
                if self._unreadable.first(text):
                    if isinstance(error, Unreadable):
                        error = wire.unreadable(error, text, "catch_up")
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

    def restore(self, records: Iterable[Record]) -> None:
        """Remember what was told in an earlier run, from the journal, in the order of the `seq`.

        Afterwards the pipeline is as if it had made these records itself.
        """
        raw = ""
        for record in records:
            if isinstance(record, Texts):
                texts = [item for item in record.texts if isinstance(item, str)]
                self.feed(texts, record.received_at)
                self.next_seq = record.first_seq + len(record.texts)
                continue
            if isinstance(record, ErrorEvent):
                self._ids.first(record.message_id)
                if record.origin == "catch_up":
                    self._unreadable.first(record.raw)
            elif record.origin == "stream":
                self.feed([record.raw], record.received_at)
            elif record.raw != raw:  # otherwise it is the fill of the order in front of it
                self._remember_caught_up(record)
            raw = record.raw
            self.next_seq = record.seq + 1

    def open_orders(self) -> list[tuple[Key, Known]]:
        """The child orders that are filled in part and may go on, as `adopt` takes them."""
        return self._orders.open_orders()

    def adopt(self, orders: Sequence[tuple[Key, Known]]) -> None:
        """Know of these orders what an earlier pipeline knew."""
        self._orders.adopt(orders)

    # --- inside -----------------------------------------------------------------------------

    def _take_carefully(self, text: str) -> tuple[str, Before | bool]:
        """The message id, and what the memory says of it.  Raises DecodeError."""
        outer = wire.read_outer(text)
        if outer is None or not self._ids.first(outer.message_id):
            return "", False
        try:
            shape = wire.read_inner(outer, text).shape
            return outer.message_id, shape is None or self._orders.note(shape)
        except DecodeError:
            self._ids.forget(outer.message_id)
            raise
        except Unreadable as error:
            self._ids.forget(outer.message_id)
            raise wire.unreadable(error, text) from None

    def _close(
        self, records: list[Record], taken: list[str | Before], at: int
    ) -> list[str | Before]:
        """Make a record of the texts so far; returns the list for the next ones."""
        if taken:
            records.append(Texts(self.next_seq, self.account, at, taken))
            self.next_seq += len(taken)
        return []

    def _catch_up(self, events: list[AnyEvent], decoded: wire.Decoded, raw: str, at: int) -> None:
        """Raises Unreadable, having remembered nothing."""
        message: Any = decoded.message
        shape: Any = decoded.shape
        told = self._orders.catch_up(shape)
        if told is False:
            return
        if not isinstance(told, Lost):
            event_type: Any = OrderEvent if isinstance(message, OrderMessage) else MasterOrderEvent
            events.append(
                event_type(self._seq(), self.account, "", at, "catch_up", False, raw, message)
            )
        if told is not True:
            before = told.before if isinstance(told, Lost) else told
            events.append(derived_event(decoded, before, self._seq(), self.account, at, raw))

    def _remember_caught_up(self, event: AnyEvent) -> None:
        self._orders.now = event.received_at // 10**6
        type_ = "master_data" if isinstance(event, MasterOrderEvent) else "order_data"
        try:
            shape: Any = wire.decode_object(type_, event.raw).shape
            self._orders.catch_up(shape)
        except (DecodeError, Unreadable):
            return

    def _seq(self) -> int:
        seq = self.next_seq
        self.next_seq = seq + 1
        return seq


def arranged(master_orders: Iterable[str], orders: Iterable[str]) -> list[FromRest]:
    """The texts of bare V2 objects, decoded, in the order in which they are to be told.

    That is the venue's time of change; at equal times a master order comes before its child orders,
    and after them if it is finished.
    """
    unreadable: list[FromRest] = []
    states: list[tuple[int, int, FromRest]] = []
    for type_, texts in (("master_data", master_orders), ("order_data", orders)):
        for text in texts:
            try:
                decoded = wire.decode_object(type_, text)
            except DecodeError as error:
                unreadable.append(FromRest(error, text))
            else:
                states.append((*_order_of_telling(decoded), FromRest(decoded, text)))
    states.sort(key=lambda state: state[:2])
    return unreadable + [state[2] for state in states]


def _order_of_telling(decoded: wire.Decoded) -> tuple[int, int]:
    message = decoded.message
    if isinstance(message, OrderMessage):
        return message.timestamp, 1
    if isinstance(message, MasterOrderMessage):
        done = message.status in FINISHED or message.status.startswith("COMPLETED")
        return message.timestamp, 2 if done else 0
    return 0, 0
