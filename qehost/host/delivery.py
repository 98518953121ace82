"""At-least-once delivery of one account's events: the only place where it is made.

A connection process writes each batch of events to the journal and then to a bounded queue.  What
the queue had no room for, and what came while it had no reader, stands in the journal alone.
`Delivery` joins the two: the consumer gets each event, in the order of `seq`, marked where it may
have had it before; for events that can't be had it gets a `GapError` with their numbers.

For each slice, in this order: it is noted as in flight, the consumer gets it, the cursor moves past
it.  The process may die between any two of these.  A journal that can't be read now (no file left
to open, a file without permission) is no gap: its events wait, and it is tried again.  Only what
was read and is damaged, or is not there, is one.

Nothing here waits, and nothing knows of processes or plugins: what came by the queue and who
consumes it are passed in.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

import msgspec
from msgspec.structs import replace

from qehost.errors import GapError, JournalError
from qehost.events.codec import decode_events
from qehost.messages import AnyEvent, ErrorEvent
from qehost.storage.cursor_file import UNSET, Cursor
from qehost.storage.cursors import Cursors
from qehost.storage.journal import Batch, Damage, JournalReader
from qehost.storage.journal.high_water import read_high_water
from qehost.storage.journal.layout import span
from qehost.storage.status import UnreadableJournal

__all__ = ["SLICE", "Consumer", "ConsumerClosed", "Delivery", "Position", "newest_seq"]

SLICE = 64
"""Events of a slice: what comes again at most after a crash."""
PASSED = 1_000
"""Events that are read in a row without a slice of those that are wanted: some 10 ms."""
RETRY = 0.2
"""Seconds between two looks into a journal that can't be read."""
REMIND = 30.0
"""Seconds between two log lines about that."""


class ConsumerClosed(Exception):
    """A consumer takes no more, at least for now: the cursor stays where it is.

    Of the events that it was given, the first `done` are delivered, and the first `begun`, at least
    as many, may have reached it: those between come again, to the next process marked as
    redelivered.
    """

    def __init__(self, done: int = 0, begun: int = 0) -> None:
        super().__init__("the consumer takes no more events")
        self.done = done
        self.begun = begun


class Consumer(Protocol):
    """Who gets the events, in the thread that calls `Delivery.step`.

    Both methods may raise ConsumerClosed; `Delivery.step` passes it on.
    """

    def deliver(self, events: Sequence[AnyEvent]) -> int:
        """Take at least the first of them; returns how many.  The others have not reached anybody,
        and come again with the next slice."""

    def tell(self, error: GapError) -> None:
        """Events can't be had."""


class Position:
    """How far one consumer has come with one account, by its cursor: that of `slot`.

    Where it has none yet, it begins after event `end()`.  `unsure`: what is known of the events in
    flight may be too old, so all up to `end()` are.  `synced`: it is on the disk before a slice is
    delivered.
    """

    def __init__(
        self,
        cursors: Cursors,
        slot: str,
        end: Callable[[], int],
        *,
        unsure: bool = False,
        synced: bool = False,
    ) -> None:
        self._cursors = cursors
        self._slot = slot
        self._end = end
        self._synced = synced
        cursor = cursors.cursor(slot)
        self.in_flight = cursors.in_flight(slot)
        """The last event that may have reached the consumer."""
        self.marked_to = self.in_flight
        """Events up to this one may have reached it in an earlier process, and come marked."""
        unsure = unsure or slot in cursors.lost
        if cursor is None or unsure:
            last_seq = end()
            if cursor is None:
                cursor = last_seq
                cursors.advance(slot, cursor)
            if unsure:
                self.begin(last_seq)
                self.marked_to = self.in_flight
        self.cursor = cursor
        """The last event that was delivered."""

    def fork(self, slot: str, cursor: int, reached: int) -> Position:
        """One of its own, in `slot`, for a consumer that has come to event `cursor` only, and that
        events up to `reached` may have reached.  To be called before this one moves on.
        """
        self._cursors.place(slot, Cursor(cursor, max(reached, self.marked_to)))
        if self._synced:
            self._cursors.sync()
        forked = Position(self._cursors, slot, self._end, synced=self._synced)
        forked.marked_to = self.marked_to
        return forked

    def is_level_with(self, head: Position) -> bool:
        """Whether nothing would be missed, come twice or be unmarked that was in flight, if the
        head went on for both."""
        level = self.cursor == head.cursor
        return level and self.marked_to <= max(self.cursor, head.marked_to)

    def drop(self) -> None:
        """The head goes on for it."""
        self._cursors.place(self._slot, UNSET)

    def begin(self, seq: int) -> None:
        """Events up to `seq` are about to reach the consumer."""
        if seq > self.in_flight:
            self.in_flight = seq
            self._cursors.put_in_flight(self._slot, seq)
        if self._synced:
            # Before the call, so that a power cut can't take back that it was made.
            self._cursors.sync()

    def withdraw(self, seq: int) -> None:
        """Those after `seq` have not reached the consumer after all."""
        self.in_flight = seq
        self._cursors.put_in_flight(self._slot, seq)

    def finish(self, seq: int) -> None:
        """Events up to `seq` are delivered."""
        self.cursor = seq
        self._cursors.advance(self._slot, seq)

    def ahead(self, events: Sequence[AnyEvent]) -> Sequence[AnyEvent]:
        """Those after the cursor, marked where they may have reached the consumer before."""
        first = events[0].seq
        if first <= self.cursor:
            events = [event for event in events if event.seq > self.cursor]
        if first > self.marked_to:
            return events
        return [
            replace(event, redelivered=True) if event.seq <= self.marked_to else event
            for event in events
        ]


class Delivery:
    """Brings the events of `account` to a consumer.  For one thread.

    `take` and `catch_up` say what there is to deliver, `step` delivers a slice of it, until `busy`
    is false; only then is there to be something new.  `journal`: None where there is none; then
    what does not come by the queue is lost.  `complain` takes what the user should know, as the
    methods of a logger do.  `gather`: what stands in the journal in small pieces is put together to
    slices of `slice_size`, of the events that the consumer `wants` (None: of all).
    """

    def __init__(
        self,
        account: str,
        position: Position,
        consumer: Consumer,
        journal: JournalReader | None,
        complain: Callable[..., object],
        *,
        slice_size: int = SLICE,
        gather: bool = False,
        wants: Callable[[AnyEvent], bool] | None = None,
    ) -> None:
        self.account = account
        self.position = position
        self.due = 0.0
        """When the next step makes sense, on the monotonic clock, while the journal can't be read;
        0: at once."""
        self.unreadable: UnreadableJournal | None = None
        """Why the journal can't be read, while it can't."""
        self._consumer = consumer
        self._journal = journal
        self._complain = complain
        self._slice_size = slice_size
        self._gather = gather
        self._wants = wants
        self._work: Iterator[float] | None = None
        self._stepped = False
        """This step has delivered its slice."""
        self._remind_at = 0.0

    @property
    def busy(self) -> bool:
        """Whether there is something to deliver."""
        return self._work is not None

    def take(self, batches: Iterable[tuple[str, bytes] | int]) -> None:
        """Deliver what the queue brought: batches, each after its journal's id, and numbers up to
        which the journal has what was left out of it."""
        self._work = self._deliver_batches(batches)

    def take_events(self, events: Sequence[AnyEvent], last: int) -> None:
        """Deliver these: after those that were delivered before, the consumer wants no others up to
        event `last`."""
        self._work = self._deliver_wanted(events, last)

    def catch_up(self) -> None:
        """Deliver what the journal has, to the end that it has by then."""
        self._work = self._deliver_journal(None)

    def catch_up_to(self, seq: int) -> None:
        """Deliver what the journal has, up to this event; what it does not have is missing."""
        self._work = self._deliver_up_to(seq)

    def step(self) -> None:
        """Deliver one slice, or look once more into a journal that could not be read."""
        if self._work is not None:
            self._stepped = False
            try:
                wait = next(self._work, None)
            except ConsumerClosed:
                self._work = None
                raise
            if wait is None:
                self._work = None
            self.due = time.monotonic() + wait if wait else 0.0
            if not wait:
                self.unreadable = None

    def left(self) -> int:
        """The number of events that are not delivered, as far as the journal knows of them."""
        if self._journal is None:
            return 0
        return max(0, newest_seq(self._journal) - self.position.cursor)

    # What follows is left when a slice has been delivered and there is another one, when many were
    # read for none, or when the journal can't be read, with the seconds after which to go on.

    def _deliver_batches(self, batches: Iterable[tuple[str, bytes] | int]) -> Iterator[float]:
        for item in batches:
            if isinstance(item, int):
                yield from self._deliver_journal(item)
                continue
            journal_id, batch = item
            try:
                events = decode_events(batch, journal_id)
            except msgspec.DecodeError as error:
                self._skip_batch(error)
                continue
            if events[0].seq > self.position.cursor + 1:
                yield from self._deliver_journal(events[0].seq - 1)
            yield from self._deliver(events)

    def _deliver_journal(self, until: int | None) -> Iterator[float]:
        """What stands in the journal after the cursor, up to event `until`; None: to its end.

        What comes after that event comes by the queue: there may be no trace of it here.
        """
        if self._journal is None:
            return
        parts: Iterator[Batch | Damage] | None = None
        gathered: list[AnyEvent] = []
        reached = self.position.cursor
        """The last event that was delivered or gathered."""
        passed = 0
        while until is None or until > reached:
            try:
                if until is None:
                    until = self._journal.last_seq()
                    continue
                if parts is None:
                    parts = self._journal.read(reached)
                part = next(parts, None)
            except JournalError as error:
                self._remind(error)
                parts = None
                yield RETRY
                continue
            if part is None or part.first_seq > until:
                break
            events, missing = _events_of(part)
            if self._gather:
                events = [event for event in events if reached < event.seq <= until]
                if events and events[0].seq == reached + 1:
                    reached = events[-1].seq
                    gathered += filter(self._wants, events) if self._wants else events
                    if full := len(gathered) // self._slice_size * self._slice_size:
                        # The others wait for more.
                        batch, gathered = gathered[:full], gathered[full:]
                        last = gathered[0].seq - 1 if gathered else reached
                        yield from self._deliver_wanted(batch, last)
                    elif (passed := passed + len(events)) >= PASSED:
                        passed = 0
                        if not gathered:
                            self.position.finish(reached)
                        yield 0.0
                    continue
                yield from self._deliver_wanted(gathered, reached)
                gathered = []
            yield from self._deliver(events)
            if missing:
                self._miss(min(part.last_seq, until), missing)
            reached = self.position.cursor
        yield from self._deliver_wanted(gathered, reached)

    def _deliver_up_to(self, seq: int) -> Iterator[float]:
        yield from self._deliver_journal(seq)
        self._miss(seq, "the journal does not have them")

    def _deliver(self, events: Sequence[AnyEvent]) -> Iterator[float]:
        if not events:
            return
        before = events[0].seq - 1
        if before > self.position.cursor:
            if self._journal is not None:
                self._miss(before, "found neither in the queue nor in the journal")
            elif _is_gap(events[0]):
                self.position.finish(before)  # it says itself what is missing
            else:
                self._miss(before, "lost between the processes")
        yield from self._deliver_slices(self.position.ahead(events))

    def _deliver_wanted(self, events: Sequence[AnyEvent], last: int) -> Iterator[float]:
        """Events without others between them, and up to event `last`, that the consumer wants."""
        if events:
            yield from self._deliver_slices(self.position.ahead(events))
        if last > self.position.cursor:
            self.position.finish(last)

    def _deliver_slices(self, events: Sequence[AnyEvent]) -> Iterator[float]:
        start = 0
        while start < len(events):
            if self._stepped:
                yield 0.0
            # What may have reached a process that died comes alone: so its next death tells which
            # event it was.
            size = 1 if events[start].redelivered else self._slice_size
            start += self._deliver_slice(events[start : start + size])
            self._stepped = True

    def _deliver_slice(self, events: Sequence[AnyEvent]) -> int:
        position = self.position
        before = position.in_flight
        position.begin(events[-1].seq)
        closed: ConsumerClosed | None = None
        try:
            done = begun = self._consumer.deliver(events)
        except ConsumerClosed as error:
            closed, done, begun = error, error.done, error.begun
        if done:
            position.finish(events[done - 1].seq)
        if begun < len(events):
            # Not back behind what it was: that would come a third time without a mark.
            position.withdraw(max(before, events[begun].seq - 1))
        if closed is not None:
            raise closed
        return done

    # --- what can't be had -------------------------------------------------------------------

    def _miss(self, last_seq: int, why: str) -> None:
        """Go on after events that can't be had, and tell the consumer so."""
        if last_seq > self.position.cursor:
            missing = span(self.position.cursor + 1, last_seq)
            self._consumer.tell(
                GapError(f"account {self.account}: {missing} can't be delivered: {why}")
            )
            self.position.finish(last_seq)

    def _skip_batch(self, error: msgspec.DecodeError) -> None:
        text = f"account {self.account}: events that came by the queue can't be decoded ({error})"
        if self._journal is None:
            self._consumer.tell(GapError(text))
        else:
            # The next event shows that they are missing, and then the journal has them.
            self._complain("%s", text)

    def _remind(self, error: JournalError) -> None:
        since = time.time() if self.unreadable is None else self.unreadable.since
        self.unreadable = UnreadableJournal(self.account, str(error), since)
        if (now := time.monotonic()) >= self._remind_at:
            self._remind_at = now + REMIND
            self._complain(
                "account %s: %s. Its events wait until that can be read", self.account, error
            )


def newest_seq(journal: JournalReader) -> int:
    """The last event that has a number, as far as that can be read now."""
    try:
        return journal.last_seq()
    except JournalError:
        return read_high_water(journal.folder)


def _events_of(part: Batch | Damage) -> tuple[Sequence[AnyEvent], str]:
    """Its events, or why it has none."""
    if not isinstance(part, Batch):
        return (), str(part.error)
    try:
        return decode_events(part.events, part.journal_id), ""
    except msgspec.DecodeError as error:
        return (), f"what the journal has can't be decoded ({error})"


def _is_gap(event: AnyEvent) -> bool:
    return isinstance(event, ErrorEvent) and event.message.code == GapError.code
