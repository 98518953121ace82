"""The number of the last event that a journal was given, in eight bytes beside its files.

They are a memory map, so they outlive the process that writes them.  They count events that could
not be written, too, since their place on the disk was taken before.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

from qehost.state import trouble

__all__ = ["high_water_map", "raise_high_water", "read_high_water"]

NAME = "last-seq"
SIZE = 8


def high_water_map(folder: Path) -> mmap.mmap:
    """For the writer.  Raises OSError."""
    fd = os.open(folder / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(fd).st_size != SIZE:
            os.ftruncate(fd, 0)
            os.pwrite(fd, bytes(SIZE), 0)
        return mmap.mmap(fd, SIZE)
    finally:
        os.close(fd)


def read_high_water(folder: Path) -> int:
    """0 where it is not known."""
    try:
        return int.from_bytes((folder / NAME).read_bytes()[:SIZE], "little")
    except OSError:
        return 0


def raise_high_water(folder: Path, seq: int) -> None:
    """While nobody writes the journal: what comes next is numbered from `seq` + 1, or higher.

    Raises JournalError.
    """
    try:
        with high_water_map(folder) as bytes_:
            known = int.from_bytes(bytes_[:SIZE], "little")
            bytes_[:SIZE] = max(known, seq).to_bytes(SIZE, "little")
            bytes_.flush()
    except OSError as error:
        raise trouble(folder / NAME, error) from error
