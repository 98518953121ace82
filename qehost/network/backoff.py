"""How long to wait before something that failed is tried again.  No I/O, no clock.

Connections, restarts of child processes, listen keys, catching up and REST calls all wait by one
formula.  The delay after failure number *n* in a row is::

    min(longest, first × 2ⁿ⁻¹) × r        r: drawn evenly from ½ to 1

So clients that failed together do not come back together, and no run of luck makes a pace fast.
Where the venue asked for a wait, the delay is at least that, and up to `first` seconds longer by
chance, because everybody else was told the same number.  Without a random number generator there
is no chance in it: *r* is 1.

A failure may ask for another pace than the usual one; where the pace changes, *n* begins at 1.
"""

from __future__ import annotations

import random
from typing import NamedTuple

__all__ = ["LEAST_WAIT", "Backoff", "Pace", "is_throttled"]

DOUBLINGS = 30
"""Where doubling ends in any case: a float has no room for the 1,024th."""


class Pace(NamedTuple):
    """Seconds: the ceiling of the first delay, and where doubling ends."""

    first: float
    longest: float


LEAST_WAIT = 10.0
"""Seconds for which a venue is left alone that asks for that and does not say for how long."""
THROTTLED = Pace(2 * LEAST_WAIT, 300.0)
"""For such a venue."""
THROTTLING = frozenset({418, 429})


def is_throttled(status: int, asked: float | None) -> bool:
    """Whether an HTTP status asks to be left alone, without `asked`, the seconds."""
    return status in THROTTLING and asked is None


class Backoff:
    """The delays of one thing that is tried again and again.

    `rng` is None where there is no crowd to spread, such as for a child process.
    """

    def __init__(self, pace: Pace, rng: random.Random | None, in_a_row: int = 0) -> None:
        self.pace = pace
        self.in_a_row = in_a_row
        """Failures since the last success, or change of pace."""
        self._last = pace
        self._rng = rng

    def succeeded(self) -> None:
        """The next failure counts as the first."""
        self.in_a_row = 0

    def failed(
        self, pace: Pace | None = None, *, status: int = 0, asked: float | None = None
    ) -> float:
        """Note a failure; the seconds to wait before the next try.

        `status` is the HTTP status of a refusal, `asked` for how many seconds the venue asked, if
        it did.  `pace` holds for this failure, in place of the usual one.
        """
        pace = THROTTLED if is_throttled(status, asked) else pace or self.pace
        if pace != self._last:
            self._last = pace
            self.in_a_row = 0
        first, longest = pace
        ceiling = min(max(first, longest), first * 2.0 ** min(self.in_a_row, DOUBLINGS))
        self.in_a_row += 1
        delay = ceiling * self._draw(0.5, 1.0)
        return delay if asked is None else max(delay, asked + first * self._draw(0.0, 1.0))

    def _draw(self, least: float, most: float) -> float:
        return most if self._rng is None else self._rng.uniform(least, most)
