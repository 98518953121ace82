"""Whether an order that comes up for the first time is new."""

from __future__ import annotations

import pytest

from qehost.events.first_sight import FirstSight, Known

SINCE = 1_783_072_000_500
MINUTE = 60_000


def first_sight(known: Known, doubtful_until: int = 0) -> FirstSight:
    begun = FirstSight()
    begun.begin(SINCE, known)
    begun.doubtful_until = doubtful_until
    return begun


def test_where_nothing_was_before_all_is_new() -> None:
    nothing = FirstSight()
    assert nothing.is_new(0)
    assert nothing.is_new(1)
    assert not nothing.is_from_before(SINCE, is_new=True)
    assert not nothing.may_be_told(1)


@pytest.mark.parametrize(
    ("known", "created", "is_new", "may_be_old"),
    [
        (Known.NONE, SINCE, True, False),
        (Known.NONE, SINCE - 1, False, False),
        (Known.NONE, 0, False, False),
        (Known.RUNNING, SINCE, True, False),
        (Known.RUNNING, SINCE - MINUTE, True, True),
        (Known.RUNNING, SINCE - MINUTE - 1, False, True),
        (Known.RUNNING, 0, True, False),
        (Known.ALL, SINCE - MINUTE, True, False),
        (Known.ALL, SINCE - MINUTE - 1, False, False),
        (Known.ALL, 0, True, False),
    ],
)
def test_an_order_is_new_by_its_creation(
    known: Known, created: int, is_new: bool, may_be_old: bool
) -> None:
    assert first_sight(known).is_new(created) is is_new
    assert first_sight(known).may_be_old(created) is may_be_old


@pytest.mark.parametrize(
    ("moment", "is_before"),
    [(SINCE, False), (SINCE - 1, True), (0, False), (SINCE - 500, False), (SINCE - 1500, True)],
)
def test_a_time_in_whole_seconds_may_have_been_later(moment: int, is_before: bool) -> None:
    assert first_sight(Known.RUNNING).is_from_before(moment, is_new=True) is is_before


def test_what_an_earlier_process_did_not_hear_of_a_new_order_was_lost() -> None:
    assert not first_sight(Known.ALL).is_from_before(SINCE - 1, is_new=True)
    assert first_sight(Known.ALL).is_from_before(SINCE - 1, is_new=False)


def test_what_was_made_before_the_end_of_a_doubtful_time_may_have_been_told() -> None:
    doubtful = first_sight(Known.ALL, SINCE + 5)
    assert doubtful.may_be_told(SINCE + 5)
    assert doubtful.may_be_told(0)
    # The venue's clock was measured by a call that may have taken ten seconds.
    assert doubtful.may_be_told(SINCE + 5 + 5_000)
    assert not doubtful.may_be_told(SINCE + 5 + 5_001)


def test_what_was_made_later_than_now_may_have_been_told_before_a_clock_was_set_back() -> None:
    sight = FirstSight()
    assert not sight.may_be_told(90_000, 50_000)
    sight.doubtful_until = 40_000
    assert sight.may_be_told(90_000, 50_000)
    assert not sight.may_be_told(54_000, 50_000)
    assert not sight.may_be_told(90_000)


def test_where_the_venue_s_clock_may_have_been_set_back_the_first_start_is_in_doubt() -> None:
    restarted = FirstSight()
    restarted.began = SINCE + 2
    restarted.begin(SINCE, Known.ALL)
    assert restarted.is_new(SINCE + 1)
    assert not restarted.is_from_before(SINCE - 1, is_new=True)
    # It may be an order from before the first start, by what was noted of the venue's clock.
    assert restarted.may_be_old(SINCE + 1)
    restarted.begin(SINCE - 5, Known.ALL)
    assert restarted.may_be_old(SINCE + 1)
    assert not restarted.may_be_old(SINCE + 2)
