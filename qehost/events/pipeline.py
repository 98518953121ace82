"""Text → records: decoding, de-duplication and derived fills in one step.  No I/O.

One `Pipeline` serves one account.  It gives every event its place in the account's sequence, and it
never raises for what the venue sent: what can't be read becomes an `ErrorEvent` with the text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from qehost.errors import DecodeError, GapError, WebsocketClientError
from qehost.events import wire
from qehost.events.codec import RawBatch, Record, derived_event, stream_event
from qehost.events.dedup import Dedup, Seen
from qehost.events.fills import CumulativeFill
from qehost.events.first_sight import Known
from qehost.events.ids import is_no_id
from qehost.events.notices import Notices
from qehost.events.order_memory import DAY, OrderMemory, Told
from qehost.events.order_records import KnownOrders
from qehost.events.problems import to_problem
from qehost.events.pushes import Pushes
from qehost.events.readings import Reading, Readings
from qehost.events.rest_objects import RestObject
from qehost.events.unfinished import Unfinished
from qehost.events.wire.decoding import glance
from qehost.events.wire.v2 import V2Order
from qehost.events.wire.values import Unreadable
from qehost.messages import (
    AnyEvent,
    Connected,
    ConnectedEvent,
    Disconnected,
    DisconnectedEvent,
    ErrorEvent,
    MasterOrderEvent,
    OrderEvent,
    OrderMessage,
    Origin,
)

__all__ = ["Pipeline"]

UNREADABLE = 1000
"""Objects of REST that can't be read, and are not told again."""


class Pipeline:
    """The memory of one account's stream, and the way from its text to records of events."""

    def __init__(self, account: str, next_seq: int = 1) -> None:
        self.account = account
        self.next_seq = next_seq
        self.clock_offset: int | None = None
        """How much this machine's clock was behind the venue's when an earlier process noted the
        venue's times, ns; None: not known."""
        self.notices = Notices()
        self._orders = OrderMemory()
        self._ids = Dedup(self._orders.texts)
        self._see = self._ids.see
        self._unreadable: dict[str, bool] = {}  # objects of REST, the last ones at the end
        self._pushes = Pushes(self._orders)
        self._note = self._pushes.note
        self._readings = Readings(self._orders)

    def feed(self, texts: Sequence[str], received_at: int) -> list[Record]:
        """The events of text frames of the stream, in their order.

        `received_at` is epoch ns.  A message that was delivered already gives no event, a bare
        `pong` neither; a V2 child order whose filled quantity grew gives two.
        """
        records: list[Record] = []
        taken: list[str | CumulativeFill] = []
        orders, see, note = self._orders, self._see, self._note
        orders.latest = received_at // 10**6 + DAY
        for number, text in enumerate(texts, orders.texts.add(texts)):
            known = glance(text)
            if known is None:
                taken = self._take_carefully(records, taken, text, number, received_at)
                continue
            message_id, shape = known
            seen = see(message_id, text, number)
            if seen is not None:
                seen = self._judged(message_id, seen)
                if seen is Seen.REPEAT:
                    continue
            try:
                told = note[type(shape)](shape, number)
            except Unreadable:
                self._ids.forget(message_id)
                taken = self._take_carefully(records, taken, text, number, received_at, seen)
                continue
            if seen is not None:
                told = _again(told)
            if told is True:
                taken.append(text)
            elif type(told) is CumulativeFill:
                taken += (text, told)
            else:
                taken = self._tell(records, taken, text, told, received_at)
        if taken:
            records.append(RawBatch(self.next_seq, self.account, received_at, taken))
            self.next_seq += len(taken)
        if orders.unbased.ids:
            records += self._announce_unbased(received_at)
        return records

    def reading(self, since: int = 0, *, is_baseline: bool = False, settled: int = 0) -> Reading:
        """For `catch_up`, taken when REST is asked for what changed since then (the venue's time in
        epoch ns, 0: no such time).

        A baseline says how the orders stood before the stream is listened to.  REST is not behind
        what came before `settled`, a former `next_text`.
        """
        return Reading(self.next_text - 1, since // 10**6, is_baseline, settled=settled)

    @property
    def received_at(self) -> int:
        """When the last text was received, epoch ns; far ahead where none was."""
        return self._orders.now() * 10**6

    @property
    def next_text(self) -> int:
        """The number of the next text of the stream or of REST."""
        return self._orders.texts.number + 1

    def catch_up(
        self, objects: Iterable[RestObject], received_at: int, reading: Reading | None = None
    ) -> list[AnyEvent]:
        """The events of what REST has: only of states that were not delivered yet.

        What `decode_rest` returned may be given bit by bit, with messages of the stream in between.
        """
        events: list[AnyEvent] = []
        self._orders.received(received_at)
        reading = reading or self.reading()
        for decoded, text in objects:
            if isinstance(decoded, DecodeError):
                self._tell_faults(events, [decoded], text, received_at)
            else:
                self._catch_up(events, decoded, text, received_at, reading)
        if self._orders.unbased.ids:
            events.append(self.problem(self._orders.unbased.take_read(), received_at))
        return events

    def connected(self, message: Connected, at: int) -> ConnectedEvent:
        """The connection opened; `at` is epoch ns."""
        self._orders.unbased.renew()
        return ConnectedEvent(self._seq(), self.account, "", at, "stream", False, "", message)

    def disconnected(self, message: Disconnected, at: int) -> DisconnectedEvent:
        """The connection ended; `at` is epoch ns."""
        return DisconnectedEvent(self._seq(), self.account, "", at, "stream", False, "", message)

    def problem(
        self, error: WebsocketClientError, at: int, raw: str = "", origin: Origin = "stream"
    ) -> ErrorEvent:
        """An error for `on_error`; `at` is epoch ns, `raw` the text it is about."""
        if isinstance(error, DecodeError):
            self._note_unreadable(error)
        elif isinstance(error, GapError):
            self.notices.note_gap(str(error), at / 1e9)
        else:
            self.notices.counts.errors += 1
        if not raw.isascii():
            # Half of a surrogate pair has no UTF-8, so the journal could not hold it.
            raw = raw.encode("utf-8", "backslashreplace").decode()
        problem = to_problem(error)
        return ErrorEvent(self._seq(), self.account, "", at, origin, False, raw, problem)

    def restore(self, records: Iterable[Record]) -> None:
        """Remember what was told in an earlier run, from the journal, in the order of the `seq`.

        Afterwards the pipeline is as if it had made these records itself.
        """
        raw = ""
        for record in records:
            if isinstance(record, RawBatch):
                texts = [item for item in record.texts if isinstance(item, str)]
                self.feed(texts, record.received_at)
                self.next_seq = record.first_seq + len(record.texts)
                raw = texts[-1] if texts else ""
                continue
            if isinstance(record, ErrorEvent):
                if record.origin in ("catch_up", "baseline"):
                    self._see_unreadable(record.raw)
            elif isinstance(record, ConnectedEvent):
                first_sight, up_at = self._orders.first_sight, record.message.up_at // 10**6
                # Where how the orders stood was read before it, the checkpoint says since when.
                if not record.message.down_since and not 0 < first_sight.began <= up_at:
                    first_sight.began = up_at
            elif record.origin == "stream":
                self.feed([record.raw], record.received_at)
            elif record.raw != raw:  # otherwise it is the fill of the order in front of it
                self._remember_caught_up(record)
            raw = record.raw
            self.next_seq = record.seq + 1
        self.notices.clear()
        self._orders.unbased.renew()

    def listens(self, since: int, known: Known, *, certain_since: int = 0) -> None:
        """The stream is listened to since then (the venue's time, epoch ns); `known` says which of
        the orders that were there are known.

        To be called when an account is first listened to, after its baseline was taken in, or could
        not be read; and after `restore`.  Of an order that is not known, and was made before, what
        was filled by then is no fill.  An order that was made since then and before `certain_since`
        may be an old one all the same: its fills are marked.
        """
        self._orders.first_sight.begin(since // 10**6, known, certain_since // 10**6)

    def extend_doubt(self, by: int) -> None:
        """The time until which more was told than is known was noted by a clock that was so many ns
        behind the venue's, which was not known then."""
        self._orders.first_sight.extend_doubt(by // 10**6)

    def doubt(self, until: int) -> None:
        """More was told than is known, until then (the venue's time, epoch ns): a part of what was
        remembered is lost.  What may have been told is marked `redelivered`.

        To be called after `restore` and `adopt`.
        """
        self._orders.doubt(until // 10**6)

    @property
    def doubtful_until(self) -> int:
        """The latest time that `doubt` was called with, epoch ns; 0: it was not."""
        return self._orders.first_sight.doubtful_until * 10**6

    @property
    def lacks_baseline(self) -> bool:
        """Whether it is not known how the orders stood before they were listened to."""
        return self._orders.first_sight.known is Known.NONE

    def known_orders(self) -> KnownOrders:
        """All that is known of orders, as `adopt` takes it."""
        return self._orders.known()

    def unfinished(self) -> Unfinished:
        """The orders that were not at their end when they were last heard of."""
        return self._orders.unfinished()

    def adopt(self, known: KnownOrders) -> None:
        """Know of these orders what an earlier pipeline knew."""
        self._orders.adopt(known)

    # --- the stream -------------------------------------------------------------------------

    def _take_carefully(
        self,
        records: list[Record],
        taken: list[str | CumulativeFill],
        text: str,
        number: int,
        at: int,
        seen: Seen | None = None,
    ) -> list[str | CumulativeFill]:
        """A text that is not a plain message of an order."""
        try:
            decoded = wire.read_carefully(text)
        except DecodeError as error:
            taken = self._close(records, taken, at)
            records.append(self.problem(error, at, text))
            return taken
        if decoded is None:
            return taken
        known = self._see(decoded.message_id, text, number)
        if known is not None:
            seen = self._judged(decoded.message_id, known)
            if seen is Seen.REPEAT:
                return taken
        if decoded.message is None:
            self._note_unknown(decoded.type)
        elif decoded.type == "error":
            self.notices.counts.errors += 1
        told: CumulativeFill | Told | bool = True
        faults = list(decoded.faults)
        if decoded.shape is not None:
            try:
                told = self._pushes.note[type(decoded.shape)](decoded.shape, number)
            except Unreadable as error:
                faults.append(error)
                told = self._pushes.note[V2Order](_without_fill(decoded.shape), number)
        if seen is not None:
            told = _again(told)
        taken = self._tell(records, taken, text, told, at)
        if faults:
            taken = self._close(records, taken, at)
            for fault in faults:
                named = wire.unreadable(fault, text)
                # Where the message has a default in place of what can't be read, each time; where
                # only the detail shows the field, and says None, the first time.
                if wire.is_in_message(fault) or not self.notices.is_known(named.path):
                    records.append(self.problem(named, at, text, "derived"))
                else:
                    self._note_unreadable(named)
        return taken

    def _tell(
        self,
        records: list[Record],
        taken: list[str | CumulativeFill],
        text: str,
        told: CumulativeFill | Told | bool,
        at: int,
    ) -> list[str | CumulativeFill]:
        """Take a text as what it is to be told; returns the list for the next ones."""
        if not isinstance(told, Told):
            taken += (text, told) if isinstance(told, CumulativeFill) else (text,)
            return taken
        has_mark = told.is_stale or told.is_repeat
        if not has_mark:
            taken.append(text)
        if told.before is not None and not (has_mark or told.is_doubtful):
            taken.append(told.before)
        elif has_mark or told.before is not None:
            # Only an event of its own can have marks.
            taken = self._close(records, taken, at)
            decoded = wire.decode(text)
            if has_mark:
                event = stream_event(decoded, self._seq(), self.account, at, text)
                marks = {"stale": True} if told.is_stale else {"redelivered": True}
                records.append(msgspec.structs.replace(event, **marks))
            if told.before is not None:
                records.append(self._fill(decoded, told, at, text))
            if told.follows:
                event = self._rest_event(
                    wire.decode_object("master_data", told.follows), Told(), at, told.follows
                )
                records.append(event)
        return taken

    def _close(
        self, records: list[Record], taken: list[str | CumulativeFill], at: int
    ) -> list[str | CumulativeFill]:
        """Make a record of the texts so far; returns the list for the next ones."""
        if taken:
            records.append(RawBatch(self.next_seq, self.account, at, taken))
            self.next_seq += len(taken)
        return []

    def _judged(self, message_id: str, seen: Seen) -> Seen | None:
        """Of a message whose id is known: whether it is a repeat, or may be one."""
        if is_no_id(message_id):
            self.notices.warn(
                "messageId",
                f"the venue sends {message_id!r} as messageId, by which no repeat can be told",
            )
            return None
        if seen is Seen.REPEAT:
            self.notices.counts.repeats += 1
            return seen
        self.notices.warn(
            "messageId reused",
            f"messageId {message_id!r} came before with another content: both are told. Does "
            "the venue count anew?"
            if seen is Seen.OTHER
            else f"messageId {message_id!r} came before, so long ago that it is not known with "
            "which content: it is told as redelivered",
        )
        return seen if seen is Seen.PERHAPS else None

    def _announce_unbased(self, at: int) -> list[Record]:
        told = self._orders.unbased.take_pushed()
        if isinstance(told, GapError):
            return [self.problem(told, at)]
        self.notices.warn("unbased", told)
        return []

    # --- REST -------------------------------------------------------------------------------

    def _catch_up(
        self,
        events: list[AnyEvent],
        decoded: wire.Decoded,
        text: str,
        at: int,
        reading: Reading,
    ) -> None:
        faults = list(decoded.faults)
        shape: Any = decoded.shape
        try:
            told = self._readings.note(shape, text, reading)
        except Unreadable as error:
            faults.append(error)
            told = self._readings.note(_without_fill(shape), text, reading)
        if told is not None:
            if told.state:
                events.append(self._rest_event(decoded, told, at, text))
            if told.before is not None:
                events.append(self._fill(decoded, told, at, text))
        self._tell_faults(
            events, [wire.unreadable(fault, text, "catch_up") for fault in faults], text, at
        )

    def _rest_event(self, decoded: wire.Decoded, told: Told, at: int, text: str) -> AnyEvent:
        message: Any = decoded.message
        kind: Any = OrderEvent if isinstance(message, OrderMessage) else MasterOrderEvent
        origin: Origin = "baseline" if told.is_baseline else "catch_up"
        event: AnyEvent = kind(
            self._seq(), self.account, "", at, origin, told.is_repeat, text, message
        )
        return event

    def _tell_faults(
        self, events: list[AnyEvent], errors: Sequence[DecodeError], text: str, at: int
    ) -> None:
        """What can't be read stays on the venue's lists, and comes again each time."""
        if errors and self._see_unreadable(text):
            events += [self.problem(error, at, text, "catch_up") for error in errors]

    def _remember_caught_up(self, event: AnyEvent) -> None:
        self._orders.received(event.received_at)
        type_ = "master_data" if isinstance(event, MasterOrderEvent) else "order_data"
        reading = self.reading(is_baseline=event.origin == "baseline")
        # It was news then, whatever its time.
        reading = reading.measured(0, event.received_at)._replace(settled=reading.number + 1)
        try:
            decoded = wire.decode_object(type_, event.raw)
            shape: Any = decoded.shape
            self._readings.note(shape, event.raw, reading)
        except (DecodeError, Unreadable):
            return

    # --- both -------------------------------------------------------------------------------

    def _fill(self, decoded: wire.Decoded | None, told: Told, at: int, text: str) -> AnyEvent:
        assert told.before is not None
        fill = derived_event(decoded, told.before, self._seq(), self.account, at, text)
        return msgspec.structs.replace(fill, redelivered=told.is_doubtful)

    def _see_unreadable(self, text: str) -> bool:
        """Remember an object of REST; whether it was not remembered."""
        is_new = self._unreadable.pop(text, True)
        self._unreadable[text] = False
        if len(self._unreadable) > UNREADABLE:
            del self._unreadable[next(iter(self._unreadable))]
        return is_new

    def _note_unreadable(self, error: DecodeError) -> None:
        self.notices.counts.unreadable += 1
        self.notices.warn(error.path, f"what the venue sent can't be read: {error}")

    def _note_unknown(self, type_: str) -> None:
        self.notices.counts.unknown += 1
        self.notices.warn(
            f"unknown {type_}",
            f"a message of type {type_!r} is none that qehost knows: it is handed on raw",
        )

    def _seq(self) -> int:
        seq = self.next_seq
        self.next_seq = seq + 1
        return seq


def _again(told: CumulativeFill | Told | bool) -> Told:
    """What is to be told of a push that may have come before."""
    if isinstance(told, Told):
        return told._replace(is_repeat=True, is_doubtful=True)
    before = told if isinstance(told, CumulativeFill) else None
    return Told(before, is_repeat=True, is_doubtful=True)


def _without_fill(shape: Any) -> Any:
    """A child order whose fill can't be worked out, without it."""
    return msgspec.structs.replace(shape, filled_quantity="", filled_notional="", average_price="")
