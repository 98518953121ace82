"""Whether the stream is open: the one that knows of the later event is right."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st
from script import status, wait_for
from waiting import PATIENCE

from qehost.service.connection_state import StreamState


def test_nothing_is_connected_at_first():
    assert not StreamState().connected


def test_an_event_that_is_handled_before_the_status_arrives_counts():
    presence = StreamState()
    presence.note_status(0, False)
    presence.note_event(1, True)
    assert presence.connected


def test_an_old_event_does_not_count_against_a_newer_status():
    presence = StreamState()
    presence.note_status(9, False)
    presence.note_event(1, True)
    assert not presence.connected


def test_the_end_of_the_process_is_the_end_of_the_connection():
    presence = StreamState()
    presence.note_event(5, True)
    presence.process_ended()
    assert not presence.connected
    presence.note_event(3, True)  # one that was still in its queue
    assert not presence.connected
    presence.note_event(6, True)  # its successor's
    assert presence.connected


@given(st.lists(st.booleans(), max_size=30), st.randoms(use_true_random=False))
def test_however_statuses_and_events_overtake_each_other(states, random):
    """A status and an event for every change, each kind in its own order, arbitrarily mixed."""
    presence = StreamState()
    statuses = list(enumerate(states, start=1))
    events = list(statuses)
    while statuses or events:
        if statuses and (not events or random.random() < 0.5):
            presence.note_status(*statuses.pop(0))
        else:
            presence.note_event(*events.pop(0))
    if states:
        assert presence.connected is states[-1]


def test_is_connected_is_right_while_a_handler_blocks(service, calls, venue):
    release = threading.Event()
    calls.react["on_status"] = lambda _: release.wait(PATIENCE)
    service.set_reconnect_delay(60)
    service.connect()
    calls.wait("on_connected")
    venue.push(status("one"))
    calls.wait("on_status")
    venue.drop()
    wait_for(lambda: not service.is_connected())
    assert calls.names()[-1] == "on_status"
    release.set()
    calls.wait("on_disconnected")
