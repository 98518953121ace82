"""Where events go: the journal first, then the queues, and never a wait."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from multiprocessing.connection import Connection

import pytest

from qehost.connection.outlet import Outlet
from qehost.errors import JournalError
from qehost.messages import AnyEvent, StatusEvent
from qehost.queue import BatchReader
from qehost.records import decode_events


class Journal:
    """Keeps the numbers of what was appended; fails while it is told to."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.seen: list[int] = []
        self.failing = False

    def append(
        self, blob: bytes, first_seq: int, last_seq: int, first_at: int, last_at: int
    ) -> None:
        self.seen.append(last_seq)
        if self.failing:
            raise JournalError("journal", "the disk is full")
        self.numbers += [event.seq for event in decode_events(blob)]


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def status(seq: int, size: int = 0) -> AnyEvent:
    return StatusEvent(seq, "main", "", 1, "stream", False, "x" * size, "hello")


@pytest.fixture
def ends() -> Iterator[tuple[Connection, Connection]]:
    reader, writer = multiprocessing.Pipe(duplex=False)
    yield reader, writer
    reader.close()
    writer.close()


def received(reader: BatchReader) -> list[int]:
    """The numbers that a queue brought, without the nudges."""
    batches = [batch for batch in reader.read() if isinstance(batch, bytes)]
    return [event.seq for batch in batches for event in decode_events(batch)]


def test_an_event_is_in_the_journal_and_then_in_the_queue(ends):
    journal = Journal()
    outlet = Outlet(journal, 1 << 20, Clock())
    outlet.attach("main", ends[1])
    outlet.emit([status(1), status(2)])
    assert journal.numbers == [1, 2]
    assert received(BatchReader(ends[0])) == [1, 2]
    assert outlet.protected


def test_a_journal_that_fails_keeps_nobody_from_the_events(ends, caplog):
    journal, clock = Journal(), Clock()
    outlet = Outlet(journal, 1 << 20, clock)
    outlet.attach("main", ends[1])
    journal.failing = True
    for seq in range(1, 50):
        outlet.emit([status(seq)])
    assert received(BatchReader(ends[0])) == list(range(1, 50))
    assert not outlet.protected
    assert caplog.text.count("NOT PROTECTED") == 1, "not a line for each event"
    clock.now += 60
    outlet.emit([status(50)])
    assert "50 so far" in caplog.text


def test_the_journal_is_tried_with_each_event_and_counts_what_it_misses(caplog):
    journal = Journal()
    outlet = Outlet(journal, 1 << 20, Clock())
    journal.failing = True
    outlet.emit([status(1)])
    outlet.emit([status(2)])
    journal.failing = False
    outlet.emit([status(3)])
    assert journal.seen == [1, 2, 3]
    assert outlet.protected
    assert "2 events before event 3 are not in it" in caplog.text


def test_a_full_queue_is_no_loss_as_long_as_there_is_a_journal(ends):
    journal = Journal()
    outlet = Outlet(journal, 1 << 20, Clock())
    outlet.attach("main", ends[1])
    for seq in range(1, 100):
        outlet.emit([status(seq, 100_000)])
    assert journal.numbers == list(range(1, 100))
    assert outlet.lost == 0


def test_a_full_queue_and_no_journal_is_a_loss_that_is_told(ends, caplog):
    journal, clock = Journal(), Clock()
    outlet = Outlet(journal, 1 << 20, clock)
    outlet.attach("main", ends[1])
    journal.failing = True
    for seq in range(1, 100):
        outlet.emit([status(seq, 100_000)])
        clock.now += 1
    assert outlet.lost > 50
    assert "host process main is too slow" in caplog.text


def test_a_host_that_has_died_is_forgotten(ends):
    outlet = Outlet(Journal(), 1 << 20, Clock())
    outlet.attach("main", ends[1])
    ends[0].close()
    for seq in range(1, 4):
        outlet.emit([status(seq)])
    assert outlet.writers == []


def test_a_new_host_process_takes_the_place_of_the_old_one(ends):
    outlet = Outlet(Journal(), 1 << 20, Clock())
    outlet.attach("main", ends[1])
    reader, writer = multiprocessing.Pipe(duplex=False)
    outlet.attach("main", writer)
    outlet.emit([status(1)])
    assert received(BatchReader(reader)) == [1]
    assert BatchReader(ends[0]).read() == [0], "the nudge, and no event"
    outlet.close()
    reader.close()
