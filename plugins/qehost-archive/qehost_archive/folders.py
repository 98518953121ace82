"""What Python's library does not have for folders: exchanging two, and syncing one."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

__all__ = ["exchange", "sync"]

AT_FDCWD = -100
RENAME_EXCHANGE = 2


def exchange(one: Path, other: Path) -> bool:
    """Give two folders each other's name, in one step: whoever looks, and whatever is killed, sees
    the one or the other.  False: the system or the file system can't (macOS, NFS).
    """
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        return False
    names = os.fsencode(one), os.fsencode(other)
    done: int = rename(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE)
    return done == 0


def sync(path: Path) -> None:
    """A file's content, or what was made, renamed and deleted in a folder, outlasts a power cut.

    Raises OSError.
    """
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
