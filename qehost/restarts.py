"""When a child process that died is started again.  No I/O; the clock is passed in."""

from __future__ import annotations

__all__ = ["Restarts"]


class Restarts:
    """Delays that double from `first` to `longest` seconds while the child keeps dying.

    A child that lived for `longest` seconds has proved itself; its next death counts as the first.
    """

    def __init__(self, first: float = 0.1, longest: float = 60.0) -> None:
        self.first = first
        self.longest = longest
        self.in_a_row = 0
        self.total = 0
        self._started = 0.0

    def started(self, now: float) -> None:
        self._started = now

    def died(self, now: float) -> float:
        """Note a death; the seconds to wait before the next start."""
        if now - self._started >= self.longest:
            self.in_a_row = 0
        self.in_a_row += 1
        self.total += 1
        return min(self.longest, self.first * 2.0 ** min(self.in_a_row - 1, 30))
