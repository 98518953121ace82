"""The present state of all that the page shows of orders, by the events.  No I/O and no clock.

What changes is collected until `changes` takes it: however often a row changes in between, it is
made once.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec
from qehost.blotter import Blotter, MasterState
from qehost.messages import AnyEvent, MasterOrderEvent

from qehost_dashboard.problems import Problem, Problems, problem_of
from qehost_dashboard.rows import (
    ChildRow,
    FillRow,
    MasterRow,
    Terms,
    child_row,
    fill_row,
    master_row,
)
from qehost_dashboard.traces import Trace

__all__ = ["Changes", "Desk", "OrderView"]

FILLS = 100
"""That are shown; KEPT are there for looking at one order."""
KEPT = 2000
CHILDREN = 50
"""Of one master order, beside those that are open."""
FINISHED = 200
OPEN = 2000
_SPARE = 100

Key: TypeAlias = tuple[str, str]


class Changes(msgspec.Struct, omit_defaults=True):
    """What is another one since the last time."""

    masters: list[MasterRow] = []
    gone: list[Key] = []
    """Master orders that are no longer kept: account and id."""
    fills: list[FillRow] = []
    """The oldest first."""
    problems: list[Problem] = []
    """New ones, and those whose count has grown."""


class OrderView(msgspec.Struct):
    """One master order, looked at."""

    master: MasterRow
    children: list[ChildRow]
    """Those that are open, and of the others those that changed last; the newest first."""
    fills: list[FillRow]
    """The newest first, as far as they are kept."""
    trace: list[tuple[int, float, float]]
    """Fills over time for a picture: epoch ms, quantity, price.  Of many, some are put together."""


class _Order:
    """What is kept of a master order beside the blotter."""

    __slots__ = ("children", "terms", "trace")

    def __init__(self) -> None:
        self.terms = Terms()
        self.trace = Trace()
        self.children: dict[str, None] = {}
        """The ids of the child orders that changed last."""

    def note_child(self, ident: str) -> None:
        self.children.pop(ident, None)
        self.children[ident] = None
        if len(self.children) > CHILDREN:
            del self.children[next(iter(self.children))]


class Desk:
    """Not for several threads.  It keeps so many master orders that have ended."""

    def __init__(self, finished: int = FINISHED) -> None:
        self._finished = finished
        self._blotter = Blotter(masters=OPEN, finished=finished, fills=KEPT)
        self._orders: dict[Key, _Order] = {}
        self._rows: dict[Key, MasterRow] = {}
        self._problems = Problems()
        self._touched: dict[Key, MasterState] = {}
        self._new_fills: list[FillRow] = []
        self._new_problems: dict[int, Problem] = {}

    def seq(self, account: str) -> int:
        """The number of the newest event of an account."""
        return self._blotter.seq.get(account, 0)

    def take(self, event: AnyEvent) -> None:
        change = self._blotter.add(event)
        problem = problem_of(event, change)
        if problem is not None:
            self.note(problem)
        state = change.master
        if state is None or change.kind in ("repeat", "stale"):
            return
        key = state.account, state.id
        order = self._orders.get(key)
        if order is None:
            order = self._orders[key] = _Order()
        if isinstance(event, MasterOrderEvent):
            if event.detail is not None:
                order.terms = Terms.of(event.detail)
            order.trace.status(state.status, state.updated or state.heard)
        elif change.kind == "filled" and change.fill is not None:
            order.trace.add(change.fill)
            self._new_fills.append(fill_row(change.fill))
            if len(self._new_fills) > 2 * FILLS:
                del self._new_fills[:-FILLS]
        if change.child is not None:
            order.note_child(change.child.id)
        self._touched[key] = state

    def note(self, problem: Problem) -> None:
        kept = self._problems.add(problem)
        self._new_problems[kept.id] = kept

    def changes(self) -> Changes | None:
        """What `take` and `note` have changed since the last time; None: nothing."""
        if not (self._touched or self._new_fills or self._new_problems):
            return None
        rows = [self._row(key, state) for key, state in self._touched.items()]
        self._rows.update(((row.account, row.id), row) for row in rows)
        kept = {problem.id for problem in self._problems}
        made = Changes(
            rows,
            self._forget(),
            self._new_fills[-FILLS:],
            [problem for number, problem in self._new_problems.items() if number in kept],
        )
        self._touched, self._new_fills, self._new_problems = {}, [], {}
        return made

    def everything(self) -> Changes:
        """As of the last `changes`."""
        fills = [fill_row(fill) for fill in self._blotter.fills(FILLS)]
        return Changes(list(self._rows.values()), [], fills[::-1], list(self._problems))

    def masters(self) -> list[MasterRow]:
        return list(self._rows.values())

    def order(self, account: str, ident: str) -> OrderView | None:
        """One master order with its child orders, as of now."""
        state = self._blotter.master(account, ident)
        if state is None:
            return None
        key = state.account, state.id
        order = self._orders.get(key)
        last = order.children if order is not None else {}
        found = (self._blotter.child(account, each) for each in {*last, *state.open_children})
        children = [child_row(child) for child in found if child is not None]
        children.sort(key=lambda child: (child.is_open, child.created), reverse=True)
        fills = [fill_row(f) for f in self._blotter.fills(FILLS, state.account, state.id)]
        trace = [] if order is None else order.trace.points()
        return OrderView(self._row(key, state), children, fills, trace)

    def _row(self, key: Key, state: MasterState) -> MasterRow:
        order = self._orders.get(key)
        if order is None:
            return master_row(state, Terms(), (), 0)
        return master_row(state, order.terms, order.trace.pauses, order.trace.last_fill)

    def _forget(self) -> list[Key]:
        """Drop what the blotter has dropped, now and then."""
        most = self._finished + _SPARE
        if len(self._rows) < most:
            return []
        ended = sum(bool(row.status) and not row.is_open for row in self._rows.values())
        if ended < most and len(self._rows) < OPEN + most:
            return []
        kept = {(state.account, state.id) for state in self._blotter.masters()}
        gone = [key for key in self._rows if key not in kept]
        for key in gone:
            del self._rows[key]
            self._orders.pop(key, None)
        return gone
