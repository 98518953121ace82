"""What the figures of a master order are made of, gathered from its events.  No I/O.

The state of orders, and which fill was told before, is `qehost.blotter`'s; here is what a state
does not keep: when the status and the terms changed, the first limit, each fill, and what became of
each child order.  Times are epoch milliseconds, the venue's where it gives one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from qehost.blotter import Blotter, MasterState
from qehost.messages import (
    AnyEvent,
    FillEvent,
    MasterOrderDetail,
    MasterOrderEvent,
    OrderDetail,
    OrderEvent,
)

from qehost_stats.thinning import thinned

__all__ = ["Ended", "Price", "Stroke", "Terms", "Trace", "Traces"]

_MS = 1_000_000
_GRACE = 60_000
"""ms after its end in which more of a master order may come: its child orders' last states."""
_MASTERS = 2000
_CHILDREN = 5_000
"""A few slices' child orders: what is kept of them is in the traces, and few in memory are fast."""
_NEW = frozenset({"NEW", "WAITING"})


class Stroke(NamedTuple):
    """A fill: when, how much, what it is worth as the venue counts it, and its price."""

    at: int
    quantity: Decimal
    notional: Decimal | None
    price: Decimal | None


class Price(NamedTuple):
    at: int
    price: Decimal


class Terms(NamedTuple):
    """What was ordered, from a time on: a quantity, or with `in_quote` an amount of money."""

    at: int
    target: Decimal | None
    in_quote: bool
    duration: float
    """Seconds."""


class Ended(NamedTuple):
    """A child order that has ended."""

    quantity: Decimal | None
    filled: Decimal
    is_rejected: bool
    reason: str


@dataclass(slots=True)
class Trace:
    """One master order."""

    account: str
    id: str
    state: MasterState | None = None
    detail: MasterOrderDetail | None = None
    """Its last state with every field, which may lag behind `state`."""
    detail_seq: int = 0
    statuses: list[tuple[int, str]] = field(default_factory=list)
    terms: list[Terms] = field(default_factory=list)
    limit: Price | None = None
    """The limit of its first child order that had one and was not rejected."""
    fills: list[Stroke] = field(default_factory=list)
    ended: dict[str, Ended] = field(default_factory=dict)
    cancel_rejected: int = 0
    heard: int = 0
    """When something of it was last received."""
    began_before: bool = False
    """Whether the first that was seen of it is a state that it had before."""
    ended_at: int = 0
    """When its end was received; 0: it runs."""


class Traces:
    """The master orders of one account.  Not for several threads at once."""

    def __init__(self) -> None:
        self._blotter = Blotter(_MASTERS, finished=_MASTERS, children=_CHILDREN, fills=1)
        self._open: dict[str, Trace] = {}
        self._settled: set[str] = set()
        self._last_fill = ("", "", 0)
        self.late: Counter[str] = Counter()
        """By master order, events that said something new after it was settled."""
        self.as_of = 0
        """When the last event was received, epoch ms."""
        self.seq = 0
        """The number of that event."""

    def add(self, events: Iterable[AnyEvent]) -> None:
        """Take in a slice of events, some thousands at best: of states that replace each other in
        it only the last is looked at."""
        slice_ = list(events)
        for event in thinned(slice_):
            if isinstance(event, MasterOrderEvent):
                self._take_master(event)
            elif isinstance(event, OrderEvent):
                self._take_order(event)
            elif isinstance(event, FillEvent):
                self._take_fill(event)
            else:
                self._blotter.add_all((event,))
        if slice_:
            self.seq = max(self.seq, slice_[-1].seq)
            self.as_of = max(self.as_of, slice_[-1].received_at // _MS)

    def settled(self) -> Iterator[Trace]:
        """Those that ended a while ago; they are no longer kept here."""
        for key, trace in list(self._open.items()):
            if trace.ended_at and max(trace.heard, trace.ended_at) + _GRACE < self.as_of:
                del self._open[key]
                self._settled.add(key)
                yield self._refreshed(trace)

    def unsettled(self) -> list[Trace]:
        """All others, as they are now."""
        return [self._refreshed(trace) for trace in self._open.values()]

    def _refreshed(self, trace: Trace) -> Trace:
        """A copy of its state costs more than an event does, so there is one when it is needed."""
        state = self._blotter.master(trace.account, trace.id)
        if state is not None and (state.status or trace.state is None):
            trace.state = state
        return trace

    def _take_master(self, event: MasterOrderEvent) -> None:
        change = self._blotter.add(event)
        at = event.received_at // _MS
        key = event.message.master_order_id.casefold()
        trace = self._open.get(key)
        if change.kind == "new" and (key in self._settled or (trace and trace.statuses)):
            # The venue's ids have begun anew.
            trace = None
            self._settled.discard(key)
        elif key in self._settled:
            self.late[key] += change.kind not in ("repeat", "stale", "uncertain")
            return
        if trace is None:
            trace = self._open[key] = Trace(event.account, event.message.master_order_id)
        trace.heard = max(trace.heard, at)
        if not trace.statuses:
            is_new = event.message.status.upper() in _NEW
            trace.began_before = event.origin == "baseline" and not is_new
        if change.kind in ("stale", "uncertain"):
            return
        if change.master is not None:
            trace.state = change.master
            trace.ended_at = 0 if change.master.is_open else at
        _take_terms(trace, event, event.message.timestamp or at)

    def _take_order(self, event: OrderEvent) -> None:
        trace = self._of(event)
        if trace is None:
            return
        self._blotter.add_all((event,))
        detail: OrderDetail | None = event.detail
        if detail is None:
            return
        status = detail.status.upper()
        if detail.price and detail.price > 0 and status != "REJECTED":
            made = detail.order_created_time or event.message.timestamp or trace.heard
            if trace.limit is None or made < trace.limit.at:
                trace.limit = Price(made, detail.price)
        if status == "CANCEL_REJECTED":
            trace.cancel_rejected += 1
        child = self._blotter.child(event.account, detail.id or detail.order_id)
        if child is None or child.master_id.casefold() != event.message.master_order_id.casefold():
            return
        if child.is_open:
            trace.ended.pop(child.id, None)
        elif child.status:
            quantity = None if child.quantity is None else child.quantity.copy_abs()
            is_rejected = child.status.upper() == "REJECTED"
            trace.ended[child.id] = Ended(quantity, child.filled, is_rejected, child.reason)

    def _take_fill(self, event: FillEvent) -> None:
        trace = self._of(event)
        if trace is None:
            return
        self._blotter.add_all((event,))
        fill = next(self._blotter.fills(1), None)
        # The newest one is another one where the event told nothing new.
        if fill is None or fill.name == self._last_fill or fill.seq != event.seq:
            return
        self._last_fill = fill.name
        if fill.quantity:
            at = fill.venue_at or fill.at
            trace.fills.append(Stroke(at, fill.quantity, fill.notional, fill.price))

    def _of(self, event: OrderEvent | FillEvent) -> Trace | None:
        """Of the master order of a child order's event; None where that is settled."""
        ident = event.message.master_order_id
        key = ident.casefold()
        trace = self._open.get(key)
        if trace is None:
            if key in self._settled:
                kind = self._blotter.add(event).kind
                self.late[key] += kind not in ("repeat", "stale", "uncertain")
                return None
            trace = self._open[key] = Trace(event.account, ident)
        at = event.received_at // _MS
        if at > trace.heard:
            trace.heard = at
        return trace


def _take_terms(trace: Trace, event: MasterOrderEvent, at: int) -> None:
    detail: MasterOrderDetail | None = event.detail
    if detail is None:
        return
    if trace.detail is None or event.seq > trace.detail_seq:
        trace.detail, trace.detail_seq = detail, event.seq
    status = detail.status.upper()
    if status and (not trace.statuses or trace.statuses[-1][1] != status):
        trace.statuses.append((at, status))
    target, in_quote = detail.total_quantity, False
    if not target:
        target, in_quote = detail.order_notional, True
    last = trace.terms[-1] if trace.terms else None
    duration = float(detail.execution_duration_seconds or 0) or (last.duration if last else 0.0)
    if not target and last is not None:
        target, in_quote = last.target, last.in_quote
    terms = Terms(at, target.copy_abs() if target else None, in_quote, duration)
    if last is None or terms[1:] != last[1:]:
        trace.terms.append(terms)
