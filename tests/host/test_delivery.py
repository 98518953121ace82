"""Each event at least once and in order, from queue and journal; what is missing is told."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from limits import unopenable

from qehost.errors import GapError
from qehost.events.codec import encode_events
from qehost.host.delivery import ConsumerClosed, Delivery, Position, newest_seq
from qehost.messages import AnyEvent, ErrorEvent, Problem, StatusEvent
from qehost.storage.cursors import Cursors
from qehost.storage.journal import Batch, Journal, JournalReader
from qehost.storage.journal.layout import segments

JOURNAL_ID = "0123456789abcdef"


def status(number: int) -> StatusEvent:
    return StatusEvent(number, "main", "", 0, "stream", False, "", str(number))


def batch(*numbers: int) -> bytes:
    return encode_events([status(number) for number in numbers])


def queued(*batches: bytes | int) -> list[tuple[str, bytes] | int]:
    """As the queue brings it."""
    return [item if isinstance(item, int) else (JOURNAL_ID, item) for item in batches]


class Consumer:
    """`got`: each event as (number, marked), and each gap as its text, in order."""

    def __init__(self) -> None:
        self.got: list[tuple[int, bool] | str] = []
        self.slices: list[list[int]] = []
        self.react: Callable[[Sequence[AnyEvent]], int] = len
        """What `deliver` does and returns for a slice that was noted."""
        self.refuses_gaps = False

    def deliver(self, events: Sequence[AnyEvent]) -> int:
        self.slices.append([event.seq for event in events])
        done = self.react(events)
        self.got += [(event.seq, event.redelivered) for event in events[:done]]
        return done

    def tell(self, error: GapError) -> None:
        if self.refuses_gaps:
            raise ConsumerClosed
        self.got.append(str(error))


class Bench:
    """A journal, cursors, and a delivery to a consumer."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.cursors = Cursors.in_memory(["main"])
        self.cursors.advance("main", 0)
        self.complaints: list[str] = []
        self.start()

    def start(self, **position: bool) -> None:
        """Begin anew, as a process does that takes the place of one that has died."""
        self.consumer = Consumer()
        self.journal = None if self.folder is None else JournalReader(self.folder)
        self.position = Position(self.cursors, "main", self._end, **position)
        self.delivery = Delivery("main", self.position, self.consumer, self.journal, self._complain)

    def _end(self) -> int:
        return 0 if self.journal is None else newest_seq(self.journal)

    def _complain(self, text: str, *values: object) -> None:
        self.complaints.append(text % values)

    def journal_has(self, *batches: Sequence[int]) -> None:
        assert self.folder is not None
        with Journal(self.folder) as journal:
            for numbers in batches:
                journal.append(batch(*numbers), numbers[0], numbers[-1], 0, 0)

    def work(self, steps: int = 1000) -> None:
        """Deliver until there is nothing to do, or nothing now."""
        for _ in range(steps):
            if not self.delivery.busy:
                return
            self.delivery.step()
            if self.delivery.due:
                return

    def take(self, *batches: bytes | int) -> None:
        self.delivery.take(queued(*batches))
        self.work()

    @property
    def kept(self) -> tuple[int | None, int]:
        """What a successor finds: the cursor, and the last event in flight."""
        return self.cursors.cursor("main"), self.cursors.in_flight("main")


def plain(*numbers: int) -> list[tuple[int, bool]]:
    return [(number, False) for number in numbers]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "journal")


@pytest.fixture
def without_journal() -> Bench:
    return Bench(None)


# --- queue and journal ----------------------------------------------------------------------


def test_what_the_queue_left_out_is_read_from_the_journal(bench: Bench) -> None:
    bench.journal_has([1, 2, 3], [4, 5], [6])
    bench.take(batch(1, 2, 3), batch(6), batch(7))
    assert bench.consumer.got == plain(1, 2, 3, 4, 5, 6, 7)


def test_a_number_in_the_queue_says_how_far_the_journal_is_to_be_read(bench: Bench) -> None:
    bench.journal_has([1, 2], [3, 4], [5, 6])
    bench.take(4)
    assert bench.consumer.got == plain(1, 2, 3, 4)


def test_what_is_in_the_queue_alone_is_not_lost_to_a_look_into_the_journal(bench: Bench) -> None:
    """While the journal could not be written it came by the queue, behind a number; the third was
    in the queue of a process that died."""
    bench.journal_has([1, 2], [6, 7])
    bench.take(3, batch(4, 5), batch(6, 7))
    first, second, told, *others = bench.consumer.got
    assert [first, second, *others] == plain(1, 2, 4, 5, 6, 7)
    assert "event 3 can't be delivered" in str(told)


def test_catching_up_delivers_what_the_journal_has_by_then(bench: Bench) -> None:
    bench.delivery.catch_up()
    bench.journal_has([1, 2], [3])
    bench.work()
    assert bench.consumer.got == plain(1, 2, 3)


def test_what_came_already_is_passed_over(bench: Bench) -> None:
    bench.take(batch(1, 2, 3), batch(2, 3), batch(1), batch(3, 4), 2)
    assert bench.consumer.got == plain(1, 2, 3, 4)


def test_a_step_is_a_slice(bench: Bench) -> None:
    bench.delivery.take(queued(batch(*range(1, 151))))
    bench.delivery.step()
    assert bench.kept == (64, 64)
    bench.work()
    assert [len(numbers) for numbers in bench.consumer.slices] == [64, 64, 22]


def test_a_batch_of_the_queue_that_cannot_be_decoded_is_read_from_the_journal(bench: Bench) -> None:
    bench.journal_has([1, 2], [3])
    bench.take(b"\xc1 no msgpack", batch(3))
    assert bench.consumer.got == plain(1, 2, 3)
    assert "can't be decoded" in bench.complaints[0]


def test_without_a_journal_a_batch_that_cannot_be_decoded_is_told(without_journal: Bench) -> None:
    without_journal.take(b"\xc1 no msgpack", batch(1))
    told, event = without_journal.consumer.got
    assert "can't be decoded" in str(told)
    assert event == (1, False)


# --- what can't be read now, and what is missing --------------------------------------------


@pytest.mark.parametrize("what", ["an event behind it", "a number", "the end"])
def test_a_journal_that_cannot_be_opened_is_no_gap_and_its_events_wait_for_it(
    bench: Bench, what: str
) -> None:
    bench.journal_has([1, 2, 3], [4, 5, 6, 7, 8, 9])
    assert bench.folder is not None
    with unopenable(bench.folder):
        if what == "an event behind it":
            bench.take(batch(10))
        elif what == "a number":
            bench.take(9, batch(10))
        else:
            bench.delivery.catch_up()
        for _ in range(20):  # for as long as it takes
            bench.work()
            assert bench.delivery.due > 0
        assert bench.delivery.left() == 9
        assert bench.consumer.got == []
        assert bench.kept == (0, 0)
    bench.work()
    assert bench.delivery.due == 0
    assert not bench.delivery.busy
    assert bench.consumer.got == plain(*range(1, 10 if what == "the end" else 11))
    (complaint,) = bench.complaints
    assert "00000001.events" in complaint


def test_the_next_look_into_a_journal_that_cannot_be_opened_is_soon(bench: Bench) -> None:
    bench.journal_has([1])
    assert bench.folder is not None
    with unopenable(bench.folder):
        before = time.monotonic()
        bench.take(batch(2))
        assert before < bench.delivery.due <= time.monotonic() + 1


def test_what_comes_by_the_queue_waits_for_no_journal(bench: Bench) -> None:
    bench.journal_has([1, 2])
    bench.take(2)
    assert bench.folder is not None
    with unopenable(bench.folder):
        bench.take(2, batch(3), batch(4), 1, 4)
        assert not bench.delivery.busy
        assert bench.consumer.got == plain(1, 2, 3, 4)


def damage(folder: Path) -> None:
    """Spoil the last record of the newest file."""
    path = segments(folder)[-1]
    path.write_bytes(path.read_bytes()[:-4] + b"rust")


def test_what_is_damaged_is_a_gap_with_its_numbers(bench: Bench) -> None:
    bench.journal_has([1, 2], [3, 4])
    assert bench.folder is not None
    damage(bench.folder)
    bench.take(batch(5))
    *read, told, last = bench.consumer.got
    assert read == plain(1, 2)
    assert "account main: events 3 to 4 can't be delivered" in str(told)
    assert "damaged" in str(told)
    assert last == (5, False)


def test_what_neither_queue_nor_journal_has_is_told(bench: Bench) -> None:
    bench.journal_has([1], [5])
    bench.take(batch(1), batch(7))
    first, told, fifth, again, last = bench.consumer.got
    assert (first, fifth, last) == ((1, False), (5, False), (7, False))
    assert "events 2 to 4 can't be delivered" in str(told)
    assert "event 6 can't be delivered" in str(again)


def gap_event(number: int) -> bytes:
    problem = Problem("gap", "3 events were lost")
    return encode_events([ErrorEvent(number, "main", "", 0, "stream", False, "", problem)])


def test_without_a_journal_what_was_lost_is_told_once_and_at_once(without_journal: Bench) -> None:
    without_journal.take(batch(1), 3, batch(4), gap_event(8), batch(9))
    first, told, *others = without_journal.consumer.got
    assert first == (1, False)
    assert "events 2 to 3 can't be delivered" in str(told)
    assert others == plain(4, 8, 9)  # the eighth says itself what is missing


def test_with_a_journal_a_hole_is_told_also_where_the_next_event_tells_of_another(
    bench: Bench,
) -> None:
    bench.take(batch(1), gap_event(5))
    first, told, gap = bench.consumer.got
    assert (first, gap) == ((1, False), (5, False))
    assert "events 2 to 4 can't be delivered" in str(told)


def test_what_waits_is_counted(bench: Bench) -> None:
    bench.journal_has([1, 2, 3], [4, 5])
    assert bench.delivery.left() == 5
    bench.take(2)
    assert bench.delivery.left() == 2


# --- what a consumer takes ------------------------------------------------------------------


def test_what_a_consumer_did_not_take_of_a_slice_comes_next_and_unmarked(bench: Bench) -> None:
    bench.consumer.react = lambda events: min(2, len(events))
    bench.delivery.take(queued(batch(1, 2, 3, 4, 5)))
    bench.delivery.step()
    assert bench.kept == (2, 2)
    bench.work()
    assert bench.consumer.slices == [[1, 2, 3, 4, 5], [3, 4, 5], [5]]
    assert bench.consumer.got == plain(1, 2, 3, 4, 5)


@pytest.mark.parametrize(("done", "begun"), [(0, 0), (0, 1), (2, 2), (2, 3), (4, 5), (5, 5)])
def test_a_consumer_that_takes_no_more_holds_the_cursor(
    bench: Bench, done: int, begun: int
) -> None:
    def close(events: Sequence[AnyEvent]) -> int:
        raise ConsumerClosed(done, begun)

    bench.journal_has([1, 2, 3], [4, 5])
    bench.consumer.react = close
    bench.delivery.take(queued(batch(1, 2, 3, 4, 5), batch(6, 7)))
    with pytest.raises(ConsumerClosed):
        bench.delivery.step()
    assert bench.kept == (done, begun)
    bench.start()
    bench.take(5)
    assert bench.consumer.got == [(number, number <= begun) for number in range(done + 1, 6)]


def test_a_consumer_that_takes_no_more_keeps_what_was_in_flight(bench: Bench) -> None:
    bench.cursors.put_in_flight("main", 4)
    bench.start()

    def close(events: Sequence[AnyEvent]) -> int:
        raise ConsumerClosed

    bench.consumer.react = close
    bench.delivery.take(queued(batch(1, 2, 3, 4, 5)))
    with pytest.raises(ConsumerClosed):
        bench.delivery.step()
    assert bench.kept == (0, 4)


def test_a_gap_that_a_consumer_did_not_take_is_told_to_its_successor(bench: Bench) -> None:
    bench.consumer.refuses_gaps = True
    bench.delivery.take(queued(batch(1), batch(4)))
    with pytest.raises(ConsumerClosed):
        bench.delivery.step()
    assert bench.kept == (1, 1)
    bench.start()
    bench.take(batch(4))
    told, event = bench.consumer.got
    assert "events 2 to 3 can't be delivered" in str(told)
    assert event == (4, False)


# --- positions ------------------------------------------------------------------------------


def test_what_was_in_flight_comes_again_marked_and_alone(bench: Bench) -> None:
    bench.journal_has([1, 2, 3, 4, 5, 6])
    bench.cursors.advance("main", 2)
    bench.cursors.put_in_flight("main", 4)
    bench.start()
    bench.take(6)
    assert bench.consumer.slices == [[3], [4], [5, 6]]
    assert bench.consumer.got == [(3, True), (4, True), (5, False), (6, False)]


def test_a_position_without_a_cursor_begins_at_the_end(bench: Bench) -> None:
    bench.journal_has([1, 2, 3])
    bench.cursors = Cursors.in_memory(["main"])
    bench.start()
    bench.take(batch(4))
    assert bench.consumer.got == plain(4)


def test_where_nobody_knows_what_was_in_flight_all_that_is_there_comes_marked(bench: Bench) -> None:
    bench.journal_has([1, 2, 3])
    bench.start(unsure=True)
    bench.take(batch(1, 2, 3, 4))
    assert bench.consumer.got == [(1, True), (2, True), (3, True), (4, False)]


@pytest.mark.parametrize("unsure", [False, True])
def test_a_position_begins_at_the_end_also_where_the_journal_cannot_be_opened(
    bench: Bench, unsure: bool
) -> None:
    bench.journal_has([1, 2, 3])
    assert bench.folder is not None
    if not unsure:
        bench.cursors = Cursors.in_memory(["main"])
    with unopenable(bench.folder):
        bench.start(unsure=unsure)
    assert bench.kept == ((0, 3) if unsure else (3, 0))


class Died(BaseException):
    """The process ends here."""


class Mortal:
    """Cursors whose process dies before or after one of their stores."""

    def __init__(self, real: Cursors, lives: int) -> None:
        self._real = real
        self._lives = lives
        self.cursor, self.in_flight, self.lost = real.cursor, real.in_flight, real.lost

    def put_in_flight(self, account: str, seq: int) -> None:
        self._die()
        self._real.put_in_flight(account, seq)
        self._die()

    def advance(self, account: str, seq: int) -> None:
        self._die()
        self._real.advance(account, seq)
        self._die()

    def _die(self) -> None:
        self._lives -= 1
        if not self._lives:
            raise Died


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 100), min_size=1, max_size=6),
    st.lists(st.booleans(), min_size=1, max_size=6),
    st.lists(st.integers(1, 12), max_size=6),
    st.lists(st.integers(0, 3), min_size=1, max_size=4),
)
def test_whenever_it_dies_nothing_is_missed_or_out_of_order_or_twice_without_a_mark(
    sizes: list[int], by_queue: list[bool], deaths: list[int], takes: list[int]
) -> None:
    """Batches of these sizes, of which the queue has some; processes that die at these stores; a
    consumer that takes but so many of a slice, or all."""
    with TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        numbers = iter(range(1, sum(sizes) + 1))
        batches = [[next(numbers) for _ in range(size)] for size in sizes]
        bench.journal_has(*batches)
        queue = [
            batch(*each) if by_queue[place % len(by_queue)] else each[-1]
            for place, each in enumerate(batches)
        ]
        reached: list[tuple[int, bool]] = []

        def take(events: Sequence[AnyEvent]) -> int:
            some = takes[len(reached) % len(takes)]
            count = min(some, len(events)) or len(events)
            # Dying after this is dying in the call: it has reached the consumer.
            reached.extend((event.seq, event.redelivered) for event in events[:count])
            return count

        real = bench.cursors
        for lives in [*deaths, 0]:
            bench.cursors = Mortal(real, lives)  # type: ignore[assignment]
            with suppress(Died):
                bench.start()
                bench.consumer.react = take
                # What one process has read of its queue is gone with it.
                bench.take(*(queue if not reached else [sum(sizes)]))
                assert not bench.delivery.busy
        seen: set[int] = set()
        for number, marked in reached:
            assert number - 1 in seen | {0}
            assert marked or number not in seen
            seen.add(number)
        assert seen == set(range(1, sum(sizes) + 1))


def test_an_event_has_the_id_of_the_queue_or_of_the_file_that_it_came_by(bench: Bench) -> None:
    got: dict[int, str] = {}

    def note(events: Sequence[AnyEvent]) -> int:
        got.update((event.seq, event.journal_id) for event in events)
        return len(events)

    bench.consumer.react = note
    bench.journal_has([1, 2])
    assert bench.journal is not None
    (part,) = bench.journal.read()
    assert isinstance(part, Batch)
    bench.take(batch(3, 4))
    assert got == {1: part.journal_id, 2: part.journal_id, 3: JOURNAL_ID, 4: JOURNAL_ID}
