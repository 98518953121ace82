"""Where events go: the journal first, then the queues, and never a wait."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from multiprocessing.connection import Connection

import pytest

from qehost.connection.publisher import Publisher
from qehost.errors import JournalError
from qehost.events.codec import decode_events
from qehost.messages import AnyEvent, StatusEvent
from qehost.processes.queue import BatchReader


class Journal:
    """Keeps the numbers of what was appended; fails while it is told to."""

    def __init__(self) -> None:
        self.journal_id = "01" * 8
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
    batches = [item[1] for item in reader.read() if isinstance(item, tuple)]
    return [event.seq for batch in batches for event in decode_events(batch)]


def test_an_event_is_in_the_journal_and_then_in_the_queue(ends):
    journal = Journal()
    publisher = Publisher(journal, 1 << 20, Clock())
    publisher.attach("main", ends[1])
    publisher.emit([status(1), status(2)])
    assert journal.numbers == [1, 2]
    assert received(BatchReader(ends[0])) == [1, 2]
    assert publisher.protected


def test_a_journal_that_fails_keeps_nobody_from_the_events(ends, caplog):
    journal, clock = Journal(), Clock()
    publisher = Publisher(journal, 1 << 20, clock)
    publisher.attach("main", ends[1])
    journal.failing = True
    for seq in range(1, 50):
        publisher.emit([status(seq)])
    assert received(BatchReader(ends[0])) == list(range(1, 50))
    assert not publisher.protected
    assert caplog.text.count("NOT PROTECTED") == 1, "not a line for each event"
    clock.now += 60
    publisher.emit([status(50)])
    assert "50 so far" in caplog.text


def test_the_journal_is_tried_with_each_event_and_counts_what_it_misses(caplog):
    journal = Journal()
    publisher = Publisher(journal, 1 << 20, Clock())
    journal.failing = True
    publisher.emit([status(1)])
    publisher.emit([status(2)])
    journal.failing = False
    publisher.emit([status(3)])
    assert journal.seen == [1, 2, 3]
    assert publisher.protected
    assert "it does not have the 2 events before event 3" in caplog.text


def test_a_full_queue_is_no_loss_as_long_as_there_is_a_journal(ends):
    journal = Journal()
    publisher = Publisher(journal, 1 << 20, Clock())
    publisher.attach("main", ends[1])
    for seq in range(1, 100):
        publisher.emit([status(seq, 100_000)])
    assert journal.numbers == list(range(1, 100))
    assert publisher.lost == 0


def test_a_full_queue_and_no_journal_is_a_loss_that_is_told(ends, caplog):
    journal, clock = Journal(), Clock()
    publisher = Publisher(journal, 1 << 20, clock)
    publisher.attach("main", ends[1])
    journal.failing = True
    for seq in range(1, 100):
        publisher.emit([status(seq, 100_000)])
        clock.now += 1
    assert publisher.lost > 50
    assert "host process main is too slow" in caplog.text


def test_a_host_that_has_died_is_forgotten(ends):
    publisher = Publisher(Journal(), 1 << 20, Clock())
    publisher.attach("main", ends[1])
    ends[0].close()
    for seq in range(1, 4):
        publisher.emit([status(seq)])
    assert publisher.writers == []


def test_a_new_host_process_takes_the_place_of_the_old_one(ends):
    publisher = Publisher(Journal(), 1 << 20, Clock())
    publisher.attach("main", ends[1])
    reader, writer = multiprocessing.Pipe(duplex=False)
    publisher.attach("main", writer)
    publisher.emit([status(1)])
    assert received(BatchReader(reader)) == [1]
    assert BatchReader(ends[0]).read() == [0], "the nudge, and no event"
    publisher.close()
    reader.close()


def test_a_queue_brings_the_journals_id_and_the_new_one_from_the_first_event_that_has_it(
    ends: tuple[Connection, Connection],
) -> None:
    journal = Journal()
    publisher = Publisher(journal, 1 << 20, Clock())
    publisher.attach("main", ends[1])
    publisher.emit([status(1)])
    journal.journal_id = "02" * 8
    publisher.emit([status(2)])
    batches = [item[0] for item in BatchReader(ends[0]).read() if isinstance(item, tuple)]
    assert batches == ["01" * 8, "02" * 8]
    publisher.close()


def test_without_a_journal_every_process_has_an_id_of_its_own() -> None:
    def told() -> str:
        reader, writer = multiprocessing.Pipe(duplex=False)
        publisher = Publisher(None, 1 << 20, Clock())
        publisher.attach("main", writer)
        publisher.emit([status(1)])
        (journal_id,) = (i[0] for i in BatchReader(reader).read() if isinstance(i, tuple))
        publisher.close()
        reader.close()
        return journal_id

    ids = {told() for _ in range(3)}
    assert len(ids) == 3
    assert all(len(bytes.fromhex(each)) == 8 for each in ids)
