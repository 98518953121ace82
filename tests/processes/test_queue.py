"""The queue: nothing waits, nothing is torn, what does not fit is told."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from waiting import wait_for

from qehost.events.codec import decode_events, encode_events
from qehost.messages import StatusEvent
from qehost.processes.queue import READ_SIZE, BatchReader, BatchWriter

LIMIT = 4 * 2**20


@pytest.fixture
def ends() -> Iterator[tuple[Connection, Connection]]:
    reader, writer = multiprocessing.Pipe(duplex=False)
    yield reader, writer
    for end in (reader, writer):
        if not end.closed:
            end.close()


def read_all(reader: BatchReader, writer: BatchWriter) -> list[bytes | int]:
    """Everything that is on its way, the reader and the writer taking turns."""
    batches: list[bytes | int] = []
    while writer.pending or wait([reader.connection], 0):
        batches += [item if isinstance(item, int) else item[1] for item in reader.read()]
        writer.flush()
    return batches


def status(seq: int) -> StatusEvent:
    return StatusEvent(seq, "main", f"m{seq}", 1_700_000_000_000_000_000, "stream", False, "", "up")


def test_events_arrive_as_they_were_sent(ends: tuple[Connection, Connection]) -> None:
    reader, writer = BatchReader(ends[0]), BatchWriter(ends[1], LIMIT)
    events = [status(1), status(2)]
    assert writer.offer(encode_events(events), events[-1].seq)
    ((_, batch),) = reader.read()
    assert decode_events(batch) == events


def test_every_batch_comes_with_the_id_that_was_told_last(
    ends: tuple[Connection, Connection],
) -> None:
    reader, writer = BatchReader(ends[0]), BatchWriter(ends[1], LIMIT)
    first, second = "00" * 8, "89abcdef01234567"
    writer.tell_journal(first)
    writer.offer(b"1", 1)
    writer.offer(b"2", 2)
    writer.tell_journal(second)
    writer.offer(b"3", 3)
    assert reader.read() == [(first, b"1"), (first, b"2"), (second, b"3")]
    writer.offer(b"4", 4)
    assert reader.read() == [(second, b"4")]


def test_an_id_that_is_told_while_batches_are_left_out_holds_for_those_after_them(
    ends: tuple[Connection, Connection],
) -> None:
    reader, writer = BatchReader(ends[0]), BatchWriter(ends[1], LIMIT)
    writer.tell_journal("01" * 8)
    while writer.offer(b"x" * 100_000, 1):
        pass
    writer.tell_journal("02" * 8)
    read_all(reader, writer)
    assert writer.offer(b"next", 2)
    assert reader.read() == [("02" * 8, b"next")]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.binary(min_size=1, max_size=300_000), max_size=20))
def test_batches_of_any_size_arrive_whole_and_in_order(batches: list[bytes]) -> None:
    ours, theirs = multiprocessing.Pipe(duplex=False)
    reader, writer = BatchReader(ours), BatchWriter(theirs, 64 * 2**20)
    for batch in batches:
        assert writer.offer(batch, 1)
    assert read_all(reader, writer) == batches
    reader.close()
    writer.close()


def test_the_writer_never_waits_and_its_memory_is_bounded(
    ends: tuple[Connection, Connection],
) -> None:
    writer = BatchWriter(ends[1], LIMIT)
    batch = b"x" * 100_000
    taken = sum(writer.offer(batch, 1) for _ in range(1000))
    assert 0 < taken < 1000
    # Beside what it keeps there is what the pipe holds.
    assert taken * len(batch) <= LIMIT + len(batch) + READ_SIZE


def test_after_an_overflow_the_reader_is_nudged_once_it_has_read_everything(
    ends: tuple[Connection, Connection],
) -> None:
    reader, writer = BatchReader(ends[0]), BatchWriter(ends[1], LIMIT)
    batch = b"x" * 100_000
    taken = 0
    while writer.offer(batch, 1):
        taken += 1
    assert not writer.offer(b"small", 7), "after a gap, nothing may overtake the journal"
    assert read_all(reader, writer) == [batch] * taken + [7]
    assert writer.offer(b"next", 1)
    assert read_all(reader, writer) == [b"next"]


def test_a_batch_larger_than_the_bound_still_passes(ends: tuple[Connection, Connection]) -> None:
    reader, writer = BatchReader(ends[0]), BatchWriter(ends[1], 1024)
    assert writer.offer(b"y" * 3_000_000, 1)
    assert read_all(reader, writer) == [b"y" * 3_000_000]


def test_the_writer_notices_that_the_reader_is_gone(ends: tuple[Connection, Connection]) -> None:
    writer = BatchWriter(ends[1], LIMIT)
    ends[0].close()
    writer.offer(b"x", 1)
    assert writer.closed
    assert not writer.offer(b"y", 1)
    writer.nudge(1)
    writer.flush()


def test_the_reader_notices_that_the_writer_is_gone(ends: tuple[Connection, Connection]) -> None:
    reader, writer = BatchReader(ends[0]), BatchWriter(ends[1], LIMIT)
    writer.offer(b"last", 1)
    writer.close()
    assert reader.read() == [("", b"last")]
    with pytest.raises(EOFError):
        reader.read()


def test_a_reader_that_is_killed_while_reading_holds_nothing_for_its_successor() -> None:
    ours, theirs = multiprocessing.Pipe(duplex=False)
    reading = f"import os\nwhile os.read({ours.fileno()}, 100): print('read', flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", reading], pass_fds=[ours.fileno()], stdout=subprocess.PIPE
    ) as process:
        ours.close()
        writer = BatchWriter(theirs, LIMIT)
        writer.offer(b"x" * 10_000, 1)
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()

    def closed() -> bool:
        writer.offer(b"x" * 10_000, 1)
        return writer.closed

    wait_for(closed, "the writer to notice")

    ours, theirs = multiprocessing.Pipe(duplex=False)
    reader, writer = BatchReader(ours), BatchWriter(theirs, LIMIT)
    assert writer.offer(b"for the next one", 1)
    assert reader.read() == [("", b"for the next one")]
    reader.close()
    writer.close()
