"""The orders that may still change.  No I/O."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ChildIds", "Unfinished"]


class ChildIds(NamedTuple):
    """A child order's: its master order's, the exchange's and the venue's, `""` where not known."""

    master_id: str
    order_id: str
    venue_id: str


class Unfinished(NamedTuple):
    """Orders that were not at their end when they were last heard of: ids of master orders, and
    child orders."""

    masters: list[str]
    children: list[ChildIds]
