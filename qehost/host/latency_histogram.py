"""How long a plugin's calls take: a histogram that costs next to nothing to update."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from operator import mul

from qehost.storage.status import PluginStatistics

__all__ = ["BUCKETS", "SHIFT", "SHORT", "bucket", "summarize"]

SHIFT = 8
"""Calls shorter than `SHORT` nanoseconds are counted in buckets of 256 ns: bucket `took >> SHIFT`.
The dispatcher counts them in its loop."""
SHORT = 65_536
LINEAR = SHORT >> SHIFT
BUCKETS = LINEAR + 128
"""Longer calls have two buckets for each doubling."""


def bucket(took: int) -> int:
    """The bucket of a call that took `took` nanoseconds."""
    if took < SHORT:
        return took >> SHIFT
    return min(LINEAR + (took * took).bit_length(), BUCKETS - 1)


def _middle(bucket: int) -> int:
    if bucket < LINEAR:
        return (bucket << SHIFT) + (1 << SHIFT - 1)
    # On a logarithmic scale, where the two halves of a doubling are equally wide.
    return round(2 ** ((bucket - LINEAR - 0.5) / 2))


MIDDLES = [_middle(bucket) for bucket in range(BUCKETS)]


def summarize(
    plugin: str, histogram: Sequence[int], slowest: int, errors: int, active: bool
) -> PluginStatistics:
    """A plugin's statistics, from the counts in its buckets.

    `slowest` is the slowest of the calls that were not `SHORT`, or 0.
    """
    # The slowest call is kept only if it is a long one.
    times = [min(slowest, middle) for middle in MIDDLES] if slowest else MIDDLES
    sums = list(accumulate(histogram))
    calls = sums[-1]
    return PluginStatistics(
        plugin,
        calls=calls,
        errors=errors,
        busy=sum(map(mul, histogram, times)),
        p50=times[bisect_left(sums, calls * 0.50)] if calls else 0,
        p99=times[bisect_left(sums, calls * 0.99)] if calls else 0,
        slowest=slowest or max((t for t, n in zip(times, histogram, strict=True) if n), default=0),
        active=active,
    )
