"""When a child process that died is started again.  No I/O; the clock is passed in."""

from __future__ import annotations

__all__ = ["Restarts"]


class Restarts:
    """Delays that double from `first` to `longest` seconds while the child keeps dying.

    A child that lived for `longest` seconds has proved itself, and so has one that got something
    done; its next death counts as the first.
    """

    def __init__(self, first: float = 0.1, longest: float = 60.0) -> None:
        self.first = first
        self.longest = longest
        self.in_a_row = 0
        self.total = 0
        self.started_at = 0.0
        """Of the process that runs, or ran last."""

    def started(self, now: float) -> None:
        self.started_at = now

    def died(self, now: float, *, progressed: bool = False) -> float:
        """Note a death; the seconds to wait before the next start."""
        if progressed or now - self.started_at >= self.longest:
            self.in_a_row = 0
        self.in_a_row += 1
        self.total += 1
        return min(self.longest, self.first * 2.0 ** min(self.in_a_row - 1, 30))
