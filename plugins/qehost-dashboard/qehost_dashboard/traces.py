"""How a master order came to where it is: its fills over time, thinned, and its pauses.  No I/O."""

from __future__ import annotations

import bisect
from array import array
from operator import add

from qehost.blotter import Fill

__all__ = ["Trace"]

POINTS = 400
"""Of a chart.  When there are twice as many, neighbours become one."""
PAUSES = 64


class Trace:
    """For a picture, so in floats."""

    __slots__ = ("_amounts", "_notionals", "_pauses", "_times", "last_fill")

    def __init__(self) -> None:
        self._times = array("q")
        self._amounts = array("d")
        self._notionals = array("d")
        self._pauses: list[tuple[int, int]] = []
        self.last_fill = 0

    def add(self, fill: Fill) -> None:
        if fill.quantity is None:
            return
        at = fill.venue_at or fill.at
        amount = float(fill.quantity)
        notional = amount * float(fill.price) if fill.price is not None else 0.0
        place = bisect.bisect_right(self._times, at)
        self._times.insert(place, at)
        self._amounts.insert(place, amount)
        self._notionals.insert(place, notional)
        self.last_fill = max(self.last_fill, at)
        if len(self._times) >= 2 * POINTS:
            self._thin()

    def status(self, status: str, at: int) -> None:
        """The order's status from a time on."""
        is_paused = bool(self._pauses) and not self._pauses[-1][1]
        if status == "PAUSED" and not is_paused:
            self._pauses.append((at, 0))
            del self._pauses[:-PAUSES]
        elif status != "PAUSED" and is_paused:
            begun = self._pauses[-1][0]
            self._pauses[-1] = (begun, max(begun, at))

    @property
    def pauses(self) -> tuple[tuple[int, int], ...]:
        """From when to when; 0: it lasts."""
        return tuple(self._pauses)

    def points(self) -> list[tuple[int, float, float]]:
        """Of each fill, or of some together: time, quantity, average price (0: unknown)."""
        return [
            (at, amount, notional / amount if amount else 0.0)
            for at, amount, notional in zip(
                self._times, self._amounts, self._notionals, strict=True
            )
        ]

    def _thin(self) -> None:
        """Two neighbours become one, at the time of the later one."""
        self._times = self._times[1::2]
        self._amounts = _pairs(self._amounts)
        self._notionals = _pairs(self._notionals)


def _pairs(values: array[float]) -> array[float]:
    """The sums of each two neighbours."""
    return array("d", map(add, values[::2], values[1::2]))
