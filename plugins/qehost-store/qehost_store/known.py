"""What the database has of orders, as far as it is kept in memory."""

from __future__ import annotations

from datetime import date
from typing import TypeAlias

from qehost_store.bounded import Bounded
from qehost_store.rows import Row
from qehost_store.states import Child, State

__all__ = ["ChildKey", "DayKey", "Known"]

CHILDREN, MASTERS, DAYS = 20_000, 5_000, 1_000
"""What is kept at most."""

ChildKey: TypeAlias = tuple[str, str]
"""master_order_id and id, as the table has them."""
DayKey: TypeAlias = tuple[str, date, str, str, str]


class Known:
    """It is right as long as no other process has written: then it is to be cleared.  The account
    comes first in all keys."""

    def __init__(self) -> None:
        self.masters: Bounded[tuple[str, str], State] = Bounded(MASTERS)
        self.children: Bounded[tuple[str, str, str], Child] = Bounded(CHILDREN)
        self.ids: Bounded[tuple[str, str, str], str] = Bounded(CHILDREN)
        """By master order and order_id, as messages have them: the child order's id."""
        self.days: Bounded[DayKey, Row] = Bounded(DAYS)
        self.with_v1: set[str] = set()
        """The accounts that have child orders without an id, as V1 tells them."""

    def clear(self) -> None:
        for kept in (self.masters, self.children, self.ids, self.days):
            kept.clear()
