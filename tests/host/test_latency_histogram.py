"""How long calls take, out of counts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qehost.host.latency_histogram import BUCKETS, SHORT, bucket, summarize


@given(st.lists(st.integers(0, 10**12) | st.integers(0, 10**5), min_size=1))
def test_times_are_right_within_a_fifth_or_128_ns(times: list[int]) -> None:
    histogram = [0] * BUCKETS
    for took in times:
        histogram[bucket(took)] += 1
    longest = max(times)
    found = summarize("a", histogram, longest if longest >= SHORT else 0, 0, True)
    for part, told in ((0.5, found.p50), (0.99, found.p99)):
        exact = next(t for n, t in enumerate(sorted(times), 1) if n >= part * len(times))
        assert abs(told - exact) <= max(128, 0.2 * exact)
    assert abs(found.busy - sum(times)) <= sum(max(128, 0.2 * t) for t in times)
    assert abs(found.slowest - longest) <= (0 if longest >= SHORT else 128)
    assert found.calls == len(times)
