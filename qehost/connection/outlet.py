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
from qehost.messages import AnyEvent
from qehost.queue import BatchWriter, encode_events

__all__ = ["Outlet"]

log = logging.getLogger("qehost.connection")

# How often the journal is tried again while it fails, and how often that is said; seconds.
RETRY_EVERY = 5.0


class Log(Protocol):
    """What the outlet needs of a journal."""

    def append(
        self, blob: bytes, first_seq: int, last_seq: int, first_at: int, last_at: int
    ) -> None: ...


class Outlet:
    """`protected` tells whether what is received is being journalled."""

    def __init__(self, journal: Log, queue_bytes: int, clock: Callable[[], float]) -> None:
        self._journal = journal
        self._queue_bytes = queue_bytes
        self._clock = clock
        self._writers: dict[str, BatchWriter] = {}
        self._retry_at = 0.0
        self._unprotected = 0
        self.lost = 0

    @property
    def protected(self) -> bool:
        return self._unprotected == 0

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
        writer.nudge()
        self._writers[host] = writer

    def emit(self, events: Sequence[AnyEvent]) -> None:
        if not events:
            return
        batch = encode_events(events)
        self._keep(batch, events)
        for host, writer in list(self._writers.items()):
            if writer.closed:
                del self._writers[host]
            elif not writer.offer(batch) and self._unprotected:
                self.lost += len(events)
                log.critical(
                    "host process %s is too slow, and the journal can't be written: "
                    "%d events lost for its plugins so far",
                    host,
                    self.lost,
                )

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    def _keep(self, batch: bytes, events: Sequence[AnyEvent]) -> None:
        if self._unprotected and self._clock() < self._retry_at:
            self._unprotected += len(events)
            return
        first, last = events[0], events[-1]
        try:
            self._journal.append(batch, first.seq, last.seq, first.received_at, last.received_at)
        except JournalError as error:
            self._unprotected += len(events)
            self._retry_at = self._clock() + RETRY_EVERY
            log.critical(
                "%s. Events still reach the plugins, but are NOT PROTECTED: %d so far would be "
                "lost with a crash. Trying again every %g s",
                error,
                self._unprotected,
                RETRY_EVERY,
            )
        else:
            if self._unprotected:
                log.warning(
                    "the journal can be written again; the %d events before event %d are not in it",
                    self._unprotected,
                    first.seq,
                )
                self._unprotected = 0
