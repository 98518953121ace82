"""A report: the master orders of a time, their sums, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from qehost import Context

from qehost_stats.figures import OrderFigures
from qehost_stats.reading import read_account
from qehost_stats.sums import Group, by_algorithm, by_day, by_quote
from qehost_stats.venue import NOT_ASKED, analysed, without_analysis

__all__ = ["Report", "as_json", "make"]

PICTURES = ("progress", "planned")
"""Fields of an order that are for the pictures alone."""


class Report(msgspec.Struct, kw_only=True, frozen=True):
    """Times are ISO 8601, UTC."""

    version: int = 1
    made_at: str
    since: str
    until: str
    accounts: tuple[str, ...]
    events: int
    """Read from the journals."""
    totals: list[Group]
    days: list[Group]
    algorithms: list[Group]
    orders: list[OrderFigures]
    notes: list[str]
    """What is missing, for people."""


def make(
    context: Context, accounts: Sequence[str], since: int, until: int, *, ask_venue: bool
) -> Report:
    """`since` and `until` are epoch ns.

    Raises JournalError where a journal can't be read.
    """
    orders: list[OrderFigures] = []
    notes: list[str] = []
    events = 0
    for account in accounts:
        read = read_account(context, account, since, until)
        events += read.events
        notes += read.notes
        found, why = read.orders, ""
        if ask_venue:
            found, why = analysed(context, account, found)
        else:
            found = without_analysis(found, NOT_ASKED)
        orders += found
        notes += [why] if why else []
    orders.sort(key=lambda order: (order.end_ms, order.account, order.master_order_id))
    return Report(
        made_at=iso(int(datetime.now(UTC).timestamp() * 1000)),
        since=iso(since // 1_000_000),
        until=iso(until // 1_000_000),
        accounts=tuple(accounts),
        events=events,
        totals=by_quote(orders),
        days=by_day(orders),
        algorithms=by_algorithm(orders),
        orders=orders,
        notes=notes,
    )


def as_json(report: Report) -> bytes:
    """Decimals are text, so that they keep each digit."""
    made: dict[str, Any] = msgspec.to_builtins(report)
    for order in made["orders"]:
        for name in PICTURES:
            del order[name]
    return msgspec.json.format(msgspec.json.encode(made), indent=1)


def iso(epoch_ms: int) -> str:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
