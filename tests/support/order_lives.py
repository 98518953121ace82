"""A journal of orders' lives, written in several ways."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qehost.events.codec import RawBatch, encode_events
from qehost.messages import AnyEvent
from qehost.storage.journal import Journal
from qehost.testing import Events

SECOND = 10**9
START = 1_767_323_045 * SECOND
JOURNAL_ID = "0123456789abcdef"


def some_life() -> list[AnyEvent]:
    """Three master orders and their child orders, of which some stay open, as the stream told them;
    with a status now and then."""
    make = Events(journal_id="", step_ms=1000, start_ms=START // 10**6)
    events: list[AnyEvent] = []
    for number in range(3):
        master = f"mo-{number}"
        events.append(make.master_order(master_order_id=master))
        for child in range(4):
            ids = {"master_order_id": master, "id": f"{number}{child}", "order_id": f"x{child}"}
            events.append(make.order(**ids))
            if child % 2:
                events.append(make.status("up"))
                events.append(make.order(**ids, status="FILLED" if child == 1 else "CANCELLED"))
        if number:
            events.append(make.master_order(master_order_id=master, status="COMPLETED"))
    return events


EVENTS = some_life()
END = EVENTS[-1].seq


def write(folder: Path, events: list[AnyEvent], sizes: list[int], new_file_after: set[int]) -> None:
    """As batches of these sizes, some of texts alone as they come from the stream."""
    left, turn = list(events), 0
    while left:
        with Journal(folder) as journal:
            while left:
                size = sizes[turn % len(sizes)]
                part, left = left[:size], left[size:]
                first, last = part[0], part[-1]
                if turn % 2:
                    records: list[Any] = list(part)
                else:
                    # One time for a batch: the same as that of its events, if it is one.
                    records = [RawBatch(e.seq, "main", e.received_at, [e.raw]) for e in part]
                times = first.received_at, last.received_at
                journal.append(encode_events(records), first.seq, last.seq, *times)
                turn += 1
                if turn in new_file_after:
                    break


def named(events: list[AnyEvent]) -> list[tuple[Any, ...]]:
    return [(e.seq, e.kind, e.origin, e.message, e.raw) for e in events]
