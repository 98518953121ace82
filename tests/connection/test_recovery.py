"""What was read again, on its way to the plugins beside the stream."""

from __future__ import annotations

import select
import time

import pytest

from qehost.connection.errands import Errands
from qehost.connection.recovery import Recovery
from qehost.messages import AnyEvent
from qehost.pipeline import Pipeline
from qehost.records import Record, expand
from qehost.rest import API
from qehost.settings import ConnectionSettings
from qehost.simulator import Venue


@pytest.fixture
def venue():
    with Venue(port=0, seed=5) as venue:
        yield venue


def test_a_large_gap_is_handed_on_in_parts_with_the_stream_in_between(
    venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qehost.connection.recovery.SLICE", 3)
    api = API(venue.api_key, venue.api_secret, venue.rest_url)
    errands, pipeline = Errands(), Pipeline("main")
    parts: list[list[AnyEvent]] = []
    told: list[object] = []

    def emit(records: list[Record]) -> None:
        parts.append(expand(records))

    recovery = Recovery(api, ConnectionSettings(), pipeline, emit, told.append, errands)
    since = time.time_ns()
    venue.step(300, push=False)
    recovery.opened(since, time.monotonic(), time.time_ns())
    deadline = time.monotonic() + 20
    turns = 0
    while not (parts and recovery.next_deadline()):
        assert time.monotonic() < deadline
        before = len(parts)
        recovery.keep_time(time.monotonic())
        if len(parts) > before:
            # Its turn ends, and the stream has the next word.
            turns += 1
            emit(pipeline.feed([status(turns)], time.time_ns()))
        if select.select([errands], [], [], 0 if recovery.next_deadline() == 0 else 0.05)[0]:
            errands.collect()
    api.close()
    errands.close()

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


def status(number: int) -> str:
    return f'{{"type":"status","messageId":"s-{number}","userId":"u","data":"ready"}}'
