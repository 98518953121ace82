"""What a connection process must know of the past and the end of the journal does not tell.

Two things may lie further back than the events that are read again at a start: since when REST is
still to be asked for what the stream did not bring, and how far orders were filled that may go on.
They stand in one small file beside the journal's, which is written anew every so often, as a whole.
It holds for a certain event; what came after that event, the journal tells.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import msgspec

from qehost.known_orders import Key, Known

__all__ = ["Memory", "MemoryFile", "read_memory"]

log = logging.getLogger("qehost.connection")

NAME = "memory"
FORMAT = 1
EVERY = 10_000
"""Events after which it is written again: the journal is read further back than that."""
CHECKSUM = 4  # bytes


class Memory(msgspec.Struct, frozen=True):
    """What there was to know when event `seq` had been told."""

    seq: int = 0
    unread_since: int = 0
    """Epoch ns; 0: nothing is still to be read over REST."""
    open_orders: list[tuple[tuple[str, str], Known]] = []
    format: int = FORMAT


def read_memory(folder: Path) -> Memory:
    """An empty one where there is none or it can't be read."""
    try:
        content = (folder / NAME).read_bytes()
    except OSError:
        return Memory()
    data = content[CHECKSUM:]
    if int.from_bytes(content[:CHECKSUM], "little") == crc32(data):
        try:
            memory = msgspec.msgpack.decode(data, type=Memory)
        except msgspec.DecodeError:
            memory = Memory(format=0)
        if memory.format == FORMAT:
            return memory
    log.warning(
        "%s can't be read: a fill of an order that was filled in part long ago may be told with "
        "what was filled before",
        folder / NAME,
    )
    return Memory()


class MemoryFile:
    """The file of one account, in its journal's folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        before = read_memory(folder)
        self._seq, self._unread_since = before.seq, before.unread_since
        self._failed = False

    def is_due(self, seq: int, unread_since: int) -> bool:
        """Whether to write what holds for event `seq`."""
        return seq - self._seq >= EVERY or unread_since != self._unread_since

    def write(self, seq: int, unread_since: int, open_orders: Sequence[tuple[Key, Known]]) -> None:
        """Write what holds for event `seq`; where that fails, it is said in the log."""
        # Also where it fails: the next try comes when it is due again, not with every event.
        self._seq, self._unread_since = seq, unread_since
        orders = [(key, order) for key, order in open_orders if isinstance(key, tuple)]
        draft = self._path.with_suffix(".new")
        try:
            data = msgspec.msgpack.encode(Memory(seq, unread_since, orders))
            fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with open(fd, "wb") as file:
                file.write(crc32(data).to_bytes(CHECKSUM, "little") + data)
            os.replace(draft, self._path)
        except OSError as error:
            if not self._failed:
                log.warning("%s can't be written: %s", self._path, error.strerror)
            self._failed = True
        else:
            self._failed = False
