"""Pages of the journal, the newest event first."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import msgspec
from qehost import Context
from qehost.messages import AnyEvent, EventKind

__all__ = ["KINDS", "Page", "Question", "page"]

KINDS: frozenset[EventKind] = frozenset(
    {"master_order", "order", "fill", "status", "error", "connected", "disconnected", "unknown"}
)
MOST = 500
SECONDS = 2.0
"""For so long a page is looked for; what was found by then is given."""
_MS = 1_000_000


class Question(msgspec.Struct, frozen=True):
    account: str
    before_seq: int | None = None
    kinds: frozenset[EventKind] | None = None
    symbol: str = ""
    master: str = ""
    limit: int = 100


class Past(msgspec.Struct, frozen=True, omit_defaults=True):
    """An event."""

    account: str
    seq: int
    journal_id: str
    kind: str
    at: int
    """When it was received, epoch ms."""
    origin: str = ""
    redelivered: bool = False
    stale: bool = False
    fields: dict[str, Any] = {}
    """Its detail, or else its message; without what was not sent."""


class Page(msgspec.Struct, frozen=True):
    events: list[Past]
    next: int | None
    """`before_seq` of the next page; None: that was the last."""
    pruned_before: int
    """The first event that the journal still has, where it had earlier ones; else 0."""


def page(context: Context, question: Question) -> Page:
    """In any thread.  Raises JournalError."""
    history = context.history(
        question.account,
        before_seq=question.before_seq,
        kinds=question.kinds,
        newest_first=True,
    )
    until = time.monotonic() + SECONDS
    found: list[Past] = []
    following: int | None = None
    for event in _events(history):
        if _is_asked_for(event, question):
            found.append(_past(event))
        if len(found) >= question.limit or time.monotonic() > until:
            following = event.seq
            break
    return Page(found, following, history.pruned_before)


def _events(history: Any) -> Iterator[AnyEvent]:
    """Without the states of open orders from before its first event, which come last."""
    before: int | None = None
    for event in history:
        if before is not None and event.seq >= before:
            return
        before = event.seq
        if event.seq < history.pruned_before:
            return
        yield event


def _is_asked_for(event: AnyEvent, question: Question) -> bool:
    message = event.message
    if question.master and getattr(message, "master_order_id", "") != question.master:
        return False
    symbol = question.symbol.upper()
    return not symbol or getattr(message, "symbol", "").upper() == symbol


def _past(event: AnyEvent) -> Past:
    of = event.message if event.detail is None else event.detail
    fields = {"text": of} if of is None or isinstance(of, str) else of.as_dict()
    return Past(
        event.account,
        event.seq,
        event.journal_id,
        event.kind,
        event.received_at // _MS,
        event.origin,
        event.redelivered,
        event.stale,
        {name: value for name, value in fields.items() if value not in (None, "", {})},
    )
