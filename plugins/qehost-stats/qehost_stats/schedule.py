"""How far a master order was from an even schedule.  No I/O.

planned(t) = clamp((t − start − paused until t) / duration, 0, 1), as a part of what was ordered.
The deviation is filled(t) / ordered(t) − planned(t): positive ahead, negative behind.  Between two
fills, pauses or changes it is a straight line, so its extremes and its mean are worked out of the
ends of those lines, without sampling.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from qehost_stats.decimals import EXACT, ZERO, quotient
from qehost_stats.traces import Stroke, Terms

__all__ = ["Deviation", "Plan", "deviation", "pauses", "progress"]


class Plan(NamedTuple):
    """`start` and `pauses` are epoch ms, `duration` is ms."""

    start: int
    duration: int
    pauses: tuple[tuple[int, int], ...]

    def paused_until(self, at: int) -> int:
        """Milliseconds of pauses after the start and before this."""
        return sum(
            max(0, min(end, at) - max(begin, self.start))
            for begin, end in self.pauses
            if begin < at
        )

    @property
    def end(self) -> int:
        """When it is to be done: each pause before that puts it off."""
        end = self.start + self.duration
        for begin, until in self.pauses:
            if begin < end:
                end += max(0, until - max(begin, self.start))
        return end

    def share(self, at: int) -> Decimal:
        """The planned part at a time, 0 to 1."""
        passed = at - self.start - self.paused_until(at)
        if passed >= self.duration:
            return Decimal(1)
        return quotient(Decimal(max(0, passed)), Decimal(self.duration)) or ZERO


class Deviation(NamedTuple):
    """As parts of what was ordered."""

    ahead: Decimal
    """The most that it was ahead, 0 or more."""
    behind: Decimal
    """The most that it was behind, 0 or more."""
    mean: Decimal
    """The mean of its size over the time."""


def pauses(statuses: Sequence[tuple[int, str]], until: int) -> tuple[tuple[int, int], ...]:
    """From when to when an order was PAUSED; `until` ends one that lasts."""
    found = []
    for place, (begin, status) in enumerate(statuses):
        end = statuses[place + 1][0] if place + 1 < len(statuses) else until
        if status == "PAUSED" and end > begin:
            found.append((begin, end))
    return tuple(found)


def progress(
    fills: Sequence[Stroke], terms: Sequence[Terms], start: int, until: int
) -> list[tuple[int, Decimal]]:
    """The filled part of what was ordered, from each of these times on."""
    changes = [terms_ for terms_ in terms if terms_.target]
    if not changes:
        return []
    steps: list[tuple[int, Decimal]] = []
    done, place = ZERO, 0
    ordered = sorted(fills, key=lambda fill: fill.at)
    times = sorted({start, *(f.at for f in ordered), *(c.at for c in changes[1:])})
    since = [change.at for change in changes]
    for at in times:
        term = changes[max(0, bisect_right(since, at) - 1)]
        while place < len(ordered) and ordered[place].at <= at:
            part = ordered[place].notional if term.in_quote else ordered[place].quantity
            done = EXACT.add(done, part or ZERO)
            place += 1
        if start <= at <= until:
            share = quotient(done, term.target) or ZERO
            if not steps or steps[-1][1] != share:
                steps.append((at, share))
    return steps


def deviation(plan: Plan, steps: Sequence[tuple[int, Decimal]], until: int) -> Deviation | None:
    """From the start until then; None where no time has passed or there is no schedule."""
    if plan.duration <= 0 or until <= plan.start or not steps:
        return None
    corners = {plan.start, until, *(at for at, _ in steps)}
    corners.update(at for pause in plan.pauses for at in pause)
    corners.add(plan.end)
    times = sorted(at for at in corners if plan.start <= at <= until)
    since = [at for at, _ in steps]
    ahead = behind = area = ZERO
    for begin, end in pairwise(times):
        filled = steps[max(0, bisect_right(since, begin) - 1)][1]
        first = EXACT.subtract(filled, plan.share(begin))
        last = EXACT.subtract(filled, plan.share(end))
        ahead, behind = (
            max(ahead, first, last),
            max(behind, first.copy_negate(), last.copy_negate()),
        )
        area = EXACT.add(area, _area(first, last, end - begin))
    return Deviation(ahead, behind, quotient(area, Decimal(until - plan.start)) or ZERO)


def _area(first: Decimal, last: Decimal, width: int) -> Decimal:
    """Between a straight line and zero."""
    high, low = first.copy_abs(), last.copy_abs()
    both = EXACT.add(high, low)
    if not both:
        return ZERO
    if first.is_signed() == last.is_signed() or not low or not high:
        return EXACT.multiply(both, Decimal(width) / 2)
    squares = EXACT.add(EXACT.multiply(high, high), EXACT.multiply(low, low))
    return EXACT.multiply(quotient(squares, EXACT.multiply(2, both)) or ZERO, width)
