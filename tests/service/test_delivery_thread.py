"""The delivery thread: each event once and in order, whatever way the batches take."""

from __future__ import annotations

import logging
import multiprocessing
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from script import wait_for

from qehost.config.settings import JournalSettings
from qehost.events.codec import encode_events
from qehost.host.delivery import ConsumerClosed
from qehost.messages import (
    AnyEvent,
    Connected,
    ConnectedEvent,
    Disconnected,
    DisconnectedEvent,
    ErrorEvent,
    Problem,
    StatusEvent,
)
from qehost.processes.queue import BatchReader, BatchWriter
from qehost.service.connection_state import StreamState
from qehost.service.delivery_thread import DeliveryThread
from qehost.service.inbox import Begun, Died, Inbox
from qehost.service.position import Place, in_folder, in_memory
from qehost.storage.journal import Journal
from qehost.storage.state_folder import StateFolder


class Program:
    def __init__(self, slice_size: int) -> None:
        self.slice_size = slice_size
        self.got: list[AnyEvent] = []

    def deliver(self, events: Sequence[AnyEvent]) -> None:
        self.got += events

    def deliver_last(self, event: AnyEvent) -> None:
        self.got.append(event)

    def is_gone(self) -> bool:
        return False

    def stop(self) -> None:
        pass

    def numbers(self) -> list[int]:
        return [event.seq for event in self.got]


class Bench:
    def __init__(self, place: Place | None = None, slice_size: int = 2) -> None:
        self.inbox, self.program = Inbox(), Program(slice_size)
        self.abandoned = threading.Event()
        self.delivery = DeliveryThread(
            "main",
            self.inbox,
            place or in_memory("main"),
            StreamState(),
            lambda: logging.getLogger("qehost.service"),
            self.abandoned.set,
            None,
        )
        self.delivery.start(self.program)
        self.writer = self.attach()

    def attach(self, begun: Begun | None = None) -> BatchWriter:
        reader, writer = multiprocessing.Pipe(duplex=False)
        self.inbox.attach(BatchReader(reader), begun)
        self.writer = BatchWriter(writer, 1 << 20)
        return self.writer

    def send(self, *numbers: int) -> None:
        self.send_events([status(number) for number in numbers])

    def send_events(self, events: Sequence[AnyEvent]) -> None:
        assert self.writer.offer(encode_events(events), events[-1].seq)

    def until(self, condition: Callable[[], bool]) -> None:
        wait_for(condition, self)

    def __str__(self) -> str:
        return f"something; got {self.program.got!r:.2000}"

    def end(self) -> None:
        self.writer.close()
        assert self.delivery.stop(10)


def status(number: int) -> StatusEvent:
    return StatusEvent(number, "main", "", 0, "stream", False, "", str(number))


def opened(number: int) -> ConnectedEvent:
    return ConnectedEvent(number, "main", "", 0, "stream", False, "", Connected("ws://venue"))


def ended(number: int) -> DisconnectedEvent:
    return DisconnectedEvent(number, "main", "", 0, "stream", False, "", Disconnected("reset"))


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.end()


def test_a_batch_that_came_already_is_passed_over(bench):
    bench.send(1, 2, 3)
    bench.send(2, 3)
    bench.send(1, 2, 3)
    bench.send(3, 4)
    bench.until(lambda: 4 in bench.program.numbers())
    assert bench.program.numbers() == [1, 2, 3, 4]


def test_a_hole_is_told_with_its_bounds(bench):
    bench.send(1)
    bench.send(5)
    bench.until(lambda: 5 in bench.program.numbers())
    first, gap, after = bench.program.got
    assert (first.seq, after.seq) == (1, 5)
    assert isinstance(gap, ErrorEvent)
    assert gap.message.code == "gap"
    assert "events 2 to 4" in gap.message.text


def test_events_that_are_in_the_queue_alone_are_not_lost_to_a_look_into_the_journal(tmp_path):
    """While the journal could not be written they came by the queue, behind a nudge."""
    events = [status(number) for number in range(1, 26)]
    place = in_folder(tmp_path, "main", JournalSettings())
    bench = Bench(place)
    with Journal(StateFolder(tmp_path).journal("main")) as journal:
        journal.append(encode_events(events[:5]), 1, 5, 0, 0)
        journal.append(encode_events(events[20:]), 21, 25, 0, 0)
    bench.writer.close()
    bench.inbox.detach(None)
    reader, writer = multiprocessing.Pipe(duplex=False)
    queue = BatchWriter(writer, 1 << 20)
    queue.nudge(5)
    assert queue.offer(encode_events(events[5:20]), 20)
    assert queue.offer(encode_events(events[20:]), 25)
    bench.inbox.attach(BatchReader(reader))
    bench.until(lambda: 25 in bench.program.numbers())
    queue.close()
    bench.end()
    assert bench.program.numbers() == list(range(1, 26))
    assert {event.kind for event in bench.program.got} == {"status"}


def test_a_hole_that_the_other_side_tells_of_is_told_once(bench):
    bench.send(1)
    lost = Problem("gap", "3 events were lost")
    bench.send_events([ErrorEvent(5, "main", "", 0, "stream", False, "", lost)])
    bench.send(6)
    bench.until(lambda: 6 in bench.program.numbers())
    assert bench.program.numbers() == [1, 5, 6]


def test_the_death_of_a_process_that_was_connected_ends_the_connection_first(bench):
    bench.send_events([opened(1)])
    bench.writer.close()
    bench.inbox.detach(Died("it was killed"))
    bench.attach()
    bench.send(2)
    bench.until(lambda: 2 in bench.program.numbers())
    assert [event.kind for event in bench.program.got] == [
        *("connected", "disconnected", "error", "status")
    ]


def test_the_connection_that_a_new_one_replaces_is_history_and_its_messages_are_not(bench):
    bench.send_events([opened(1)])
    bench.until(lambda: bench.program.numbers() == [1])
    bench.delivery.generation = 1
    # The old process has not heard of it yet; it connects again in between, and is then ended.
    bench.send_events([status(2), ended(3), opened(4), status(5), ended(6)])
    bench.writer.close()
    bench.inbox.detach(None)
    bench.attach(Begun(1)).nudge(6)
    bench.send_events([opened(7), ended(8)])
    bench.until(lambda: 8 in bench.program.numbers())
    assert bench.program.numbers() == [1, 2, 5, 7, 8]


def test_what_a_handler_replaces_is_history_also_in_the_batch_that_it_is_in():
    bench = Bench(slice_size=64)

    def replace(events: Sequence[AnyEvent]) -> None:
        if any(event.seq == 2 for event in events):
            bench.delivery.generation = 1
        Program.deliver(bench.program, events)

    bench.program.deliver = replace
    bench.send_events([opened(1), ended(2), opened(3), status(4), ended(5), status(6)])
    bench.until(lambda: 6 in bench.program.numbers())
    bench.end()
    assert bench.program.numbers() == [1, 2, 4, 6]


def test_the_history_of_a_replaced_connection_is_the_same_when_it_is_read_from_the_journal(
    tmp_path,
):
    bench = Bench(in_folder(tmp_path, "main", JournalSettings()))
    events = [opened(1), status(2), ended(3), opened(4), status(5), ended(6)]
    bench.send_events([events[0]])
    bench.until(lambda: bench.program.numbers() == [1])
    bench.delivery.generation = 1
    with Journal(StateFolder(tmp_path).journal("main")) as journal:
        journal.append(encode_events(events[:3]), 1, 3, 0, 0)
        journal.append(encode_events(events[3:]), 4, 6, 0, 0)
    bench.writer.close()
    bench.inbox.detach(None)
    bench.attach(Begun(1)).nudge(6)
    bench.send_events([opened(7)])
    bench.until(lambda: 7 in bench.program.numbers())
    assert bench.program.numbers() == [1, 2, 5, 7]
    bench.end()


def test_the_death_of_a_replaced_process_ends_no_connection(bench):
    bench.send_events([opened(1)])
    bench.until(lambda: bench.program.numbers() == [1])
    bench.delivery.generation = 1
    bench.writer.close()
    bench.inbox.detach(Died("it was killed"))
    bench.attach(Begun(1)).nudge(1)
    bench.send_events([opened(2)])
    bench.until(lambda: 2 in bench.program.numbers())
    assert [event.kind for event in bench.program.got] == ["connected", "error", "connected"]


def test_a_batch_that_cannot_be_read_is_told_and_the_next_one_comes(bench, caplog):
    bench.send(1)
    bench.writer.offer(b"\xc1 no msgpack", 1)
    bench.send(2)
    bench.until(lambda: 2 in bench.program.numbers())
    assert [event.kind for event in bench.program.got] == ["status", "error", "status"]


@pytest.mark.parametrize("refused", [3, 0], ids=["an event", "a gap"])
def test_a_program_that_takes_no_more_gets_nothing_more_and_its_cursor_stays(tmp_path, refused):
    """Though nobody has stopped it yet, and more has come: batches, and the death of a process."""
    place = in_folder(tmp_path, "main", JournalSettings())
    bench = Bench(place, slice_size=1)
    taken = bench.program.deliver

    def deliver(events: Sequence[AnyEvent]) -> None:
        if events[0].seq == refused:
            raise ConsumerClosed(0, 1)
        taken(events)

    bench.program.deliver = deliver
    bench.send(1, 2)
    bench.send(*((3, 4) if refused else (4, 5)))
    bench.send(6)
    bench.inbox.detach(Died("it was killed"))
    assert bench.abandoned.wait(60)
    assert bench.program.numbers() == [1, 2]
    assert place.position.cursor == 2
    bench.end()


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(1, 6)), min_size=1, max_size=20))
def test_events_come_once_and_in_order_and_holes_are_told(cuts):
    """Batches that overlap with what came before, or leave something out."""
    bench = Bench()
    end, expected, holes = 0, [], 0
    for back, length in cuts:
        begin = max(1, end - 4 + back)
        holes += begin > end + 1
        bench.send(*range(begin, begin + length))
        expected += range(max(begin, end + 1), begin + length)
        end = max(end, begin + length - 1)
    bench.until(lambda: end in bench.program.numbers())
    bench.end()
    assert [number for number in bench.program.numbers() if number] == expected
    assert bench.program.numbers().count(0) == holes
