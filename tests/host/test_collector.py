"""A batch is due when it is full or old; what is in memory has no gaps and a bound."""

from __future__ import annotations

from plugin_bench import event

from qehost.host.collector import Collector
from qehost.messages import AnyEvent


def events(first: int, last: int) -> list[AnyEvent]:
    return [event(seq) for seq in range(first, last + 1)]


def seqs(found: list[AnyEvent]) -> list[int]:
    return [each.seq for each in found]


def test_it_is_due_when_it_is_full() -> None:
    collector = Collector(10, 5.0)
    collector.add(events(1, 9), 9, 0, now=100.0)
    assert collector.due(0, 9, now=101.0) == 105.0
    collector.add(events(10, 10), 10, 0, now=102.0)
    assert collector.due(0, 10, now=103.0) == 103.0


def test_it_is_due_when_its_oldest_event_is_old_enough() -> None:
    collector = Collector(10, 5.0)
    collector.add(events(1, 3), 3, 0, now=100.0)
    collector.add(events(4, 6), 6, 0, now=102.0)
    assert collector.due(0, 6, now=103.0) == 105.0
    # Those up to 3 were delivered: the next one has waited since it came.
    assert collector.due(3, 6, now=105.0) == 107.0


def test_what_came_before_the_process_waits_no_longer_than_what_comes_now() -> None:
    collector = Collector(10, 5.0)
    assert collector.due(7, 9, now=100.0) == 105.0
    assert collector.due(7, 9, now=104.0) == 105.0
    assert collector.due(7, 17, now=104.0) == 104.0


def taken(collector: Collector, done: int, newest: int) -> tuple[list[int], int]:
    found, last = collector.take(done, newest)
    return seqs(found), last


def test_it_has_what_comes_right_after_what_was_delivered_or_nothing() -> None:
    collector = Collector(10, 5.0)
    collector.add(events(1, 5), 5, 0, now=0.0)
    assert taken(collector, 0, 3) == ([1, 2, 3], 3)
    assert taken(collector, 3, 5) == ([4, 5], 5)
    collector.add(events(7, 8), 8, 3, now=0.0)  # 6 can't be had from here
    assert taken(collector, 3, 8) == ([4, 5], 5)
    assert taken(collector, 5, 8) == ([], 5)
    collector.add(events(8, 9), 9, 8, now=0.0)
    assert taken(collector, 8, 9) == ([9], 9)


def test_no_more_than_a_batch_is_taken() -> None:
    collector = Collector(3, 5.0)
    collector.add(events(1, 5), 5, 0, now=0.0)
    assert taken(collector, 0, 5) == ([1, 2, 3], 3)
    assert taken(collector, 3, 5) == ([4, 5], 5)


def test_memory_has_a_bound() -> None:
    collector = Collector(10, 5.0)
    for first in range(1, 1000, 5):
        collector.add(events(first, first + 4), first + 4, 0, now=0.0)
    assert len(collector._events) <= 25


# --- filters ------------------------------------------------------------------------------------


def tens(event: AnyEvent) -> bool:
    return event.seq % 10 == 0


def test_what_is_not_wanted_makes_no_batch_full() -> None:
    collector = Collector(3, 5.0, tens)
    collector.add(events(1, 29), 29, 0, now=100.0)
    assert collector.due(0, 29, now=101.0) == 105.0
    collector.add(events(30, 35), 35, 0, now=102.0)
    assert collector.due(0, 35, now=103.0) == 103.0
    assert taken(collector, 0, 35) == ([10, 20, 30], 30)
    # The cursor passes over those that no one wants, too.
    assert taken(collector, 30, 35) == ([], 35)


def test_the_first_that_is_wanted_waits_max_wait() -> None:
    collector = Collector(3, 5.0, tens)
    for now, seq in enumerate(range(1, 15), 100):
        collector.add(events(seq, seq), seq, 0, now=now)
    assert collector.due(0, 14, now=114.0) == 109.0 + 5.0
    # Where none is, the cursor follows as late.
    assert collector.due(10, 14, now=114.0) == 114.0 + 5.0


def test_what_is_not_known_counts_as_wanted_until_it_is_read() -> None:
    collector = Collector(3, 5.0, tens)
    collector.add(events(51, 59), 59, 40, now=100.0)
    assert collector.due(40, 59, now=101.0) == 101.0
    assert taken(collector, 40, 59) == ([], 40)
    assert collector.due(59, 59, now=101.0) > 101.0


def test_events_that_are_not_wanted_take_no_memory() -> None:
    collector = Collector(3, 5.0, tens)
    for seq in range(1, 10_000):
        collector.add(events(seq, seq), seq, seq // 10 * 10, now=0.0)
    assert len(collector._events) + len(collector._times) <= 3
