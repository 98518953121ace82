from __future__ import annotations

import pytest
from msgspec.structs import replace

from qehost.blotter import Blotter, Link
from qehost.errors import ConnectError, GapError
from qehost.testing import Events

SECOND = 10**9
START = 1_767_323_045 * SECOND


@pytest.fixture
def events() -> Events:
    return Events()


def test_a_stream_of_which_nothing_was_heard_is_waited_for() -> None:
    assert Blotter().link("main") == Link("waiting")


def test_a_stream_is_up_or_down_since_the_last_change(events: Events) -> None:
    blotter = Blotter()
    blotter.add(events.connected(received_at=START))
    assert blotter.link("main") == Link("up", START // 10**6, opened=1)
    blotter.add(events.disconnected("reset", received_at=START + SECOND))
    blotter.add(events.disconnected("refused", received_at=START + 2 * SECOND))
    assert blotter.link("main") == Link(
        "down", START // 10**6 + 1000, opened=1, closed=2, last_reason="refused"
    )


def test_the_time_in_which_nothing_was_heard_is_added_up(events: Events) -> None:
    blotter = Blotter()
    for number in range(2):
        since = START + number * SECOND
        blotter.add(events.connected(down_since=since, up_at=since + SECOND // 4))
    assert blotter.link("main").unheard == 500


def test_a_repeat_opens_no_stream_twice(events: Events) -> None:
    blotter, opened = Blotter(), events.connected(down_since=START, up_at=START + SECOND)
    ended = events.disconnected()
    for event in (opened, ended, opened, ended):
        blotter.add(event)
    link = blotter.link("main")
    assert (link.opened, link.closed, link.unheard, link.state) == (1, 1, 1000, "down")


def test_gaps_beyond_their_bound_leave_no_older_order_complete(events: Events) -> None:
    blotter = Blotter()
    blotter.add(events.master_order(master_order_id="old", status="NEW"))
    blotter.add(events.master_order(master_order_id="old", status="COMPLETED"))
    for _ in range(200):
        blotter.add(events.error(GapError("who knows")))
    blotter.add(events.master_order(master_order_id="new", status="NEW"))
    blotter.add(events.error(ConnectError("no gap")))
    assert {each.id: each.complete for each in blotter.masters()} == {"old": False, "new": True}


def test_streams_are_counted_in_any_order(events: Events) -> None:
    told = []
    for _ in range(3):
        told += [events.connected(down_since=START, up_at=START + SECOND), events.disconnected()]
    forward, backward = Blotter(), Blotter()
    forward.add_all(told)
    backward.add_all(told[::-1])
    assert (backward.link("main").opened, backward.link("main").closed) == (3, 3)
    assert replace(backward.link("main"), since=0) == replace(forward.link("main"), since=0)


def test_however_many_streams_there_were_each_is_counted_once(events: Events) -> None:
    blotter = Blotter()
    told = [events.connected() for _ in range(300)]
    blotter.add_all(told + told)
    assert blotter.link("main").opened == 300
