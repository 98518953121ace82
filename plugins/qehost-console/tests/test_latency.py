import pytest
from hypothesis import given
from hypothesis import strategies as st

from qehost_console.latency import Latency, Rate


@given(st.lists(st.integers(0, 10**13), min_size=1, max_size=300), st.floats(0.01, 1.0))
def test_a_percentile_is_never_too_low_and_at_most_three_per_cent_too_high(samples, share):
    latency = Latency()
    for sample in samples:
        latency.add(sample, 0)
    ranked = sorted(samples)
    true = next(value for place, value in enumerate(ranked, 1) if place >= share * len(ranked))
    assert true <= latency.percentile(share) <= true * 1.032 + 1


def test_the_slowest_is_exact():
    latency = Latency()
    for sample in (1, 123_456_789, 5):
        latency.add(sample, 0)
    assert latency.slowest == latency.percentile(1.0) == 123_456_789


def test_memory_is_bounded_however_many_messages_come():
    latency = Latency()
    for sample in range(0, 10**9, 20_011):
        latency.add(sample, sample)
    assert len(latency._buckets) < 1000
    assert len(latency._latest) <= 512


def test_a_clock_that_was_set_back_counts_as_no_time():
    latency = Latency()
    latency.add(-5, 0)
    assert latency.percentile(0.5) == 0


def test_the_recent_median_forgets_after_five_seconds():
    latency = Latency()
    latency.add(1000, 0)
    latency.add(10, 4_000_000_000)
    latency.add(30, 4_000_000_000)
    assert latency.recent_median(4_500_000_000) == 30
    assert latency.recent_median(8_000_000_000) in (10, 30)
    assert latency.recent_median(20_000_000_000) is None


def test_without_a_message_there_is_no_percentile():
    assert Latency().percentile(0.5) is None


def test_the_rate_is_that_of_the_last_five_seconds():
    rate = Rate()
    for tick in range(200):
        seconds = tick / 8
        total = 100 * min(seconds, 10.0) + 7 * max(0.0, seconds - 10.0)
        shown = rate.read(seconds, total)
    assert shown == pytest.approx(7, rel=0.01)


def test_the_first_reading_is_no_division_by_zero():
    assert Rate().read(1.0, 50) == 0.0
