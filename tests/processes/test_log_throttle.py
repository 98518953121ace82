"""What happens again and again is told once, then counted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qehost.processes.log_throttle import LogThrottle


def test_the_first_is_told_and_the_others_are_counted() -> None:
    throttle = LogThrottle[str](interval=30.0)
    assert [throttle.allow("a", 0.0) for _ in range(3)] == [True, False, False]
    assert throttle.allow("b", 0.0)
    assert list(throttle.due(29.0)) == []
    assert list(throttle.due(30.0)) == [("a", 2)]


def test_what_has_been_quiet_is_told_again_as_the_first() -> None:
    throttle = LogThrottle[str](interval=30.0)
    assert throttle.allow("a", 0.0)
    assert list(throttle.due(30.0)) == []
    assert throttle.allow("a", 31.0)


def test_what_goes_on_stays_quiet_for_another_interval() -> None:
    throttle = LogThrottle[str](interval=30.0)
    throttle.allow("a", 0.0)
    throttle.allow("a", 1.0)
    assert list(throttle.due(30.0)) == [("a", 1)]
    assert not throttle.allow("a", 31.0)
    assert list(throttle.remaining()) == [("a", 1)]
    assert list(throttle.remaining()) == []


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 20)), max_size=60))
def test_nothing_is_left_out_or_counted_twice(happened: list[tuple[str, float]]) -> None:
    throttle, now, told = LogThrottle[str](interval=30.0), 0.0, dict.fromkeys("abc", 0)
    for key, pause in happened:
        now += pause
        told[key] += throttle.allow(key, now)
        for other, count in throttle.due(now):
            told[other] += count
    for key, count in throttle.remaining():
        told[key] += count
    assert told == {key: sum(each == key for each, _ in happened) for key in "abc"}
