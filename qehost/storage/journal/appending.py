"""One file of a journal, being written."""

from __future__ import annotations

import fcntl
import os
import sys
from contextlib import suppress
from pathlib import Path

from qehost.errors import JournalError
from qehost.storage.journal.layout import HEADER_SIZE, head_of, header_of, next_path
from qehost.storage.private_files import create_file, write_all

__all__ = ["OpenFile", "create"]


class OpenFile:
    """One thread appends.  Another one syncs meanwhile, and closes it when nothing is appended any
    more."""

    def __init__(self, path: Path, fd: int, mark: bytes, synced: bool) -> None:
        self.path = path
        self.size = HEADER_SIZE
        """What it should have on the disk, in bytes."""
        self.given_up: JournalError | None = None
        """Why nothing must be appended any more, though that would raise nothing."""
        self._fd = fd
        self._mark = mark
        self._synced = synced
        self._synced_size = 0

    def append(
        self, events: bytes, first_seq: int, last_seq: int, first_at: int, last_at: int
    ) -> None:
        """Raises OSError; then nothing was appended."""
        head = head_of(self._mark, events, first_seq, last_seq, first_at, last_at)
        size = len(head) + len(events)
        try:
            written = os.writev(self._fd, (head, events))
            if written != size:
                # A part of it, for a reason that the next try raises.
                write_all(self._fd, (head + events)[written:])
            if self._synced:
                _sync(self._fd)
        except OSError:
            # A reader can cope with half a record, but need not have to.
            with suppress(OSError):
                os.ftruncate(self._fd, self.size)
            os.lseek(self._fd, self.size, os.SEEK_SET)
            raise
        self.size += size

    def is_whole(self) -> bool:
        """Whether it is where it was made and has not shrunk.

        Writing into a file that was deleted or cut off raises nothing; the loss would show when the
        events are needed.
        """
        size = self.size
        found = self._found()
        return found is not None and found.st_size >= size

    def _found(self) -> os.stat_result | None:
        """What stands under its name; None: it was deleted, and perhaps another took its place."""
        own = os.fstat(self._fd)
        try:
            found = os.stat(self.path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError:
            return own  # That can't be looked into says nothing.
        return found if os.path.samestat(found, own) else None

    def sync(self) -> None:
        """Bring what was appended to the disk, if that is not done.  Raises OSError."""
        size = self.size
        if size != self._synced_size and not self._synced:
            _sync(self._fd)
            self._synced_size = size

    def close(self) -> None:
        """An empty file is removed.  Raises OSError."""
        try:
            if self.size == HEADER_SIZE and self._found() is not None:
                os.unlink(self.path)
        finally:
            os.close(self._fd)


def create(folder: Path, mark: bytes, *, synced: bool) -> OpenFile:
    """Begin the next file of a journal; `synced`: each append is on the disk before it returns.

    Raises OSError or JournalError.
    """
    path = next_path(folder)
    # Under another name first: a reader must never meet a file without its header.
    draft = folder / "next"
    fd = create_file(draft)
    try:
        write_all(fd, header_of(mark))
        os.fsync(fd)
        os.rename(draft, path)
        try:
            _sync_folder(folder)
        except OSError:
            os.unlink(path)
            raise
    except BaseException:
        os.close(fd)
        raise
    return OpenFile(path, fd, mark, synced)


def _sync(fd: int) -> None:
    if sys.platform == "darwin":
        # There fsync() ends at the disk's cache.
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(fd)


def _sync_folder(folder: Path) -> None:
    """Otherwise a power cut could take the file's name, and with it what was synced."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
