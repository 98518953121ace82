"""What is told: one thing that happened."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

__all__ = ["FIELDS", "Notice", "When", "one_line"]

When: TypeAlias = Literal[
    "fill",
    "master_order",
    "order",
    "rejected",
    "finished",
    "stalled",
    "disconnected",
    "reconnected",
    "error",
    "dead_letter",
    "gap",
    "problem",
]

FIELDS = (
    "time",
    "account",
    "what",
    "symbol",
    "side",
    "status",
    "quantity",
    "price",
    "notional",
    "filled",
    "average",
    "reason",
    "algorithm",
    "master_order_id",
    "client_order_id",
    "order_id",
    "duration",
    "plugin",
    "process",
    "count",
)
"""What a template may name.  A field that a thing has not is empty."""


class Notice(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One thing that happened, for one rule.

    `(journal_id, account, seq)` is the event's name; of what no event tells, `journal_id` is `""`
    and `seq` 0.  Of the same `subject` one is enough: an order's state that comes again is no news.
    `happened` is epoch seconds.  `facts` has texts by the names in `FIELDS`, and what only this
    plugin knows about it.
    """

    when: When
    account: str
    happened: float
    facts: dict[str, str]
    subject: str = ""
    journal_id: str = ""
    seq: int = 0


def one_line(text: str) -> str:
    """What others wrote, without line ends and without what a terminal would obey."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())
