"""What earlier processes left in the journal."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from fed import fed
from hypothesis import given
from hypothesis import strategies as st

from qehost.connection import earlier
from qehost.connection.earlier import Listening, restore
from qehost.connection.memory import Memory, MemoryFile
from qehost.errors import ConnectError, GapError
from qehost.journal import Journal
from qehost.messages import AnyEvent, Connected, Disconnected
from qehost.pipeline import Pipeline, arranged
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

    def until(self, memory: Memory | None = None) -> int:
        """In seconds after the start."""
        listening = Listening(memory)
        listening.note(self.events)
        return (listening.until - START) // SECOND


def test_it_was_heard_until_the_last_message():
    told = Told()
    told.connected(1)
    told.message(50)
    assert told.until() == 50


def test_an_outage_begins_where_the_stream_ended_not_with_the_last_error_about_it():
    told = Told()
    told.connected(1)
    told.message(500)
    told.disconnected(530, heard=510)
    told.error(4000, ConnectError("no connection"))
    assert told.until() == 510


def test_a_gap_that_may_not_have_been_read_is_read_again():
    told = Told()
    told.connected(1000, down_since=400)
    told.message(1010)
    assert told.until() == 400
    told.error(1490, GapError("could not be read again"))
    told.message(90_000)
    assert told.until() == 400
    assert told.until(Memory(seq=4)) == 90_000
    told.connected(90_000, down_since=80_000)
    assert told.until(Memory(seq=4)) == 80_000


def test_the_first_of_several_gaps_counts_however_long_ago_it_was():
    told = Told()
    told.connected(1000, down_since=400)
    told.connected(2000, down_since=1900)
    told.message(90_000)
    assert told.until() == 400
    assert told.until(Memory(seq=1, unread_since=START + 400 * SECOND)) == 400
    assert told.until(Memory(seq=3, unread_since=START + 300 * SECOND)) == 300


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


# --- open orders ------------------------------------------------------------------------------


def order(number: int, filled: int) -> str:
    data = {"id": f"v-{number}", "masterOrderId": "m", "filledQuantity": str(filled)}
    message = {"type": "order_data", "messageId": f"{number}-{filled}", "data": json.dumps(data)}
    return json.dumps(message)


def v1_fill(number: int, message_id: int) -> str:
    data = {"type": "fill", "master_order_id": "m", "order_id": f"v-{number}", "filled_qty": 1}
    message = {"type": "data", "messageId": f"f-{message_id}", "data": json.dumps(data)}
    return json.dumps(message)


def test_an_order_that_was_filled_in_part_long_ago_is_told_with_what_is_new(tmp_path, monkeypatch):
    monkeypatch.setattr(earlier, "REMEMBER", 4)
    told = Told()
    told.events += fed(told.pipeline, [order(1, 5)], START)
    for number in range(1000, 1010):
        told.message(number)
    with journal_of(tmp_path, [[event] for event in told.events]) as journal:
        seq = told.pipeline.next_seq - 1
        MemoryFile(journal.folder).write(seq, 0, told.pipeline.open_orders())
        pipeline, _ = restore("main", journal)
    _, fill = fed(pipeline, [order(1, 6)], START)
    assert fill.message.filled_qty == 1


@given(
    st.lists(st.tuples(st.integers(1, 3), st.booleans()), min_size=1, max_size=20),
    st.randoms(use_true_random=False),
)
def test_a_memory_of_any_moment_and_the_rest_of_the_journal_are_as_good_as_all_of_it(
    changes, random
):
    """Fills of V2 orders add up, and V1 pushes them one by one: none counts twice or not at all."""
    whole, filled, batches = Pipeline("main"), dict.fromkeys(range(1, 7), 0), []
    moment = random.randrange(len(changes))
    memory = Memory()
    for position, (number, is_push) in enumerate(changes):
        number += 3 if is_push else 0
        filled[number] += 1
        text = v1_fill(number, position) if is_push else order(number, filled[number])
        batches.append(fed(whole, [text], START))
        if position == moment:
            memory = Memory(whole.next_seq - 1, 0, whole.open_orders())
            memory = msgspec.msgpack.decode(msgspec.msgpack.encode(memory), type=Memory)

    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        # As much of the journal is read again as comes after that moment, or more.
        least = whole.next_seq - 1 - memory.seq
        patch.setattr(earlier, "REMEMBER", random.randint(least, whole.next_seq))
        patch.setattr(earlier, "REMEMBER_AT_MOST", earlier.REMEMBER)
        with journal_of(Path(name), batches) as journal:
            file = MemoryFile(journal.folder)
            file.write(memory.seq, memory.unread_since, memory.open_orders)
            restored, _ = restore("main", journal)

    states = [order(number, total + 1) for number, total in filled.items()]
    rest = arranged([], [json.loads(state)["data"] for state in states])
    after = whole.catch_up(rest, START)
    assert restored.catch_up(rest, START) == after
    assert [event.message.filled_qty for event in after if event.kind == "fill"] == [1.0] * 6
