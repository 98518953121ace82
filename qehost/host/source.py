"""One account's events, as a host process sees them: how far it has come, and what it is at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from qehost.errors import JournalError
from qehost.host.cursors import Marks
from qehost.journal import JournalReader
from qehost.messages import AnyEvent
from qehost.queue import BatchReader

__all__ = ["Source"]

THROUGH = object()


class Source:
    """The cursor of the account, the queue that its events come by, and its journal."""

    def __init__(self, account: str, journal: JournalReader, marks: Marks) -> None:
        self.account = account
        self.journal = journal
        self.queue: BatchReader | None = None
        self.work: Iterator[None] | None = None
        """What it is to deliver before its queue is read again; each step is a slice."""
        self._marks = marks
        cursor = marks.cursor(account)
        if cursor is None:
            # The cursors can't be kept, or the supervisor would have set one: begin here and now.
            cursor = self.last_seq()
            marks.advance(account, cursor)
        self.position = cursor
        """The last event that was delivered."""
        self.poison: dict[int, set[str]] = {}
        """Events that killed a process, and the plugins that they pass over."""
        self._handed = marks.handed(account)
        if marks.lost:
            # Everything that is there may have been handed over before.
            self.hand(self.last_seq())

    def work_on(self) -> None:
        if self.work is not None and next(self.work, THROUGH) is THROUGH:
            self.work = None

    def new(self, events: Sequence[AnyEvent]) -> Sequence[AnyEvent]:
        """Those that come after the position, marked where they may have been delivered before."""
        first = events[0].seq
        if first <= self.position:
            events = events[self.position + 1 - first :]
        if first > self._handed:
            return events
        return [
            replace(event, redelivered=True) if event.seq <= self._handed else event
            for event in events
        ]

    def hand(self, seq: int) -> None:
        """Note that events up to `seq` are about to be delivered.  It never goes back: what comes
        again now would otherwise come a third time without saying so."""
        if seq > self._handed:
            self._handed = seq
            self._marks.hand(self.account, seq)

    def take_back(self, seq: int) -> None:
        """Those of a slice that come after `seq` were not delivered after all."""
        self._handed = seq
        self._marks.hand(self.account, seq)

    def move(self, seq: int) -> None:
        self.position = seq
        self._marks.advance(self.account, seq)

    def left(self) -> int:
        """The number of events after the position."""
        return max(0, self.last_seq() - self.position)

    def last_seq(self) -> int:
        try:
            return self.journal.last_seq()
        except JournalError:
            return 0
