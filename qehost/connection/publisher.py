"""Where the events of a connection go: into the journal, then into the queue of each host process.

Nothing here waits.  What a queue has no room for is in the journal; while the journal can't be
written, events still go to the queues, and a critical line in the log says so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Protocol

from qehost.errors import JournalError
from qehost.events.codec import Record, encode_events, first_seq, last_seq
from qehost.events.plural import format_count
from qehost.processes.queue import BatchWriter
from qehost.storage.journal.identity import JournalIdentity

__all__ = ["Publisher"]

log = logging.getLogger("qehost.connection")

WARN_EVERY = 5.0
"""Seconds between two lines that say that the journal fails, and how many events are lost."""


class BatchLog(Protocol):
    """What the publisher needs of a journal."""

    @property
    def journal_id(self) -> str:
        """That of what is appended from now on."""

    def append(
        self, blob: bytes, first_seq: int, last_seq: int, first_at: int, last_at: int
    ) -> None: ...


class Publisher:
    """Without a journal (None) what a queue has no room for is lost; `take_lost` counts it.

    `last_seq` is the last event of earlier processes.
    """

    def __init__(
        self,
        journal: BatchLog | None,
        queue_bytes: int,
        clock: Callable[[], float],
        last_seq: int = 0,
    ) -> None:
        self._journal = journal
        self._queue_bytes = queue_bytes
        self._clock = clock
        self._last_seq = last_seq
        # Without a journal this process is one.
        self._identity = JournalIdentity()
        self._journal_id = self._identity.journal_id if journal is None else journal.journal_id
        self._writers: dict[str, BatchWriter] = {}
        self._warn_at = 0.0
        self._unprotected = 0
        self.not_journalled = 0
        """The last event that the journal does not have; 0: it has all."""
        self.lost = 0
        """Events that some host process will not get: its queue was full, too."""
        self._lost_taken = 0

    @property
    def protected(self) -> bool:
        """Whether what is received is being journalled."""
        return self._journal is not None and self._unprotected == 0

    @property
    def writers(self) -> list[BatchWriter]:
        """The queues whose reader has to take something before they have room again."""
        return [w for w in self._writers.values() if w.pending]

    def attach(self, host: str, queue: Connection) -> None:
        """Give events to this host process, too, in place of an earlier one of that name."""
        if before := self._writers.pop(host, None):
            before.close()
        writer = BatchWriter(queue, self._queue_bytes)
        writer.tell_journal(self._journal_id)
        # It may have read the journal before this queue was in place.
        writer.nudge(self._last_seq)
        self._writers[host] = writer

    def emit(self, records: Sequence[Record]) -> None:
        if not records:
            return
        first, last = records[0], records[-1]
        numbers = first_seq(first), last_seq(last)
        self._last_seq = numbers[1]
        batch = encode_events(records)
        problem = self._keep(batch, *numbers, first.received_at, last.received_at)
        journal_id = (self._journal or self._identity).journal_id
        if journal_id != self._journal_id:
            self._journal_id = journal_id
            for writer in self._writers.values():
                writer.tell_journal(journal_id)
        lost_for = []
        for host, writer in list(self._writers.items()):
            if writer.closed:
                del self._writers[host]
            elif not writer.offer(batch, numbers[1]) and (problem or self._journal is None):
                self.lost += numbers[1] - numbers[0] + 1
                lost_for.append(host)
        if problem and self._clock() >= self._warn_at:
            self._warn_at = self._clock() + WARN_EVERY
            self._warn(problem, lost_for)

    def take_lost(self) -> int:
        """How many events were lost for want of a journal, each counted once.

        0 as long as a queue takes nothing more: the first event after this call, and no other,
        comes after the hole.
        """
        if self._journal is not None or self.lost == self._lost_taken or self.writers:
            return 0
        lost, self._lost_taken = self.lost - self._lost_taken, self.lost
        return lost

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    def _keep(
        self, batch: bytes, first_seq: int, last_seq: int, first_at: int, last_at: int
    ) -> JournalError | None:
        """Journal a batch; why that was not possible."""
        if self._journal is None:
            self._identity.note(first_at, last_at)
            return None
        try:
            # Also while it fails: that costs nothing, and it counts the events that it misses.
            self._journal.append(batch, first_seq, last_seq, first_at, last_at)
        except JournalError as error:
            self._unprotected += last_seq - first_seq + 1
            self.not_journalled = last_seq
            return error
        if self._unprotected:
            log.warning(
                "the journal can be written again; it does not have the %s before event %d",
                format_count(self._unprotected, "event"),
                first_seq,
            )
            self._unprotected = 0
            self._warn_at = 0.0
        return None

    def _warn(self, problem: JournalError, lost_for: Sequence[str]) -> None:
        log.critical(
            "%s. Events still reach the plugins, but are NOT PROTECTED: %d so far would be lost "
            "with a crash",
            problem,
            self._unprotected,
        )
        if lost_for:
            log.critical(
                "host process %s is too slow, and what its queue does not take is not in the "
                "journal: %s lost for its plugins so far",
                ", ".join(lost_for),
                format_count(self.lost, "event"),
            )
