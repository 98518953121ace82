"""Burying what nobody else does, as the first process of a container has to.

What a plugin's own child process leaves behind when it ends becomes a child of process 1.  Where
that is qehost, such a process would stay as a zombie until the container ends.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import suppress

__all__ = ["bury_orphans"]


def bury_orphans(own: Collection[int]) -> None:
    """Give back the process ids of children that have ended, but for those in `own`: whoever
    started them asks for their exit code.  To be called now and then."""
    if os.getpid() != 1:
        return
    with suppress(ChildProcessError):
        # Only looked at, not yet given back.  One of our own hides the others until its owner has
        # asked for it, which is within a second.
        while (found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
            if found.si_pid in own:
                return
            os.waitpid(found.si_pid, os.WNOHANG)
