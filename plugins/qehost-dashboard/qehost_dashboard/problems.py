"""What went wrong, the last of it, in the words of who said it.  No I/O and no clock."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from qehost.blotter import Change
from qehost.errors import HookError
from qehost.messages import (
    AnyEvent,
    ConnectedEvent,
    DisconnectedEvent,
    ErrorEvent,
    MasterOrderEvent,
    OrderEvent,
)

__all__ = ["Problem", "Problems", "problem_of"]

KEPT = 200
_REFUSED = frozenset({"REJECTED", "CANCEL_REJECTED"})
_ENDED_BADLY = frozenset({"REJECTED", "EXPIRED", "COMPLETED_WITHTAIL"})
_MS = 1_000_000


class Problem(msgspec.Struct, omit_defaults=True):
    """One thing, or several of a kind that came one after the other."""

    kind: str
    """`rejected`, `cancel_rejected`, `master_order` (it has ended in `status`), `paused`,
    `disconnected`, `connected`, `error` (`status` is its code), `plugin` (a hook of `status` has
    raised)."""
    account: str = ""
    text: str = ""
    symbol: str = ""
    status: str = ""
    master_id: str = ""
    order_id: str = ""
    at: int = 0
    first: int = 0
    count: int = 1
    id: int = 0

    def is_like(self, other: Problem) -> bool:
        return (self.kind, self.account, self.text, self.symbol, self.status, self.master_id) == (
            other.kind,
            other.account,
            other.text,
            other.symbol,
            other.status,
            other.master_id,
        )


class Problems:
    """The last ones; those of a kind that follow each other are one, with their count."""

    def __init__(self) -> None:
        self._kept: dict[int, Problem] = {}
        self._number = 0

    def __iter__(self) -> Iterator[Problem]:
        return iter(self._kept.values())

    def add(self, problem: Problem) -> Problem:
        """What is kept of it now."""
        last = self._kept.get(self._number)
        if last is not None and last.is_like(problem):
            last.count += 1
            last.at = problem.at
            last.order_id = problem.order_id
            return last
        self._number += 1
        problem.id, problem.first = self._number, problem.at
        self._kept[self._number] = problem
        self._kept.pop(self._number - KEPT, None)
        return problem


def problem_of(event: AnyEvent, change: Change) -> Problem | None:
    """What the event says went wrong, if it does."""
    at = event.received_at // _MS
    if isinstance(event, DisconnectedEvent):
        return Problem("disconnected", event.account, event.message.reason, at=at)
    if isinstance(event, ConnectedEvent):
        if not event.message.down_since:
            return None  # the first connection
        down = max(0, event.message.up_at - event.message.down_since) / 1e9
        return Problem("connected", event.account, f"{down:.1f}", at=at)
    if isinstance(event, ErrorEvent):
        problem = event.message
        return Problem("error", event.account, problem.text, status=problem.code, at=at)
    if event.origin == "baseline" or change.kind in ("repeat", "stale", "uncertain"):
        return None
    if isinstance(event, OrderEvent):
        return _of_child(change, event.message.status.upper(), at)
    if isinstance(event, MasterOrderEvent):
        return _of_master(change, at)
    return None


def of_hook(error: HookError, at: int) -> Problem:
    return Problem("plugin", text=str(error), status=error.plugin, at=at)


def _of_child(change: Change, status: str, at: int) -> Problem | None:
    child = change.child
    if child is None or status not in _REFUSED or status == change.before.upper():
        return None
    kind = "rejected" if status == "REJECTED" else "cancel_rejected"
    return Problem(
        kind,
        change.account,
        child.reason,
        child.symbol,
        status,
        child.master_id,
        child.order_id,
        at,
    )


def _of_master(change: Change, at: int) -> Problem | None:
    master = change.master
    if master is None:
        return None
    status = master.status.upper()
    if status == change.before.upper() or status not in (_ENDED_BADLY | {"PAUSED"}):
        return None
    kind = "paused" if status == "PAUSED" else "master_order"
    return Problem(kind, change.account, master.reason, master.symbol, status, master.id, at=at)
