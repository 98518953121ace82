"""The queue from a connection process to a host process: one writer, one reader, bounded.

It carries batches of records as msgpack bytes, each after its length in four bytes, over a
`multiprocessing.Pipe` that is made afresh for each host process.  Not `multiprocessing.Queue`: a
reader that is killed inside its `get` keeps its lock for ever, its feeder thread loses what it
holds when the writer dies, and has to wake up for each hop.

The writer never waits.  What the pipe does not take at once is kept, up to a bound; past the bound
batches are left out until the reader has taken everything.  Then an empty frame, the nudge, holds
the number of the event up to which the reader has to read the journal.  What comes after that event
comes through the queue, and need not be in the journal: that may be failing just now.

What all events of a queue have in common, the journal's id, is told once, before the first batch,
and again where it changes.
"""

from __future__ import annotations

import os
import struct
from collections import deque
from multiprocessing.connection import Connection

__all__ = ["BatchReader", "BatchWriter"]

HEADER = struct.Struct("<I")
# The nudge: a length of 0, and the number of an event.
NUDGE = struct.Struct("<Iq")
# A length that no batch has, and the journal's id.
JOURNAL = struct.Struct("<I8s")
JOURNAL_FOLLOWS = 0xFFFFFFFF
# What one read takes at most: the largest pipe that Linux gives to an ordinary user.
READ_SIZE = 1 << 20


class BatchWriter:
    """The connection process's end.

    `limit` bounds the bytes that are kept while the reader is slow.  When the reader has ended, all
    calls do nothing and `closed` is true.
    """

    def __init__(self, connection: Connection, limit: int) -> None:
        self._connection = connection
        self._fd = connection.fileno()
        self._limit = limit
        self._pending: deque[memoryview] = deque()
        self._pending_bytes = 0
        self._left_out = 0  # the last event of what was left out, and for which a nudge is due
        self.closed = False
        os.set_blocking(self._fd, False)
        _enlarge(self._fd)

    def fileno(self) -> int:
        return self._fd

    @property
    def pending(self) -> bool:
        """Whether `flush` should be called when the pipe can take more."""
        return bool(self._pending)

    def tell_journal(self, journal_id: str) -> None:
        """The batches that follow have this id (16 hex digits)."""
        if not self.closed:
            # Also where batches are left out: what follows them comes by the queue again.
            self._put(JOURNAL.pack(JOURNAL_FOLLOWS, bytes.fromhex(journal_id)))
            self.flush()

    def offer(self, batch: bytes, last_seq: int) -> bool:
        """Send a batch, which ends with that event.

        False: it was left out, and the reader will read it in the journal.
        """
        if self.closed:
            return False
        if self._left_out or (self._pending and self._pending_bytes + len(batch) > self._limit):
            self._left_out = last_seq
            return False
        # Two pieces, not one of both: copying a batch takes as long as writing it.
        self._put(HEADER.pack(len(batch)), batch)
        self.flush()
        return True

    def nudge(self, last_seq: int) -> None:
        """Have the reader read what has not come in the journal, up to that event."""
        if not self.closed:
            self._put(NUDGE.pack(0, last_seq))
            self.flush()

    def flush(self) -> None:
        """Write as much as the pipe takes without waiting."""
        try:
            while self._pending:
                written = os.writev(self._fd, list(self._pending)[:64])
                self._pending_bytes -= written
                while written:
                    first = self._pending[0]
                    if written < len(first):
                        self._pending[0] = first[written:]
                        break
                    written -= len(first)
                    self._pending.popleft()
            if self._left_out:
                last_seq, self._left_out = self._left_out, 0
                self.nudge(last_seq)
        except BlockingIOError:
            return
        except OSError:
            # The reader died.  Its successor gets a pipe of its own and reads the journal.
            self.close()

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._pending.clear()
            self._pending_bytes = 0
            self._connection.close()

    def _put(self, *pieces: bytes) -> None:
        for piece in pieces:
            self._pending.append(memoryview(piece))
            self._pending_bytes += len(piece)


class BatchReader:
    """The host process's end."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        """For `multiprocessing.connection.wait`."""
        self._fd = connection.fileno()
        # Kept from read to read: asking for a megabyte anew each time costs 8 µs.
        self._buffer = bytearray(READ_SIZE)
        self._filled = 0
        self._journal_id = ""

    def fileno(self) -> int:
        return self._fd

    def read(self) -> list[tuple[str, bytes] | int]:
        """The batches that have arrived whole, each after its journal's id; waits until something
        arrives.

        A number is the nudge: what has not come up to that event stands in the journal.
        Raises `EOFError` when the writer has ended and everything has been read.
        """
        view = memoryview(self._buffer)
        count = os.readv(self._fd, [view[self._filled :]])
        if not count:
            raise EOFError
        filled = self._filled + count
        batches: list[tuple[str, bytes] | int] = []
        start = needed = 0
        while filled - start >= HEADER.size:
            (length,) = HEADER.unpack_from(view, start)
            if length == JOURNAL_FOLLOWS:
                end = start + JOURNAL.size
            else:
                end = start + (HEADER.size + length if length else NUDGE.size)
            if end > filled:
                needed = end - start
                break
            if length == JOURNAL_FOLLOWS:
                self._journal_id = JOURNAL.unpack_from(view, start)[1].hex()
            elif length:
                batches.append((self._journal_id, bytes(view[start + HEADER.size : end])))
            else:
                batches.append(NUDGE.unpack_from(view, start)[1])
            start = end
        self._filled = filled - start
        rest = view[start:filled]
        if needed > len(view):
            # A batch larger than the buffer gets one of its size, and only for itself.
            self._buffer = bytearray(needed)
        elif needed <= READ_SIZE < len(view):
            self._buffer = bytearray(READ_SIZE)
        if start or self._buffer is not view.obj:
            memoryview(self._buffer)[: self._filled] = rest
        return batches

    def close(self) -> None:
        self.connection.close()


def _enlarge(fd: int) -> None:
    """A larger pipe means fewer, larger writes.  Linux only; elsewhere the pipe stays as it is."""
    import fcntl

    if hasattr(fcntl, "F_SETPIPE_SZ"):
        try:
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, READ_SIZE)
        except OSError:
            # The user's pipes are at the system's limit: slower, not wrong.
            return
