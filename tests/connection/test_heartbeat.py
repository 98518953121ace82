"""Heartbeats, on a clock that only the tests move."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qehost.connection.heartbeat import Beat, Heartbeat

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
