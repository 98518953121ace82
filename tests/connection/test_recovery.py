"""What was read again, on its way to the plugins beside the stream."""

from __future__ import annotations

import json
import select
import time
from collections.abc import Iterator
from typing import Any

import pytest
from venue_account import Account, at, in_short, master
from waiting import PATIENCE

from qehost.config.settings import ConnectionSettings
from qehost.connection.background import BackgroundCalls
from qehost.connection.beginning import Beginning
from qehost.connection.catch_up import ReadResult, Window
from qehost.connection.recovery import LONGEST_SECOND_LOOK, SECOND_LOOK, Recovery
from qehost.errors import TransportError
from qehost.events.codec import Record, expand
from qehost.events.pipeline import Pipeline
from qehost.messages import AnyEvent
from qehost.rest import API, Page
from qehost.simulator import Venue


@pytest.fixture
def venue():
    with Venue(port=0, seed=5) as venue:
        yield venue


def test_a_large_gap_is_handed_on_in_parts_with_the_stream_in_between(
    venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qehost.connection.handover.SLICE", 3)
    api = API(venue.api_key, venue.api_secret, venue.rest_url)
    background, pipeline = BackgroundCalls(), Pipeline("main")
    parts: list[list[AnyEvent]] = []
    told: list[object] = []

    def emit(records: list[Record]) -> None:
        parts.append(expand(records))

    since = time.time_ns()
    beginning = Beginning(pipeline, api.venue_clock, since)
    recovery = Recovery(
        api, ConnectionSettings(), pipeline, emit, told.append, background, beginning
    )
    venue.step(300, push=False)
    recovery.opened(since, time.monotonic(), time.time_ns())
    deadline = time.monotonic() + PATIENCE
    turns = 0
    while not (parts and recovery.next_deadline()):
        assert time.monotonic() < deadline
        before = len(parts)
        recovery.keep_time(time.monotonic())
        if len(parts) > before:
            # Its turn ends, and the stream has the next word.
            turns += 1
            emit(pipeline.feed([status(turns)], time.time_ns()))
        if select.select([background], [], [], 0 if recovery.next_deadline() == 0 else 0.05)[0]:
            background.collect()
    api.close()
    background.close()

    assert turns > 10
    # An order may bring a fill with it.
    assert all(len(part) <= 2 * 3 for part in parts)
    events = [event for part in parts for event in part]
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    caught_up = [event for event in events if event.origin == "catch_up"]
    times = [event.message.timestamp for event in caught_up]  # type: ignore[union-attr]
    assert times == sorted(times)
    assert {event.kind for event in caught_up} == {"master_order", "order"}
    assert not any(told)


def test_open_orders_that_rest_does_not_list_are_named_when_they_are_not_there_later_either(
    venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qehost.connection.recovery.SECOND_LOOK", 0.2)
    api = API(venue.api_key, venue.api_secret, venue.rest_url)
    background, pipeline = BackgroundCalls(), Pipeline("main")
    told: list[object] = []
    since = time.time_ns()
    beginning = Beginning(pipeline, api.venue_clock, since)
    recovery = Recovery(
        api, ConnectionSettings(), pipeline, lambda _: None, told.append, background, beginning
    )
    pipeline.feed([running("late"), running("gone")], since)
    asked: list[str] = []
    pushed: list[str] = []
    pages = api.master_order_pages

    def master_order_pages(**filters: Any) -> Iterator[Page]:
        if master_id := filters.get("masterOrderId"):
            asked.append(master_id)
        if master_id == "late" and asked.count("late") == 2:
            return iter([Page([{"masterOrderId": "late"}], ["{}"], 1, 1, 100)])
        return pages(**filters)

    monkeypatch.setattr(api, "master_order_pages", master_order_pages)
    recovery.opened(since, time.monotonic(), time.time_ns())
    deadline = time.monotonic() + PATIENCE
    while not any(told):
        assert time.monotonic() < deadline
        recovery.keep_time(time.monotonic())
        if asked and "new" not in pushed:
            pushed.append("new")
            pipeline.feed([running("new")], since)
        if select.select([background], [], [], 0 if recovery.next_deadline() == 0 else 0.05)[0]:
            background.collect()
    api.close()
    background.close()
    # What the stream brought between the two looks may be listed later than that.
    assert sorted(asked) == ["gone", "gone", "late", "late", "new"]
    [error] = filter(None, told)
    assert "master order gone;" in str(error)


def test_open_orders_that_rest_does_not_list_are_named_also_where_it_answers_late(
    venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both looks are due at once then, and what is read later is asked twice all the same."""
    api = API(venue.api_key, venue.api_secret, venue.rest_url)
    background, pipeline = BackgroundCalls(), Pipeline("main")
    told: list[object] = []
    failing = [TransportError("no answer")] * 3

    def read_nothing(_: API, window: Window, *__: Any) -> ReadResult:
        failure = failing.pop() if failing else None
        return ReadResult(window, [], [], failure, not_covered=("master order gone",))

    monkeypatch.setattr("qehost.connection.recovery.read_window", read_nothing)
    recovery = Recovery(
        *(api, ConnectionSettings(mute_after=0, catch_up_interval=0)),
        *(pipeline, lambda _: None, told.append, background),
        Beginning(pipeline, api.venue_clock, 1),
    )
    now = 1_000.0
    recovery.opened(100, now, 200)
    deadline = time.monotonic() + PATIENCE
    while recovery.next_deadline() < float("inf") or background.running:
        assert time.monotonic() < deadline
        now += 2 * SECOND_LOOK
        recovery.keep_time(now)
        if select.select([background], [], [], 0.05)[0]:
            background.collect()
    api.close()
    background.close()
    names = [str(error) for error in told if error is not None and "gone" in str(error)]
    assert len(names) == 1
    assert recovery.unread_since == 0


@pytest.mark.parametrize("gap", [1, 86_400, LONGEST_SECOND_LOOK + 100_000])
def test_what_the_second_look_is_to_read_is_still_to_be_read_until_then(
    venue: Venue, monkeypatch: pytest.MonkeyPatch, gap: int
) -> None:
    """So the next process reads it, where this one ends before, and the next connection.

    It reads the gap again: one that a clock made long may have been one of a moment, in which REST
    was behind.
    """
    api = API(venue.api_key, venue.api_secret, venue.rest_url)
    background, pipeline = BackgroundCalls(), Pipeline("main")
    windows: list[Window] = []

    def read_nothing(_: API, window: Window, *__: Any) -> ReadResult:
        windows.append(window)
        return ReadResult(window, [], [])

    monkeypatch.setattr("qehost.connection.recovery.read_window", read_nothing)
    recovery = Recovery(
        *(api, ConnectionSettings(mute_after=0, catch_up_interval=0)),
        *(pipeline, lambda _: None, lambda _: None, background),
        Beginning(pipeline, api.venue_clock, 1),
    )

    def look(now: float) -> None:
        seen, deadline = len(windows), time.monotonic() + PATIENCE
        while len(windows) == seen or background.running or recovery.next_deadline() <= now:
            assert time.monotonic() < deadline
            recovery.keep_time(now)
            if select.select([background], [], [], 0.05)[0]:
                background.collect()

    opened = time.time_ns()
    heard = opened - gap * 10**9
    again = opened - min(gap, LONGEST_SECOND_LOOK) * 10**9
    recovery.opened(heard, 1_000.0, opened)
    assert recovery.unread_since == heard
    look(1_000.0)
    assert recovery.unread_since == again
    recovery.closed(1_000.0)
    assert recovery.unread_since == again
    recovery.opened(opened + 200, 1_001.0, opened + 300)
    look(1_001.0)
    assert (windows[-1].since, recovery.unread_since) == (again, again)
    look(1_001.0 + SECOND_LOOK)
    assert (windows[-1].since, recovery.unread_since) == (again, 0)
    api.close()

    background.close()


def test_the_second_look_judges_by_what_is_known_and_not_by_times(
    venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = API(venue.api_key, venue.api_secret, venue.rest_url)
    background, account = BackgroundCalls(), Account()
    account.push(master("PROCESSING", 0, at(100)))
    shown = [json.dumps(master("PAUSED", 0, at(50)))]
    emitted: list[AnyEvent] = []
    looks: list[Window] = []

    def read_shown(_: API, window: Window, *__: Any) -> ReadResult:
        looks.append(window)
        return ReadResult(window, shown, [])

    monkeypatch.setattr("qehost.connection.recovery.read_window", read_shown)
    recovery = Recovery(
        *(api, ConnectionSettings(mute_after=0, catch_up_interval=0), account.pipeline),
        *(lambda records: emitted.extend(expand(records)), lambda _: None, background),
        Beginning(account.pipeline, api.venue_clock, 1),
    )
    recovery.closed(1_000.0)
    recovery.opened(100, 1_000.0, 200)
    for now, told in ((1_000.0, []), (1_000.0 + SECOND_LOOK, ["catch_up master PAUSED"])):
        seen, deadline = len(looks), time.monotonic() + PATIENCE
        while len(looks) == seen or background.running or recovery.next_deadline() <= now:
            assert time.monotonic() < deadline
            recovery.keep_time(now)
            if select.select([background], [], [], 0.05)[0]:
                background.collect()
        assert list(map(in_short, emitted)) == told
    api.close()
    background.close()


def running(master_id: str) -> str:
    data = json.dumps({"masterOrderId": master_id, "status": "PROCESSING"})
    return json.dumps({"type": "master_data", "messageId": master_id, "userId": "u", "data": data})


def status(number: int) -> str:
    return f'{{"type":"status","messageId":"s-{number}","userId":"u","data":"ready"}}'
