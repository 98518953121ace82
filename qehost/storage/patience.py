"""Trying again for a while what a disk does not allow now.

A folder that is read-only for some seconds, or a disk that is full, must not end a start: a service
manager may count starts that failed.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import TypeVar

from qehost.errors import JournalError

__all__ = ["patiently"]

Result = TypeVar("Result")

PATIENCE = 10.0
"""Seconds."""
EVERY = 0.2
PASSING = frozenset(
    {
        errno.EPERM,  # immutable
        errno.EACCES,
        errno.EROFS,
        errno.EIO,
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EMFILE,
        errno.ENFILE,
    }
)


def patiently(action: Callable[[], Result], say: Callable[[str], object]) -> Result:
    """What `action` returns.  `say` is called once, if it has to be tried again.

    Raises the JournalError that it raises, at once where waiting would not help.
    """
    until = time.monotonic() + PATIENCE
    said = False
    while True:
        try:
            return action()
        except JournalError as error:
            if not _may_pass(error) or time.monotonic() >= until:
                raise
            if not said:
                said = True
                say(f"{error}: it is tried again for {PATIENCE:g} s")
        time.sleep(EVERY)


def _may_pass(error: JournalError) -> bool:
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in PASSING
