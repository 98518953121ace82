"""When a child process that died is started again.  No I/O; the clock is passed in."""

from __future__ import annotations

from qehost.network.backoff import Backoff, Pace

__all__ = ["Restarts"]


class Restarts:
    """Delays that double from `first` to `longest` seconds while the child keeps dying.

    A child that lived for `longest` seconds has proved itself, and so has one that got something
    done; its next death counts as the first.
    """

    def __init__(self, first: float = 0.1, longest: float = 60.0) -> None:
        # Without chance: no other machine's child dies of the same cause in the same instant.
        self._backoff = Backoff(Pace(first, longest), None)
        self.total = 0
        self.started_at = 0.0
        """Of the process that runs, or ran last."""

    @property
    def in_a_row(self) -> int:
        """Deaths since it proved itself last."""
        return self._backoff.in_a_row

    def started(self, now: float) -> None:
        self.started_at = now

    def died(self, now: float, *, progressed: bool = False) -> float:
        """Note a death; the seconds to wait before the next start."""
        if progressed or now - self.started_at >= self._backoff.pace.longest:
            self._backoff.succeeded()
        self.total += 1
        return self._backoff.failed()
