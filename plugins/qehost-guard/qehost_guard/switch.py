"""The kill switch: a file that forbids calls, and a lock that is held around each.

The file alone would be a race: looked for, then called.  So the guard looks for it and calls with
the lock shared; `disarm` makes the file and then asks for the lock alone.  Who gets it knows that
no call is in flight, and that none can begin.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Switch", "Tenure"]

_POLL = 0.005


class Switch:
    """The two files in a folder.  Raises OSError."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "disarmed"
        self._lock = folder / "switch.lock"

    @property
    def is_disarmed(self) -> bool:
        try:
            self._file.lstat()
        except FileNotFoundError:
            return False
        except OSError:
            pass  # who can't look must not call
        return True

    @contextmanager
    def calling(self, number: int) -> Iterator[bool]:
        """Around the look at the switch and the call of this intent; gives whether calls are
        allowed.  One at a time."""
        lock = _opened(self._lock)
        try:
            # Before the lock is held: who finds it held finds the name of its holder in it.
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{os.getpid()} {number}".encode(), 0)
            fcntl.flock(lock, fcntl.LOCK_SH)
            yield not self.is_disarmed
        finally:
            os.close(lock)

    @property
    def is_known(self) -> bool:
        """Whether a guard has worked in the folder."""
        return self._lock.exists()

    def disarm(self) -> None:
        """No call begins after this."""
        os.close(_opened(self._file))
        _sync(self._file)
        _sync(self._file.parent)

    def wait(self, patience: float) -> bool:
        """Whether no call is in flight, within so many seconds.  It holds nothing afterwards."""
        lock = _opened(self._lock)
        try:
            return _taken(lock, patience)
        finally:
            os.close(lock)

    def in_flight(self) -> tuple[int, int]:
        """The process id and the intent of the call that `wait` has found; zeros where it can't be
        read."""
        lock = _opened(self._lock)
        try:
            pid, _, number = os.pread(lock, 50, 0).partition(b" ")
        finally:
            os.close(lock)
        return (int(pid), int(number)) if pid.isdigit() and number.isdigit() else (0, 0)

    def is_held_by(self, pid: int) -> bool:
        """Whether that process has the lock open: a number from another container may be that of
        another process here.  True where that can't be told."""
        files = Path(f"/proc/{pid}/fd")
        if not Path("/proc/self/fd").exists():
            return pid > 0
        try:
            return any(self._is_lock(each) for each in files.iterdir())
        except OSError:
            return False

    def _is_lock(self, file: Path) -> bool:
        with contextlib.suppress(OSError):  # it was closed meanwhile
            return file.samefile(self._lock)
        return False

    def arm(self) -> bool:
        """Allow calls again; whether they were forbidden."""
        with contextlib.suppress(FileNotFoundError):
            self._file.unlink()
            _sync(self._file.parent)
            return True
        return False


class Tenure:
    """Only one guard at a time makes calls from a folder.  Raises OSError."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "worker.lock"
        self._lock: int | None = None

    def take(self, patience: float) -> bool:
        """Whether it was free within so many seconds."""
        lock = _opened(self._path)
        if not _taken(lock, patience):
            os.close(lock)
            return False
        self._lock = lock
        return True

    def give_back(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _taken(lock: int, patience: float) -> bool:
    until = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(_POLL)


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
