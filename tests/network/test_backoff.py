"""The one formula by which everything that failed is tried again."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qehost.network.backoff import Backoff, Pace

PACE = Pace(5, 60)
seconds = st.floats(0.01, 1000)


class Luck(random.Random):
    """Draws the same place of every range."""

    def __init__(self, place: float) -> None:
        super().__init__()
        self.place = place

    def uniform(self, a: float, b: float) -> float:
        return a + (b - a) * self.place


def test_the_ceiling_doubles_up_to_the_longest() -> None:
    backoff = Backoff(PACE, Luck(1))
    assert [backoff.failed() for _ in range(6)] == [5, 10, 20, 40, 60, 60]
    assert backoff.in_a_row == 6


def test_the_jitter_spreads_over_the_upper_half_of_the_ceiling() -> None:
    rng = random.Random(1)
    delays = [Backoff(PACE, rng).failed() for _ in range(1000)]
    assert 2.5 <= min(delays) < 2.55
    assert 4.95 < max(delays) <= 5


def test_without_a_generator_there_is_no_chance_in_it() -> None:
    backoff = Backoff(PACE, None)
    assert [backoff.failed() for _ in range(3)] == [5, 10, 20]
    assert backoff.failed(asked=100) == 105


def test_after_a_success_the_next_failure_counts_as_the_first() -> None:
    backoff = Backoff(PACE, Luck(1))
    for _ in range(4):
        backoff.failed()
    backoff.succeeded()
    assert backoff.failed() == 5
    assert backoff.in_a_row == 1


def test_a_failure_may_ask_for_a_pace_of_its_own_and_is_the_first_of_it() -> None:
    backoff, other = Backoff(PACE, Luck(1)), Pace(30, 600)
    backoff.failed()
    backoff.failed()
    assert [backoff.failed(other), backoff.failed(other)] == [30, 60]
    assert backoff.failed() == 5


@pytest.mark.parametrize("status", [418, 429])
def test_a_venue_that_throttles_is_left_alone_for_ten_seconds_at_least_and_ever_longer(
    status: int,
) -> None:
    backoff = Backoff(PACE, Luck(0))
    assert [backoff.failed(status=status) for _ in range(6)] == [10, 20, 40, 80, 150, 150]
    # Unless it says for how long.
    assert Backoff(PACE, Luck(1)).failed(status=status, asked=1) == 6
    assert Backoff(PACE, Luck(1)).failed(status=503) == 5


def test_a_wait_that_was_asked_for_is_a_floor_with_jitter_on_top() -> None:
    assert Backoff(PACE, Luck(1)).failed(asked=120) == 125
    assert Backoff(PACE, Luck(0)).failed(asked=120) == 120
    assert Backoff(PACE, Luck(1)).failed(asked=0) == 5


def test_a_longest_delay_below_the_first_is_lifted_to_it() -> None:
    assert Backoff(Pace(5, 1), Luck(1)).failed() == 5


@given(seconds, seconds, st.integers(0, 3000), st.integers(0))
def test_no_run_of_luck_leaves_the_upper_half_of_the_ceiling(
    first: float, longest: float, failures: int, seed: int
) -> None:
    ceiling = min(max(first, longest), first * 2.0 ** min(failures, 30))
    delay = Backoff(Pace(first, longest), random.Random(seed), in_a_row=failures).failed()
    assert ceiling / 2 <= delay <= ceiling or delay == pytest.approx(ceiling)
