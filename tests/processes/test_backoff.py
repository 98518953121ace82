"""When a dead child is started again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qehost.processes.backoff import Restarts


def test_the_delay_doubles_while_the_child_keeps_dying_and_ends_at_the_longest() -> None:
    restarts = Restarts(first=0.1, longest=1.0)
    restarts.started(0.0)
    assert [restarts.died(0.0) for _ in range(6)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    assert restarts.total == 6


def test_a_child_that_has_lived_for_long_starts_again_quickly() -> None:
    restarts = Restarts(first=0.1, longest=60.0)
    restarts.started(0.0)
    for _ in range(5):
        restarts.died(1.0)
    restarts.started(100.0)
    assert restarts.died(160.0) == 0.1
    assert restarts.in_a_row == 1


@given(st.lists(st.floats(0, 1000), max_size=2000))
def test_it_never_gives_up_and_never_hurries(lives: list[float]) -> None:
    restarts, now = Restarts(), 0.0
    for life in lives:
        restarts.started(now)
        now += life
        delay = restarts.died(now)
        assert 0.1 <= delay <= 60.0
        now += delay


def test_a_child_that_gets_something_done_each_time_starts_again_quickly() -> None:
    restarts = Restarts(first=0.1, longest=60.0)
    restarts.started(0.0)
    assert [restarts.died(0.0, progressed=True) for _ in range(20)] == [0.1] * 20
    assert restarts.died(0.0) == 0.2
