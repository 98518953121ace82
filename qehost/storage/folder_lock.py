"""A lock on a folder, which ends with the process that holds it."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path
from weakref import WeakSet

from qehost.errors import JournalError
from qehost.storage.private_files import open_file, trouble

__all__ = ["FolderLock"]

NAME = "lock"


class FolderLock:
    """One process at a time works in `folder`, however the one before it ended.

    The folder itself is locked, and a file `lock` in it, which holds the owner's process id for the
    eye and for error texts.  Where a file system can't lock folders (NFS) the file alone does it.
    It is never removed: between a removal and the next creation two processes could each hold a
    lock on a file of this name.  If it is removed by hand, the folder is still locked.

    A fork of the process does not hold it, neither while that lives nor after it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / NAME
        self._fds: list[int] = []
        """Of the folder, then of the file; none while it is not held."""

    def acquire(self, wait: float = 0.0) -> bool:
        """Try for `wait` seconds.  False: another process holds it.  Raises JournalError."""
        deadline = time.monotonic() + wait
        while not self._try():
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        held.add(self)
        fd = self._fds[1]
        try:
            # In this order a full disk takes it where the file had an id before.
            os.ftruncate(fd, os.pwrite(fd, f"{os.getpid()}\n".encode(), 0))
        except OSError:
            # On a full disk the lock still holds, without its holder's id.
            with suppress(OSError):
                os.ftruncate(fd, 0)
        return True

    def _try(self) -> bool:
        path = self.folder
        try:
            self._fds.append(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
            path = self._file
            self._fds.append(open_file(path))
        except OSError as error:
            self.leave()
            raise trouble(path, error) from error
        locked = [_lock(fd, fcntl.LOCK_EX) for fd in self._fds]
        if False not in locked and any(locked):
            return True
        self.release()
        if False not in locked:
            raise JournalError(str(self.folder), "can't be locked on this file system")
        return False

    def is_ours(self) -> bool:
        """Whether this object holds it, and the folder is still the one of that name."""
        try:
            return bool(self._fds) and os.path.samestat(
                os.fstat(self._fds[0]), os.stat(self.folder)
            )
        except OSError:
            return False

    def is_held(self) -> bool:
        """Whether another process holds it now.  Raises JournalError."""
        for path in (self.folder, self._file):
            try:
                fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise trouble(path, error) from error
            try:
                # Shared, and only for a moment: whoever starts just now waits longer than that.
                if _lock(fd, fcntl.LOCK_SH) is False:
                    return True
            finally:
                os.close(fd)
        return False

    def holder(self) -> int:
        """The process id in the file, 0 if there is none: the disk may have been full."""
        try:
            return int(self._file.read_text("ascii"))
        except (OSError, ValueError):
            return 0

    def is_held_by(self, pid: int) -> bool:
        """Whether the process with this id here may be who holds it.

        In another container the holder's id is that of another process than here.  Where the system
        does not say what a process has open, it may be.  Raises PermissionError.
        """
        known = []
        for path in (self.folder, self._file):
            with suppress(OSError):
                known.append(os.stat(path))
        opened = Path(f"/proc/{pid}/fd")
        if not Path("/proc/self/fd").is_dir():
            return True
        with suppress(FileNotFoundError):
            for each in opened.iterdir():
                with suppress(FileNotFoundError):
                    found = each.stat()
                    if any(os.path.samestat(found, one) for one in known):
                        return True
        return False

    def release(self) -> None:
        for fd in self._fds:
            # Closing would do, if no fork held the file open, too.
            with suppress(OSError):
                fcntl.flock(fd, fcntl.LOCK_UN)
        self.leave()

    def leave(self) -> None:
        """In a fork: close the files, and leave the lock to the process that holds it."""
        while self._fds:
            os.close(self._fds.pop())


held: WeakSet[FolderLock] = WeakSet()


def _lock(fd: int, how: int) -> bool | None:
    """False: another process has locked it.  None: its file system has no such locks."""
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _leave_all() -> None:
    for lock in list(held):
        lock.leave()


os.register_at_fork(after_in_child=_leave_all)
