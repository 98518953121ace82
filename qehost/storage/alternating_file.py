"""A small file that can be replaced as a whole on a full disk, too, as often as need be.

It is two files, `NAME` and `NAME.2`, each larger than what stands in it.  They are written in turn
and in place: the newest content stays whole while the older one is written over, and no room is
needed that was not taken before.

    file    number of the content (u64, little-endian), its length (u32), checksum of both and of
            the content (u32), the content, then anything
"""

from __future__ import annotations

import errno
import os
import struct
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from qehost.storage.private_files import open_file, write_all

__all__ = ["AlternatingFile", "Found", "identity", "read_alternating"]

HEAD = struct.Struct("<QII")
NUMBERED = struct.Struct("<QI")
LEAST = 128 << 10
"""Bytes that each of the two takes on the disk at least."""
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Found(NamedTuple):
    """The newest content that can be read, and which of the files can't."""

    content: bytes | None = None
    number: int = 0
    damaged: tuple[Path, ...] = ()


class AlternatingFile:
    """For the one process that writes it.

    `number` is that of what was read last.  A folder that can't be written is no error here.
    """

    def __init__(self, path: Path, number: int = 0) -> None:
        self._paths = path, _second(path)
        self._number = number
        with suppress(OSError):
            self.make()

    def make(self) -> None:
        """Make what is missing of the two files, also where a link was put in its place.

        Raises OSError.
        """
        for each in self._paths:
            if each.is_symlink():
                each.unlink()
            fd = open_file(each)
            try:
                _take_room(fd, LEAST)
            finally:
                os.close(fd)

    def write(self, content: bytes) -> None:
        """Raises OSError; then the content before it can still be read."""
        number = self._number + 1
        fd = open_file(self._paths[number % 2])
        try:
            if os.fstat(fd).st_size < HEAD.size + len(content) * 3 // 2:
                # It grows before it must.
                _take_room(fd, max(LEAST, HEAD.size + 2 * len(content)))
            # What is interrupted is no damage, but empty.
            _write(fd, 0, bytes(HEAD.size))
            _write(fd, HEAD.size, content)
            _write(fd, 0, HEAD.pack(number, len(content), _checksum(number, content)))
        finally:
            os.close(fd)
        self._number = number


def read_alternating(path: Path) -> Found:
    """What was written last.  A file that can't be read at all counts as damaged."""
    content, newest = None, 0
    damaged: list[Path] = []
    for each in (path, _second(path)):
        try:
            data = each.read_bytes()
        except FileNotFoundError:
            continue
        except OSError:
            damaged.append(each)
            continue
        if not any(data[: HEAD.size]):
            continue
        number, length, checksum = HEAD.unpack(data[: HEAD.size].ljust(HEAD.size, b"\0"))
        found = data[HEAD.size : HEAD.size + length]
        if len(found) != length or _checksum(number, found) != checksum:
            damaged.append(each)
        elif number > newest:
            content, newest = found, number
    return Found(content, newest, tuple(damaged))


def identity(path: Path) -> tuple[int, ...]:
    """The numbers that the file system gave the two files and their folder.

    A copy has others.  So has what was restored from one, unless it was written into these files or
    got their numbers again by chance.  Raises OSError.
    """
    return tuple(os.stat(each).st_ino for each in (path.parent, path, _second(path)))


def _second(path: Path) -> Path:
    return path.with_name(f"{path.name}.2")


def _checksum(number: int, content: bytes) -> int:
    return crc32(content, crc32(NUMBERED.pack(number, len(content))))


def _write(fd: int, at: int, data: bytes) -> None:
    os.lseek(fd, at, os.SEEK_SET)
    write_all(fd, data)


def _take_room(fd: int, size: int) -> None:
    """Where there is none, what is there may do.  Raises OSError for anything else."""
    held = os.fstat(fd).st_size
    if held >= size:
        return
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(fd, 0, size)
        else:
            _write(fd, held, bytes(size - held))
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
