"""How long a plugin's calls take, kept in integers that cost next to nothing to update."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from operator import mul

import msgspec

__all__ = ["BUCKETS", "PluginStatistics", "summed_up"]

BUCKETS = 128
"""Bucket n holds the calls of t nanoseconds with `(t * t).bit_length() == n`: two buckets for each
doubling, so a quantile is right within a fifth; 128 of them reach 500 years."""


class PluginStatistics(msgspec.Struct, frozen=True):
    """What a plugin did since the process started.  Times are nanoseconds."""

    plugin: str
    calls: int
    errors: int
    busy: int
    """All calls together; right within a fifth, as are `p50` and `p99`."""
    p50: int
    p99: int
    slowest: int
    """Exact."""
    active: bool
    """False after a raise in `on_start`: it gets no further calls."""


def summed_up(
    plugin: str, histogram: Sequence[int], slowest: int, errors: int, active: bool
) -> PluginStatistics:
    """A plugin's statistics from the counts of its buckets."""
    # The middle of each bucket, on the scale on which they are equally wide.
    times = [min(slowest, round(2 ** ((bucket - 0.5) / 2))) for bucket in range(BUCKETS)]
    sums = list(accumulate(histogram))
    calls = sums[-1]
    return PluginStatistics(
        plugin,
        calls=calls,
        errors=errors,
        busy=sum(map(mul, histogram, times)),
        p50=times[bisect_left(sums, calls * 0.50)] if calls else 0,
        p99=times[bisect_left(sums, calls * 0.99)] if calls else 0,
        slowest=slowest,
        active=active,
    )
