"""What earlier processes left in the journal."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
import pytest
from fed import fed
from hypothesis import given
from hypothesis import strategies as st
from journals import files, flip

from qehost.connection import restore as restore_module
from qehost.connection.restore import Listening, restore
from qehost.errors import ConnectError, GapError
from qehost.events.codec import encode_events
from qehost.events.pipeline import Pipeline
from qehost.events.rest_objects import decode_rest
from qehost.messages import AnyEvent, Connected, Disconnected, FillEvent
from qehost.storage.checkpoint import Checkpoint, CheckpointFile
from qehost.storage.journal import Journal

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

    def until(self, memory: Checkpoint | None = None) -> int:
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
    assert told.until(Checkpoint(seq=4)) == 90_000
    told.connected(90_000, down_since=80_000)
    assert told.until(Checkpoint(seq=4)) == 80_000


def test_the_first_of_several_gaps_counts_however_long_ago_it_was():
    told = Told()
    told.connected(1000, down_since=400)
    told.connected(2000, down_since=1900)
    told.message(90_000)
    assert told.until() == 400
    assert told.until(Checkpoint(seq=1, unread_since=START + 400 * SECOND)) == 400
    assert told.until(Checkpoint(seq=3, unread_since=START + 300 * SECOND)) == 300


AHEAD = 86_400 * SECOND
"""A machine's clock is ahead of the venue's by so much."""


def test_until_when_it_was_heard_is_the_venues_time_though_this_machines_clock_was_wrong():
    told = Told()
    moment = START + 10 * SECOND
    message = Connected("", 1, START + 5 * SECOND, moment)
    told.events.append(told.pipeline.connected(message, moment + AHEAD))
    told.events += fed(told.pipeline, [status(1)], START + 50 * SECOND + AHEAD)
    assert told.until() == 5
    assert told.until(Checkpoint(seq=2, clock_offset=-AHEAD)) == 50
    told.disconnected(90 + 86_400, heard=60)
    assert told.until(Checkpoint(seq=3, clock_offset=-AHEAD)) == 60


def test_a_clock_that_was_set_while_connected_is_known_by_the_checkpoint():
    told = Told()
    told.connected(10)
    told.message(20)
    told.events += fed(told.pipeline, [status(1)], START + 50 * SECOND + AHEAD)
    assert told.until(Checkpoint(seq=2, clock_offset=-AHEAD)) == 50


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
    monkeypatch.setattr(restore_module, "REMEMBER", 4)
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
    monkeypatch.setattr(restore_module, "REMEMBER", 4)
    told = Told()
    told.events += fed(told.pipeline, [order(1, 5)], START)
    for number in range(1000, 1010):
        told.message(number)
    with journal_of(tmp_path, [[event] for event in told.events]) as journal:
        seq = told.pipeline.next_seq - 1
        known = told.pipeline.known_orders()
        CheckpointFile(journal.folder).write(Checkpoint(seq, orders=known))
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
    memory = Checkpoint()
    for position, (number, is_push) in enumerate(changes):
        number += 3 if is_push else 0
        filled[number] += 1
        text = v1_fill(number, position) if is_push else order(number, filled[number])
        batches.append(fed(whole, [text], START))
        if position == moment:
            memory = Checkpoint(whole.next_seq - 1, orders=whole.known_orders())
            memory = msgspec.msgpack.decode(msgspec.msgpack.encode(memory), type=Checkpoint)

    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        # As much of the journal is read again as comes after that moment, or more.
        least = whole.next_seq - 1 - memory.seq
        patch.setattr(restore_module, "REMEMBER", random.randint(least, whole.next_seq))
        patch.setattr(restore_module, "REMEMBER_AT_MOST", restore_module.REMEMBER)
        with journal_of(Path(name), batches) as journal:
            CheckpointFile(journal.folder).write(memory)
            restored, _ = restore("main", journal)

    states = [order(number, total + 1) for number, total in filled.items()]
    rest = decode_rest([], [json.loads(state)["data"] for state in states])
    after = whole.catch_up(rest, START)
    assert restored.catch_up(rest, START) == after
    assert [event.message.filled_qty for event in after if event.kind == "fill"] == [1.0] * 6


# --- what is lost -----------------------------------------------------------------------------


def filled_orders(folder: Path, count: int = 6) -> Pipeline:
    """A journal of so many orders, a batch and a second each; what had told them."""
    pipeline = Pipeline("main")
    batches = [
        fed(pipeline, [order(number, 5)], START + number * SECOND) for number in range(1, count + 1)
    ]
    journal_of(folder, batches).close()
    return pipeline


def told_again(folder: Path, number: int, filled: int = 5) -> list[tuple[str, float, bool]]:
    """Of what REST has of an order after a restart: the fills, and whether they are marked."""
    with Journal(folder) as journal:
        pipeline, _ = restore("main", journal)
    rest = decode_rest([], [json.loads(order(number, filled))["data"]])
    return [
        (event.kind, event.message.filled_qty, event.redelivered)
        for event in pipeline.catch_up(rest, START + 3600 * SECOND)
        if isinstance(event, FillEvent)
    ]


def test_a_whole_journal_leaves_no_doubt(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    filled_orders(tmp_path)
    assert told_again(tmp_path, 3) == []
    assert told_again(tmp_path, 3, 7) == [("fill", 2.0, False)]
    assert not caplog.records


def test_a_damaged_batch_that_no_checkpoint_knows_makes_its_time_doubtful(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    filled_orders(tmp_path)
    flip(files(tmp_path)[0], b"v-3")
    assert told_again(tmp_path, 3) == [("fill", 5.0, True)]
    [line] = caplog.messages
    assert line.startswith(f"journal {files(tmp_path)[0]}: the file is damaged (checksum")
    assert "what events 5 to 6 told of orders is not known. What is told" in line
    assert "made before 2026-09-21 14:13:24 UTC is marked as redelivered" in line  # as of v-4
    # Of these the journal knows what came after it, or they were not heard of since.
    assert told_again(tmp_path, 4, 7) == [("fill", 2.0, False)]
    assert told_again(tmp_path, 2, 7) == [("fill", 2.0, True)]


def test_a_damaged_batch_that_the_checkpoint_knows_costs_nothing_but_a_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline = filled_orders(tmp_path)
    CheckpointFile(tmp_path).write(Checkpoint(8, orders=pipeline.known_orders()))
    flip(files(tmp_path)[0], b"v-3")
    assert told_again(tmp_path, 3, 7) == [("fill", 2.0, False)]
    [line] = caplog.messages
    assert "events 5 to 6 can't be read" in line
    assert line.endswith("nothing follows")


def test_what_could_not_be_written_and_no_checkpoint_knows_makes_its_time_doubtful(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline = Pipeline("main")
    batches = [fed(pipeline, [order(n, 5)], START + n * SECOND) for n in range(1, 7)]
    journal_of(tmp_path, batches[:2] + batches[3:]).close()
    assert told_again(tmp_path, 3) == [("fill", 5.0, True)]
    assert "it has a gap: what events 5 to 6 told of orders is not known" in caplog.text


@pytest.mark.parametrize("how", ["the file", "a part of it"])
def test_a_lost_end_makes_the_time_until_the_last_sign_of_life_doubtful(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    filled_orders(tmp_path)
    [path] = files(tmp_path)
    os.utime(tmp_path / "last-seq", ns=(START, START + 60 * SECOND))
    if how == "the file":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-100])
    assert told_again(tmp_path, 6) == [("fill", 5.0, True)]
    assert "told of orders is not known" in caplog.text
    assert "made before 2026-09-21 14:14:20 UTC" in caplog.text


def test_a_doubt_outlives_the_next_process(tmp_path: Path) -> None:
    filled_orders(tmp_path)
    flip(files(tmp_path)[0], b"v-3")
    with Journal(tmp_path) as journal:
        pipeline, _ = restore("main", journal)
        found = Checkpoint(pipeline.next_seq - 1, orders=pipeline.known_orders())
        CheckpointFile(tmp_path).write(found)
    assert told_again(tmp_path, 3) == [("fill", 5.0, True)]


@pytest.mark.parametrize(
    ("durability", "is_end", "is_marked"),
    [("process", False, True), ("process", True, False), ("power", False, False)],
)
def test_after_a_power_cut_the_last_second_is_doubtful(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    durability: Literal["process", "power"],
    is_end: bool,
    is_marked: bool,
) -> None:
    pipeline = filled_orders(tmp_path)
    found = Checkpoint(12, is_end=is_end, orders=pipeline.known_orders())
    CheckpointFile(tmp_path).write(found)
    monkeypatch.setattr(restore_module, "boot_id", lambda: "another")
    with Journal(tmp_path, durability) as journal:
        pipeline, _ = restore("main", journal)
    rest = decode_rest([], [json.loads(order(6, 7))["data"]])
    _, fill = pipeline.catch_up(rest, START)
    assert (fill.message.filled_qty, fill.redelivered) == (2.0, is_marked)


def test_numbers_go_on_behind_those_of_the_checkpoint_too(tmp_path: Path) -> None:
    CheckpointFile(tmp_path).write(Checkpoint(70))
    with Journal(tmp_path) as journal:
        pipeline, _ = restore("main", journal)
    assert pipeline.next_seq == 71


def test_the_stream_was_heard_until_the_checkpoint_though_the_journal_ends_before(
    tmp_path: Path,
) -> None:
    filled_orders(tmp_path)
    CheckpointFile(tmp_path).write(Checkpoint(20, heard_until=START + 500 * SECOND))
    with Journal(tmp_path) as journal:
        _, until = restore("main", journal)
    assert until == START + 500 * SECOND
