"""Which windows are still to be read again."""

from __future__ import annotations

import random

import pytest

from qehost.connection.catch_up import CatchUp, Pause, Read, ReadResult, Window
from qehost.errors import APIError, GapError, TransportError

SECOND = 10**9
SINCE = 1_783_071_999 * SECOND  # 2026-07-03 09:46:39 UTC
WINDOW = Window(SINCE, SINCE + 33 * SECOND)
NEVER = float("inf")


@pytest.fixture
def catch_up():
    return CatchUp(can_read=True, rng=random.Random(1))


def failed(window=WINDOW, failure=None, where="order fills"):
    return ReadResult(window, ["{}"], [], failure or TransportError("no answer"), where)


def test_nothing_is_read_without_a_gap(catch_up):
    assert catch_up.next(0) == Pause(NEVER)


def test_a_gap_is_read_at_once_and_once(catch_up):
    assert catch_up.add(WINDOW.since, WINDOW.until) is None
    assert catch_up.next(0) == Read(WINDOW)
    assert catch_up.next(0) == Pause(NEVER)
    assert catch_up.done(ReadResult(WINDOW, ["{}"], []), 1) is None
    assert catch_up.next(1) == Pause(NEVER)


def test_a_start_without_memory_is_no_gap(catch_up):
    assert catch_up.add(0, WINDOW.until) is None
    assert catch_up.next(0) == Pause(NEVER)


def test_a_gap_that_comes_while_another_is_read_is_read_after_it(catch_up):
    catch_up.add(1, 2)
    assert catch_up.next(0) == Read(Window(1, 2))
    catch_up.add(5, 6)
    catch_up.add(8, 9)
    assert catch_up.next(0) == Pause(NEVER)
    catch_up.done(ReadResult(Window(1, 2), [], []), 1)
    assert catch_up.next(1) == Read(Window(5, 9))


def test_a_failure_is_told_each_time_and_the_window_tried_again(catch_up):
    catch_up.add(WINDOW.since, WINDOW.until)
    now = 0.0
    for _ in range(10):
        assert catch_up.next(now) == Read(WINDOW)
        error = catch_up.done(failed(), now)
        assert isinstance(error, GapError)
        assert "from 2026-07-03 09:46:39 to 09:47:12 UTC" in str(error)
        assert "order fills: no answer" in str(error)
        assert "1 objects were read" in str(error)
        step = catch_up.next(now)
        assert 1 <= step.until - now <= 120
        now = step.until
    # A new gap in the meantime is read with it, and one success ends it.
    catch_up.add(WINDOW.until + 1, WINDOW.until + 2)
    step = catch_up.next(now)
    assert step == Read(Window(WINDOW.since, WINDOW.until + 2))
    assert catch_up.done(ReadResult(step.window, [], []), now) is None
    assert catch_up.next(now) == Pause(NEVER)


def test_a_wait_that_the_venue_asks_for_is_kept(catch_up):
    busy = APIError(429, "BUSY", "slow down")
    busy.retry_after = 300.0
    catch_up.add(1, 2)
    catch_up.next(0)
    catch_up.done(failed(failure=busy), 0)
    assert 300.0 <= catch_up.next(0).until <= 302.0


def test_refused_credentials_are_tried_slowly(catch_up):
    refused = APIError(401, "API_KEY_INVALID", "no such key")
    refused.status_code = 401
    catch_up.add(1, 2)
    catch_up.next(0)
    assert "API_KEY_INVALID" in str(catch_up.done(failed(failure=refused), 0))
    assert catch_up.next(0).until >= 30


def test_an_error_of_unknown_origin_is_named_without_its_text(catch_up):
    catch_up.add(1, 2)
    catch_up.next(0)
    text = str(catch_up.done(failed(failure=RuntimeError("a secret")), 0))
    assert "RuntimeError" in text
    assert "a secret" not in text


def test_more_than_can_be_read_is_told_and_not_tried_again(catch_up):
    catch_up.add(1, 2)
    catch_up.next(0)
    error = catch_up.done(ReadResult(WINDOW, [], ["{}"] * 3, beyond="order fills"), 0)
    assert "200 pages of order fills" in str(error)
    assert catch_up.next(0) == Pause(NEVER)


def test_a_list_that_came_in_part_is_told_and_not_tried_again(catch_up):
    catch_up.add(1, 2)
    catch_up.next(0)
    error = catch_up.done(ReadResult(WINDOW, [], ["{}"] * 3, short="order fills"), 0)
    assert isinstance(error, GapError)
    assert "in part only: the venue counts more order fills than it gave. 3 objects" in str(error)
    assert catch_up.next(0) == Pause(NEVER)


def test_without_credentials_a_gap_is_told_with_the_way_to_mend_it():
    catch_up = CatchUp(can_read=False)
    error = catch_up.add(WINDOW.since, WINDOW.until)
    assert isinstance(error, GapError)
    assert "QEHOST_API_KEY" in str(error)
    assert "2026-07-03 09:46:39" in str(error)
    assert catch_up.next(0) == Pause(NEVER)


def test_a_window_over_midnight_shows_both_days():
    assert str(Window(0, 86_400 * SECOND)) == "1970-01-01 00:00:00 to 1970-01-02 00:00:00 UTC"


def test_windows_begin_earlier_when_a_clock_turns_out_to_have_been_set(catch_up):
    catch_up.add(WINDOW.since, WINDOW.until)
    catch_up.correct(100 * SECOND)
    assert catch_up.since == WINDOW.since - 100 * SECOND
    step = catch_up.next(0)
    assert step.window.since == WINDOW.since - 100 * SECOND
    catch_up.correct(50 * SECOND)
    catch_up.done(failed(step.window), 0)
    assert catch_up.since == WINDOW.since - 150 * SECOND
    catch_up.correct(0)
    assert catch_up.next(1000).window.since == WINDOW.since - 150 * SECOND
