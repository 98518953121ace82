"""What has come from the connection process, for the delivery thread."""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from contextlib import suppress
from typing import NamedTuple

from qehost.processes.queue import BatchReader

__all__ = ["Begun", "Died", "Inbox"]

REMEMBERED = 4 << 20
"""Bytes of the newest batches: by them the next connection process knows what came last."""
LONGEST_WAIT = 1.0
"""Seconds."""


class Died(NamedTuple):
    """Between the batches: the process that sent those before this has ended, and why."""

    reason: str


class Begun(NamedTuple):
    """Between the batches: those after this are of a process that was started, and in which
    generation: a new one begins whenever the program gives another listen key."""

    generation: int


class Inbox:
    """Batches from one connection process after the other, in their order.

    One thread takes; another attaches the queues.  Nothing is read ahead: what is not taken stays
    in the queue, which is bounded.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reader: BatchReader | None = None
        self._waiting: list[tuple[str, bytes] | int | Died | Begun] = []
        self._newest: deque[bytes] = deque()
        self._newest_bytes = 0
        self._bell, self._ring = os.pipe()
        os.set_blocking(self._bell, False)
        os.set_blocking(self._ring, False)
        self._poll = select.poll()
        self._poll.register(self._bell, select.POLLIN)
        self._closed = False

    def attach(self, reader: BatchReader, begun: Begun | None = None) -> None:
        """The queue of a process that was just started."""
        with self._lock:
            if self._closed:
                reader.close()
                return
            self._reader = reader
            if begun is not None:
                self._waiting.append(begun)
            self._poll.register(reader.connection.fileno(), select.POLLIN)
        self.ring()

    def detach(self, died: Died | None) -> list[bytes]:
        """The process has ended.  Keeps what is still in its queue; returns the newest batches.

        It can't be left to the thread that takes: that may be in a handler for a long time, and
        the next process must know of all these events before it numbers its own.
        """
        with self._lock:
            if (reader := self._reader) is not None:
                # Not to the end of the file: a fork of the program may hold the other end open.
                with suppress(EOFError, OSError):
                    while reader.connection.poll():
                        self._keep(reader.read())
                self._close_reader(reader)
            if died is not None:
                self._waiting.append(died)
            newest = list(self._newest)
        self.ring()
        return newest

    def take(self) -> list[tuple[str, bytes] | int | Died | Begun]:
        """What has come: batches and nudges of the queues, and what became of their processes.

        Waits for it, a second at most: then, and after `ring`, it may be [].
        """
        before, ready = self._reader, []
        if not self._waiting:
            ready = [fd for fd, _ in self._poll.poll(LONGEST_WAIT * 1000)]
        with self._lock:
            if self._closed:
                return []
            if self._bell in ready:
                os.read(self._bell, 4096)
            reader = self._reader
            # The same as before, or the number could be that of another file by now.
            if reader is not None and reader is before and reader.connection.fileno() in ready:
                try:
                    self._keep(reader.read())
                except (EOFError, OSError):
                    # Its process has ended.  `detach` will say why.
                    self._close_reader(reader)
            taken, self._waiting = self._waiting, []
        return taken

    def ring(self) -> None:
        """Let `take` return."""
        with self._lock, suppress(BlockingIOError):
            if not self._closed:
                os.write(self._ring, b"\0")

    def close(self) -> None:
        """`take` gives nothing more after this."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if self._reader is not None:
                self._close_reader(self._reader)
            os.close(self._ring)
            os.close(self._bell)

    def _keep(self, batches: list[tuple[str, bytes] | int]) -> None:
        self._waiting += batches
        for item in batches:
            if isinstance(item, tuple):
                _, batch = item
                self._newest.append(batch)
                self._newest_bytes += len(batch)
        while self._newest_bytes > REMEMBERED and len(self._newest) > 1:
            self._newest_bytes -= len(self._newest.popleft())

    def _close_reader(self, reader: BatchReader) -> None:
        self._poll.unregister(reader.connection.fileno())
        reader.close()
        self._reader = None
