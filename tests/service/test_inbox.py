"""The inbox: batches in their order, over the deaths of those who send them."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator

import pytest

from qehost.processes.queue import BatchReader, BatchWriter
from qehost.service.inbox import REMEMBERED, Died, Inbox


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    inbox = Inbox()
    yield inbox
    inbox.close()


def sender(inbox: Inbox) -> BatchWriter:
    """A process's end of a queue that the inbox reads."""
    reader, writer = multiprocessing.Pipe(duplex=False)
    inbox.attach(BatchReader(reader))
    return BatchWriter(writer, 1 << 24)


def take(inbox: Inbox, count: int) -> list[bytes | Died]:
    taken: list[bytes | Died] = []
    while len(taken) < count:
        taken += [item if isinstance(item, Died) else item[1] for item in inbox.take()]
    return taken


def test_batches_come_in_their_order(inbox):
    writer = sender(inbox)
    for batch in (b"1", b"2", b"3"):
        writer.offer(batch, 1)
    assert take(inbox, 3) == [b"1", b"2", b"3"]
    writer.close()


def test_what_a_dead_process_left_comes_before_its_death_and_its_successor_after(inbox):
    first = sender(inbox)
    for batch in (b"1", b"2"):
        first.offer(batch, 1)
    first.close()
    died = Died("killed")
    assert inbox.detach(died) == [b"1", b"2"]
    second = sender(inbox)
    second.offer(b"3", 1)
    assert take(inbox, 4) == [b"1", b"2", died, b"3"]
    second.close()


def test_a_death_that_was_seen_before_it_was_told_changes_nothing(inbox):
    first = sender(inbox)
    first.offer(b"1", 1)
    assert take(inbox, 1) == [b"1"]
    first.close()
    assert inbox.take() == []  # the end of the file
    assert inbox.detach(None) == [b"1"]
    second = sender(inbox)
    second.offer(b"2", 1)
    assert take(inbox, 1) == [b"2"]
    second.close()


def test_the_newest_batches_are_remembered_within_a_bound(inbox):
    writer = sender(inbox)
    sizes = [REMEMBERED // 4] * 6
    for size in sizes:
        while not writer.offer(bytes(size), 1):
            pass
        while writer.pending:
            inbox.take()
            writer.flush()
    writer.close()
    assert [len(batch) for batch in inbox.detach(None)] == sizes[:4]


def test_one_batch_is_remembered_however_large_it_is(inbox):
    writer = sender(inbox)
    writer.offer(bytes(2 * REMEMBERED), 1)
    while writer.pending:
        inbox.take()
        writer.flush()
    writer.close()
    (newest,) = inbox.detach(None)
    assert len(newest) == 2 * REMEMBERED


def test_the_bell_ends_the_waiting(inbox):
    threading.Timer(0.05, inbox.ring).start()
    assert inbox.take() == []


def test_a_closed_inbox_gives_nothing_and_may_be_rung_and_closed_again(inbox):
    writer = sender(inbox)
    inbox.close()
    assert inbox.take() == []
    inbox.ring()
    inbox.close()
    writer.close()


def test_a_queue_that_comes_after_the_close_is_closed(inbox):
    inbox.close()
    writer = sender(inbox)
    writer.offer(b"1", 1)
    assert writer.closed
