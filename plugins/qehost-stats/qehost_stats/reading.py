"""The master orders of a time, read from the journal of one account."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from typing import NamedTuple

from msgspec.structs import replace
from qehost import Context
from qehost.hookspecs import EventHistory
from qehost.messages import MasterOrderEvent

from qehost_stats.figures import Mark, OrderFigures
from qehost_stats.making import figures_of
from qehost_stats.traces import Traces

__all__ = ["Account", "Reader", "read_account"]

SLICE = 5_000
"""Events that are looked at together: enough for most states to be replaced, few in memory."""
_MS = 1_000_000
_EARLIER = timedelta(minutes=1)
"""What was made at a time may have been received so much earlier: clocks differ."""


class Account(NamedTuple):
    """What one account's journal has of a time."""

    orders: list[OrderFigures]
    events: int
    as_of: int
    """When the last event was received, epoch ms; 0: there was none."""
    notes: list[str]
    """What is missing."""


class Reader:
    """The figures of one account's master orders, from slices of its events."""

    def __init__(self, since: int = 0) -> None:
        self._since = since
        self._traces = Traces()
        self._orders: list[OrderFigures] = []
        self.events = 0

    @property
    def seq(self) -> int:
        return self._traces.seq

    @property
    def as_of(self) -> int:
        return self._traces.as_of

    def feed(self, history: EventHistory) -> Iterator[int]:
        """Read a history to its end; tells after each slice how many events it had."""
        # Read on, it begins with the states of open orders, which are known.
        after = self.seq
        events = (event for event in history if not after or event.seq > after)
        while slice_ := list(islice(events, SLICE)):
            self.events += len(slice_)
            self._traces.add(slice_)
            for trace in self._traces.settled():
                # What ended before the time that is asked for was read for the others' beginning.
                if trace.heard >= self._since and (made := figures_of(trace, self.as_of)):
                    self._orders.append(made)
            yield len(slice_)

    def orders(self) -> list[OrderFigures]:
        """Those that have ended and those that run, as they are now."""
        running = (
            figures_of(trace, max(self.as_of, trace.heard))
            for trace in self._traces.unsettled()
            if not trace.ended_at or trace.heard >= self._since
        )
        found = [*self._orders, *(order for order in running if order is not None)]
        late = self._traces.late
        return [
            _marked(order) if late[order.master_order_id.casefold()] else order for order in found
        ]


def _marked(order: OrderFigures) -> OrderFigures:
    """More came of it after its figures were made."""
    if "partial" in order.marks:
        return order
    marks: tuple[Mark, ...] = (*order.marks, "partial")
    return replace(order, marks=marks)


def read_account(context: Context, account: str, since: int, until: int) -> Account:
    """`since` and `until` are epoch ns.

    An order that was open when the time begins is read from its beginning, as far as the journal
    has it and it lies no farther back than the time is long, or a day.
    """
    begin = _beginning(context, account, since, until)
    history = context.history(account, since=begin, until=until)
    reader = Reader(since // _MS)
    for _ in reader.feed(history):
        pass
    notes = [
        f"{account}: events {first} to {last} are damaged on the disk"
        for first, last in history.damaged
    ]
    if first := history.pruned_before:
        notes.append(f"{account}: what came before event {first} is no longer in the journal")
    return Account(reader.orders(), reader.events, reader.as_of, notes)


def _beginning(context: Context, account: str, since: int, until: int) -> int:
    """When the oldest of the orders was made that were open at this time, epoch ns."""
    begin = since
    for state in context.history(account, since=since, until=until, limit=0):
        if isinstance(state, MasterOrderEvent) and (detail := state.detail) is not None:
            started = detail.start_time_ms or 0
            received = state.received_at
            made = min(started * _MS, received) if started else received
            begin = min(begin, made - int(_EARLIER.total_seconds() * 1e9))
    longest = max(until - since, 86_400 * 10**9)
    return max(begin, since - longest, 0)
