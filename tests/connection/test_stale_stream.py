"""A stream that is mute or only quiet, on a clock that only the tests move."""

from __future__ import annotations

from qehost.connection.stale_stream import Doubt, StaleStreamDetector


def test_quiet_is_asked_about_again_and_again_and_no_more():
    watch = StaleStreamDetector(60, 10, now=0)
    for ask_at in (60, 120, 180):
        assert watch.next_deadline() == ask_at
        assert watch.due(ask_at - 0.1) is None
        assert watch.due(ask_at) is Doubt.ASK
        assert watch.next_deadline() == float("inf"), "one question at a time"
        watch.answered(ask_at, knows_more=False)


def test_a_stream_is_mute_when_rest_knows_more_and_it_stays_quiet():
    watch = StaleStreamDetector(60, 10, now=0)
    assert watch.due(60) is Doubt.ASK
    watch.answered(61, knows_more=True)
    assert watch.due(70.9) is None
    assert watch.due(71) is Doubt.MUTE


def test_a_message_after_the_answer_acquits_it():
    watch = StaleStreamDetector(60, 10, now=0)
    watch.due(60)
    watch.answered(61, knows_more=True)
    watch.heard(70)
    assert watch.due(71) is None
    assert watch.next_deadline() == 130


def test_a_message_before_the_answer_makes_the_answer_void():
    watch = StaleStreamDetector(60, 10, now=0)
    watch.due(60)
    watch.heard(60.5)
    watch.answered(61, knows_more=True)
    assert watch.due(71) is None


def test_messages_keep_all_questions_away():
    watch = StaleStreamDetector(60, 10, now=0)
    for now in range(0, 1000, 50):
        watch.heard(now)
        assert watch.due(now + 49) is None
