"""What earlier processes left in the journal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from fed import fed

from qehost.connection import earlier
from qehost.connection.earlier import Listening, restore
from qehost.errors import ConnectError, GapError
from qehost.journal import Journal
from qehost.messages import AnyEvent, Connected, Disconnected
from qehost.pipeline import Pipeline
from qehost.records import encode_events

SECOND = 10**9
START = 1_790_000_000 * SECOND


def status(number: int) -> str:
    return json.dumps({"type": "status", "messageId": f"id-{number}", "data": "hello"})


def journal_of(folder: Path, batches: Sequence[Sequence[AnyEvent]]) -> Journal:
    journal = Journal(folder)
    for events in batches:
        first, last = events[0], events[-1]
        journal.append(
            encode_events(events), first.seq, last.seq, first.received_at, last.received_at
        )
    return journal


class Told:
    """Events of a run, at so many seconds after the start."""

    def __init__(self) -> None:
        self.pipeline = Pipeline("main")
        self.events: list[AnyEvent] = []

    def connected(self, at: int, down_since: int = 0) -> None:
        since = START + down_since * SECOND if down_since else 0
        moment = START + at * SECOND
        self.events.append(self.pipeline.connected(Connected("", 1, since, moment), moment))

    def disconnected(self, at: int, heard: int) -> None:
        message = Disconnected("", 1006, 0, START + heard * SECOND)
        self.events.append(self.pipeline.disconnected(message, START + at * SECOND))

    def message(self, at: int) -> None:
        self.events += fed(self.pipeline, [status(at)], START + at * SECOND)

    def error(self, at: int, error: ConnectError | GapError) -> None:
        self.events.append(self.pipeline.problem(error, START + at * SECOND))

    @property
    def until(self) -> int:
        """In seconds after the start."""
        listening = Listening()
        listening.note(self.events)
        return (listening.until - START) // SECOND


def test_it_was_heard_until_the_last_message():
    told = Told()
    told.connected(1)
    told.message(50)
    assert told.until == 50


def test_an_outage_begins_where_the_stream_ended_not_with_the_last_error_about_it():
    told = Told()
    told.connected(1)
    told.message(500)
    told.disconnected(530, heard=510)
    told.error(4000, ConnectError("no connection"))
    assert told.until == 510


def test_a_gap_that_may_not_have_been_read_is_read_again():
    told = Told()
    told.connected(1000, down_since=400)
    told.message(1010)
    assert told.until == 400
    told.message(1500)
    assert told.until == 1500
    told.error(1490, GapError("could not be read again"))
    assert told.until == 400


def test_nothing_was_ever_heard():
    assert Listening().until == 0


def test_what_was_delivered_is_known_and_the_numbers_go_on(tmp_path):
    told = Told()
    told.connected(1)
    for number in range(2, 10):
        told.message(number)
    with journal_of(tmp_path, [told.events[:4], told.events[4:]]) as journal:
        pipeline, until = restore("main", journal)
    assert until == START + 9 * SECOND
    assert fed(pipeline, [status(9)], START) == []
    [event] = fed(pipeline, [status(10)], START)
    assert event.seq == 10


def test_an_empty_journal(tmp_path):
    with journal_of(tmp_path, []) as journal:
        pipeline, until = restore("main", journal)
    assert (pipeline.next_seq, until) == (1, 0)


@pytest.mark.parametrize(("seconds_apart", "remembered"), [(0, True), (100, False)])
def test_busy_minutes_are_remembered_whole(seconds_apart, remembered, tmp_path, monkeypatch):
    """As REST is read again from before the last message: what came then must be known."""
    monkeypatch.setattr(earlier, "REMEMBER", 4)
    told = Told()
    for number in range(10):
        told.events += fed(told.pipeline, [status(number)], START + number * seconds_apart * SECOND)
    with journal_of(tmp_path, [[event] for event in told.events]) as journal:
        pipeline, _ = restore("main", journal)
    assert (fed(pipeline, [status(0)], START) == []) is remembered
    assert fed(pipeline, [status(9)], START) == []
