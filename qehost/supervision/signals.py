"""The signals of the program: SIGINT and SIGTERM end it, SIGHUP reloads the plugins.

SIGHUP is also what a terminal sends when it is closed.  It must not end a program that holds
money's events, and a reload does no harm: so it means that, wherever it comes from.
"""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Signals"]


class Signals:
    """What came in since it was looked at.

    They are caught from the start on, before anybody looks: a reload is kept until then, and what
    ends the program ends it where it stands, with exit code 0.
    """

    def __init__(self) -> None:
        self.stops: list[int] = []
        """SIGINT and SIGTERM, in order."""
        self.reload = False
        self.heeded = False
        """Somebody looks from now on."""

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
        else:
            self.stops.append(number)
            if not self.heeded:
                raise SystemExit(0)
