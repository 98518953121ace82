"""The number of the last event that a journal was given, in a small file beside its others.

It counts events that could not be written, too, since its place on the disk was taken before; and
where the end of the journal is lost it says how much that was.  So it is written with every batch.

    the number (i64, little-endian), and for a check its complement (earlier versions: without it)
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

from qehost.storage.private_files import open_file, trouble

__all__ = ["HighWater", "noted_at", "raise_high_water", "read_high_water"]

NAME = "last-seq"
RECORD = struct.Struct("<qq")


class HighWater:
    """The file, for the writer.  Raises OSError where it can't be opened or made."""

    def __init__(self, folder: Path) -> None:
        self._fd = open_file(folder / NAME)
        self._noted = 0

    def note(self, seq: int) -> None:
        """Where that fails now, the next time will do: it only matters when the process ends."""
        try:
            os.pwrite(self._fd, RECORD.pack(seq, ~seq), 0)
        except OSError:
            return
        self._noted = seq

    def is_in(self, folder: Path) -> bool:
        """Whether it is still the one that is read there."""
        return read_high_water(folder) >= self._noted

    def close(self) -> None:
        os.close(self._fd)


def read_high_water(folder: Path) -> int:
    """0 where it is not known."""
    # It may be read while it is written.
    for _ in range(3):
        try:
            content = (folder / NAME).read_bytes()
        except OSError:
            return 0
        seq = int.from_bytes(content[:8], "little", signed=True)
        if len(content) == 8 or content == RECORD.pack(seq, ~seq):
            return seq
    return 0


def noted_at(folder: Path) -> int:
    """When it was written last, epoch ns; 0 where it is not there."""
    try:
        return (folder / NAME).stat().st_mtime_ns
    except OSError:
        return 0


def raise_high_water(folder: Path, seq: int) -> None:
    """While nobody writes the journal: what comes next is numbered from `seq` + 1, or higher.

    Raises JournalError.
    """
    try:
        fd = open_file(folder / NAME)
        try:
            seq = max(seq, read_high_water(folder))
            os.pwrite(fd, RECORD.pack(seq, ~seq), 0)
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError as error:
        raise trouble(folder / NAME, error) from error
