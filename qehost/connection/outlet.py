"""Where the events of a connection go: into the journal, then into the queue of each host process.

Nothing here waits.  What a queue does not take is in the journal; while the journal can't be
written, events still go to the queues, and that is said loudly.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Protocol

from qehost.errors import JournalError
from qehost.queue import BatchWriter
from qehost.records import Record, encode_events, first_seq, last_seq

__all__ = ["Outlet"]

log = logging.getLogger("qehost.connection")

# How often it is said that the journal fails, and that events are lost; seconds.
SAY_EVERY = 5.0


class Log(Protocol):
    """What the outlet needs of a journal."""

    def append(
        self, blob: bytes, first_seq: int, last_seq: int, first_at: int, last_at: int
    ) -> None: ...


class Outlet:
    """`protected` tells whether what is received is being journalled.

    Without a journal (None) what a queue does not take is lost; `take_lost` tells how much.
    `last_seq` is the last event of earlier processes.
    """

    def __init__(
        self,
        journal: Log | None,
        queue_bytes: int,
        clock: Callable[[], float],
        last_seq: int = 0,
    ) -> None:
        self._journal = journal
        self._queue_bytes = queue_bytes
        self._clock = clock
        self._last_seq = last_seq
        self._writers: dict[str, BatchWriter] = {}
        self._say_at = 0.0
        self._unprotected = 0
        self.lost = 0
        """Events that some host process will not get, since its queue was full, too."""
        self._lost_told = 0

    @property
    def protected(self) -> bool:
        return self._journal is not None and self._unprotected == 0

    @property
    def writers(self) -> list[BatchWriter]:
        """The queues that are waiting for their reader to take more."""
        return [w for w in self._writers.values() if w.pending]

    def attach(self, host: str, queue: Connection) -> None:
        """Hand events to this host process, too; it takes the place of an earlier one."""
        if before := self._writers.pop(host, None):
            before.close()
        writer = BatchWriter(queue, self._queue_bytes)
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
        lost_for = []
        for host, writer in list(self._writers.items()):
            if writer.closed:
                del self._writers[host]
            elif not writer.offer(batch, numbers[1]) and (problem or self._journal is None):
                self.lost += numbers[1] - numbers[0] + 1
                lost_for.append(host)
        if problem and self._clock() >= self._say_at:
            self._say_at = self._clock() + SAY_EVERY
            self._say(problem, lost_for)

    def take_lost(self) -> int:
        """How many events were lost for want of a journal, each counted once.

        0 as long as a queue takes nothing more: the first event after this call, and no other,
        comes after the hole.
        """
        if self._journal is not None or self.lost == self._lost_told or self.writers:
            return 0
        lost, self._lost_told = self.lost - self._lost_told, self.lost
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
            return None
        try:
            # Also while it fails: it says so at once, and it counts the events that it misses.
            self._journal.append(batch, first_seq, last_seq, first_at, last_at)
        except JournalError as error:
            self._unprotected += last_seq - first_seq + 1
            return error
        if self._unprotected:
            log.warning(
                "the journal can be written again; the %d events before event %d are not in it",
                self._unprotected,
                first_seq,
            )
            self._unprotected = 0
            self._say_at = 0.0
        return None

    def _say(self, problem: JournalError, lost_for: Sequence[str]) -> None:
        log.critical(
            "%s. Events still reach the plugins, but are NOT PROTECTED: %d so far would be lost "
            "with a crash",
            problem,
            self._unprotected,
        )
        if lost_for:
            log.critical(
                "host process %s is too slow, and what its queue does not take is not in the "
                "journal: %d events lost for its plugins so far",
                ", ".join(lost_for),
                self.lost,
            )
