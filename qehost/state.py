"""The state folder: where everything stands that outlives a process.

::

    lock                        held by the supervisor; holds its process id
    status.json                 replaced whole once a second
    accounts/ACCOUNT/journal/   written by that account's connection process alone
    hosts/PROCESS/marks         written by that host process alone, read by the supervisor
    dead-letters.db             written by hosts and supervisor, read by the command line
    plugins/PLUGIN/             a plugin's own

Folders are made with mode 0700 and files with 0600: what stands in them is somebody's trading.
A state folder that exists already keeps its mode, since it may be any folder the user named.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, unquote
from weakref import WeakSet

from qehost.errors import JournalError, StateFolderBusy

__all__ = ["FileLock", "StateFolder", "private_file", "private_folder", "trouble"]

TROUBLES = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "this user's share of the disk is full (quota)",
    errno.EFBIG: "the file is full: this user's files may not be larger (ulimit -f)",
    errno.EROFS: "the file system is read-only",
    errno.EIO: "the disk is failing (input/output error)",
}


class StateFolder:
    """The paths in one state folder.  Nothing is made before `create` or one of its users asks."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).expanduser().absolute()

    @property
    def status_file(self) -> Path:
        return self.path / "status.json"

    @property
    def dead_letters_file(self) -> Path:
        return self.path / "dead-letters.db"

    def has_dead_letters(self) -> bool:
        """Raises JournalError where this user may not look."""
        try:
            self.dead_letters_file.stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise trouble(self.dead_letters_file, error) from error
        return True

    def journal(self, account: str) -> Path:
        """The folder of an account's journal."""
        return self.path / "accounts" / _part(account) / "journal"

    def marks(self, process: str) -> Path:
        """A host process's cursors and current call."""
        return self.path / "hosts" / _part(process) / "marks"

    def plugin(self, name: str) -> Path:
        """The folder that belongs to a plugin."""
        return self.path / "plugins" / _part(name)

    def accounts(self) -> list[str]:
        """The accounts that have something here, also those that are no longer in the settings."""
        return _names_in(self.path / "accounts")

    def processes(self) -> list[str]:
        """The host processes that have something here."""
        return _names_in(self.path / "hosts")

    def create(self) -> None:
        """Make the folder if it does not exist.  Raises JournalError."""
        private_folder(self.path)

    def holder(self) -> int | None:
        """The process id of the qehost that works in this folder now; None: none does.

        0: one does, and its id is not known, since the disk was full when it started.
        """
        lock = FileLock(self.path / "lock")
        return lock.holder() if lock.is_held() else None

    def lock(self) -> FileLock:
        """Take the folder for this process, until `release` or the process's end.

        Raises StateFolderBusy with the holder's process id, or JournalError where the lock can't
        be written.
        """
        self.create()
        lock = FileLock(self.path / "lock")
        # A moment of patience: somebody may be looking whether it is held.
        if not lock.acquire(wait=0.2):
            raise StateFolderBusy(str(self.path), lock.holder())
        return lock


class FileLock:
    """A lock that ends with the process that holds it, however that ends.

    The file holds the owner's process id for the eye and for error texts; the lock itself is
    `flock`'s, so a file that is left over locks nobody out.  It is never removed: between a removal
    and the next creation two processes could each hold a lock on a file of this name.

    A fork of the process does not hold it, neither while that lives nor after it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = -1

    def acquire(self, wait: float = 0.0) -> bool:
        """Try for `wait` seconds.  False: another process holds it.  Raises JournalError."""
        deadline = time.monotonic() + wait
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise JournalError(str(self.path), f"can't be opened: {error.strerror}") from error
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    os.close(fd)
                    return False
                time.sleep(0.02)
        self._fd = fd
        _held.add(self)
        try:
            # In this order a full disk takes it where the file had an id before.
            os.ftruncate(fd, os.pwrite(fd, f"{os.getpid()}\n".encode(), 0))
        except OSError:
            # On a full disk the lock still holds; only its holder's id can't be told.
            with suppress(OSError):
                os.ftruncate(fd, 0)
        return True

    def is_ours(self) -> bool:
        """Whether this object holds it, and the file is still the one of that name."""
        try:
            return self._fd >= 0 and os.path.samestat(os.fstat(self._fd), os.stat(self.path))
        except OSError:
            return False

    def is_held(self) -> bool:
        """Whether another process holds it now.  Raises JournalError."""
        try:
            fd = os.open(self.path, os.O_RDONLY)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise JournalError(str(self.path), f"can't be opened: {error.strerror}") from error
        try:
            # Shared, and only for a moment: whoever starts just now waits longer than that.
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        return False

    def holder(self) -> int:
        """The process id in the file, 0 if there is none: the disk may have been full."""
        try:
            return int(self.path.read_text("ascii"))
        except (OSError, ValueError):
            return 0

    def release(self) -> None:
        if self._fd >= 0:
            # Closing would do, if no fork held the file open, too.
            fcntl.flock(self._fd, fcntl.LOCK_UN)
            self.leave()

    def leave(self) -> None:
        """In a fork: let go of the file, and leave the lock to the process that holds it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


_held: WeakSet[FileLock] = WeakSet()


def _leave_all() -> None:
    for lock in list(_held):
        lock.leave()


os.register_at_fork(after_in_child=_leave_all)


def private_folder(path: Path) -> None:
    """Make a folder and those above it that are missing, each with mode 0700.

    Raises JournalError.
    """
    missing = []
    folder = path
    try:
        while not folder.exists():
            missing.append(folder)
            folder = folder.parent
        for folder in reversed(missing):
            folder.mkdir(mode=0o700, exist_ok=True)
        is_folder = path.is_dir()
    except OSError as error:
        raise JournalError(str(path), f"the folder can't be made: {error.strerror}") from error
    if not is_folder:
        raise JournalError(str(path), "must be a folder, but it is a file")


def private_file(path: Path) -> None:
    """Make an empty file with mode 0600 if it does not exist; whoever opens it next keeps that.

    Raises OSError.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def trouble(path: Path, error: OSError) -> JournalError:
    """What the system says of a file or folder, for people."""
    text = TROUBLES.get(error.errno or 0) or error.strerror or str(error)
    return JournalError(str(path), text)


def _part(name: str) -> str:
    """A name as one part of a path: `/` can't lead elsewhere, `.` and `..` can't either."""
    quoted = quote(name, safe=" @+")
    return quoted.replace(".", "%2E", 1) if quoted.startswith(".") else quoted


def _names_in(folder: Path) -> list[str]:
    try:
        return sorted(unquote(entry.name) for entry in folder.iterdir() if entry.is_dir())
    except OSError:
        return []
