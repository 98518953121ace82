"""Heartbeats and back-off, on a clock that only the tests move."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qehost.connection.session import LONGEST_WAIT, Backoff, Beat, Doubt, Heartbeat, MuteWatch

seconds = st.floats(0.01, 1000)


def run(heartbeat: Heartbeat, until: float) -> list[tuple[float, Beat]]:
    """Wake at every deadline, as the connection process does."""
    beats = []
    while (now := heartbeat.next_deadline()) <= until:
        beat = heartbeat.due(now)
        assert beat is not None
        beats.append((now, beat))
        if beat is Beat.DEAD:
            break
    return beats


def test_a_silent_peer_is_pinged_and_then_dead():
    heartbeat = Heartbeat(30, 10, now=100)
    assert run(heartbeat, 1000) == [(130, Beat.PING), (140, Beat.DEAD)]


def test_pings_go_out_while_data_comes():
    heartbeat = Heartbeat(30, 10, now=0)
    pings = 0
    for now in range(300):
        heartbeat.heard(now)
        pings += heartbeat.due(now) is Beat.PING
    assert pings == 9


def test_a_pong_timeout_longer_than_the_interval_pings_again_meanwhile():
    heartbeat = Heartbeat(10, 25, now=0)
    assert run(heartbeat, 1000) == [
        (10, Beat.PING),
        (20, Beat.PING),
        (30, Beat.PING),
        (35, Beat.DEAD),
    ]


def test_nothing_is_due_too_early():
    assert Heartbeat(30, 10, now=0).due(29.9) is None


def test_a_peer_is_not_dead_because_this_process_was_held_up():
    heartbeat = Heartbeat(30, 10, now=0)
    assert heartbeat.due(500) is Beat.PING
    assert heartbeat.due(509.9) is None
    assert heartbeat.due(510) is Beat.DEAD


@given(seconds, seconds, st.lists(st.floats(0, 1), max_size=30))
def test_death_comes_exactly_on_time_after_the_last_sign_of_life(interval, timeout, signs):
    heartbeat = Heartbeat(interval, timeout, now=0)
    heard = 0.0
    for sign in signs:
        # The next sign comes somewhere before the peer would be dead.
        heard += sign * (interval + timeout) * 0.999
        assert Beat.DEAD not in [beat for _, beat in run(heartbeat, heard)]
        heartbeat.heard(heard)
    beats = run(heartbeat, float("inf"))
    died, beat = beats[-1]
    assert beat is Beat.DEAD
    assert died == pytest.approx(heard + interval + timeout)
    asked = [now for now, beat in beats if beat is Beat.PING]
    assert died - asked[0] >= timeout * 0.999


class Luck(random.Random):
    """Draws the same place of every range."""

    def __init__(self, place: float) -> None:
        super().__init__()
        self.place = place

    def uniform(self, a: float, b: float) -> float:
        return a + (b - a) * self.place


def test_delays_double_up_to_the_maximum():
    backoff = Backoff(5, 60, Luck(1))
    assert [backoff.next_delay(0) for _ in range(6)] == [5, 10, 20, 40, 60, 60]
    assert backoff.in_a_row == 6


def test_full_jitter_spreads_over_the_whole_range():
    backoff = Backoff(5, 5, random.Random(1))
    delays = [backoff.next_delay(0) for _ in range(1000)]
    assert 0.5 <= min(delays) < 0.6
    assert 4.9 < max(delays) <= 5


def test_a_connection_that_proved_itself_starts_the_delays_again():
    backoff = Backoff(5, 60, Luck(1))
    for _ in range(4):
        backoff.next_delay(0)
    backoff.opened(100)
    assert backoff.next_delay(110) == 5
    assert backoff.in_a_row == 1


def test_a_venue_that_accepts_and_drops_at_once_is_not_hammered():
    backoff = Backoff(5, 60, Luck(1))
    delays = []
    for now in range(5):
        backoff.opened(now)
        delays.append(backoff.next_delay(now + 0.5))
    assert delays == [5, 10, 20, 40, 60]


def test_an_old_opening_does_not_prove_the_next_try():
    backoff = Backoff(5, 60, Luck(1))
    backoff.opened(0)
    assert backoff.next_delay(1000) == 5
    assert backoff.next_delay(2000) == 10


def test_retry_after_is_a_floor_with_jitter_on_top():
    assert Backoff(5, 60, Luck(1)).next_delay(0, retry_after=120) == 125
    assert Backoff(5, 60, Luck(0)).next_delay(0, retry_after=120) == 120
    assert Backoff(5, 60, Luck(1)).next_delay(0, retry_after=0) == 5
    assert Backoff(5, 60, Luck(0)).next_delay(0, retry_after=1e9) == LONGEST_WAIT


def test_a_refusal_that_does_not_heal_slows_down_at_once():
    backoff = Backoff(5, 60, Luck(1))
    assert backoff.next_delay(0, hopeless=True) == 60


def test_a_maximum_below_the_first_delay_is_lifted_to_it():
    assert Backoff(5, 1, Luck(1)).next_delay(0) == 5


@given(
    seconds,
    seconds,
    st.lists(st.tuples(st.booleans(), st.floats(0, 100), st.booleans()), max_size=60),
    st.randoms(use_true_random=False),
)
def test_delays_stay_within_bounds(first, maximum, history, rng):
    backoff = Backoff(first, maximum, rng)
    now = 0.0
    for opens, uptime, hopeless in history:
        if opens:
            backoff.opened(now)
            now += uptime
        delay = backoff.next_delay(now, hopeless=hopeless)
        assert first * 0.0999 <= delay <= max(first, maximum)
        now += delay


@given(
    st.lists(st.one_of(st.none(), st.floats(0, 12)), min_size=1, max_size=100),
    st.floats(0, 1),
)
def test_no_behaviour_of_the_venue_makes_us_try_more_than_31_times_a_minute(uptimes, luck):
    backoff = Backoff(5, 60, Luck(luck))
    now, tries = 0.0, [0.0]
    for uptime in uptimes:
        if uptime is not None:
            backoff.opened(now)
            now += uptime
        now += backoff.next_delay(now)
        tries.append(now)
    for start in tries:
        assert sum(start <= moment < start + 60 for moment in tries) <= 31


# --- mute or quiet -----------------------------------------------------------------------------


def test_quiet_is_asked_about_again_and_again_and_no_more():
    watch = MuteWatch(60, 10, now=0)
    for ask_at in (60, 120, 180):
        assert watch.next_deadline() == ask_at
        assert watch.due(ask_at - 0.1) is None
        assert watch.due(ask_at) is Doubt.ASK
        assert watch.next_deadline() == float("inf"), "one question at a time"
        watch.answered(ask_at, knows_more=False)


def test_a_stream_is_mute_when_rest_knows_more_and_it_stays_quiet():
    watch = MuteWatch(60, 10, now=0)
    assert watch.due(60) is Doubt.ASK
    watch.answered(61, knows_more=True)
    assert watch.due(70.9) is None
    assert watch.due(71) is Doubt.MUTE


def test_a_message_after_the_answer_acquits_it():
    watch = MuteWatch(60, 10, now=0)
    watch.due(60)
    watch.answered(61, knows_more=True)
    watch.heard(70)
    assert watch.due(71) is None
    assert watch.next_deadline() == 130


def test_a_message_before_the_answer_makes_the_answer_void():
    watch = MuteWatch(60, 10, now=0)
    watch.due(60)
    watch.heard(60.5)
    watch.answered(61, knows_more=True)
    assert watch.due(71) is None


def test_messages_keep_all_questions_away():
    watch = MuteWatch(60, 10, now=0)
    for now in range(0, 1000, 50):
        watch.heard(now)
        assert watch.due(now + 49) is None
