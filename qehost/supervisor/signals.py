"""The signals of the program: SIGINT and SIGTERM end it, SIGHUP reloads the plugins.

SIGHUP is also what a terminal sends when it is closed.  It must not end a program that holds
money's events, and a reload does no harm: so it means that, wherever it comes from.
"""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Signals"]

ONE_ORDER = 0.5
"""Seconds within which a signal that comes twice is one order: a service manager signals the group
and the process, a terminal the group and `kill` the process."""


class Signals:
    """What came in and is not obeyed yet.

    They are caught from the start on, before the supervisor runs: a reload waits until it does, and
    what ends the program ends it where it stands, with exit code 0.
    """

    def __init__(self) -> None:
        self.stops: list[int] = []
        """SIGINT and SIGTERM, in order."""
        self.reload = False
        self.supervised = False
        """The supervisor obeys them from now on."""
        self.interruptible = True
        """False: Ctrl-C belongs to the debugger in a host process."""
        self._last: tuple[int, float] = 0, 0.0

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Catch them while the block runs; each makes the socket `wake` readable."""
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setblocking(False)
        numbers = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
        before = {number: signal.signal(number, self._note) for number in numbers}
        wakeup = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        self.wake = ours
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            ours.close()
            theirs.close()

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self.reload = True
            return
        if number == signal.SIGINT and not self.interruptible:
            return
        now = time.monotonic()
        (before, at), self._last = self._last, (number, now)
        if number == before and now - at < ONE_ORDER:
            return
        self.stops.append(number)
        if not self.supervised:
            raise SystemExit(0)
