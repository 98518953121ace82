"""What the rules say of the orders as they stand.  No I/O, no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TypeAlias

import msgspec
from qehost import parse_duration
from qehost.blotter import Blotter, Change, MasterState
from qehost.messages import AnyEvent, FillEvent, OrderEvent

from qehost_guard.settings import REJECTS, Rule

__all__ = ["Finding", "Watch"]

Name: TypeAlias = tuple[str, str]
"""The account and the master order's id."""

BEHIND = 5.0
"""Seconds.  Who gets events so late, or ticks so far apart, can't tell silence from delay."""
_BPS = Decimal(10_000)
_DAY = 86_400_000


class Finding(msgspec.Struct, frozen=True):
    """A rule whose condition holds for a master order."""

    rule: Rule
    account: str
    master_order_id: str
    symbol: str
    reason: str
    """For people."""
    figures: dict[str, str]
    """What was compared, decimals as text."""
    journal_id: str = ""
    seq: int = 0
    """The event at which it was found; 0 for the clock."""


class Watch:
    """Follows the orders and finds what the rules forbid.

    `now` is epoch milliseconds everywhere.  Not for several threads at once.
    """

    def __init__(self, rules: Sequence[Rule], max_age: float) -> None:
        self._rules = rules
        self._max_age = max_age * 1000
        self._blotter = Blotter()
        self._rejects: dict[Name, deque[tuple[int, str]]] = {}
        self._prices: dict[Name, tuple[Decimal, str]] = {}  # the latest, and what has it
        self._notional: dict[tuple[str, str], tuple[int, Decimal]] = {}  # the day, and its sum
        self._paused: dict[Name, int] = {}
        self._news: dict[str, tuple[str, bool]] = {}  # the account's last child order; is it news?
        self._level = 0  # since when nothing is late
        self._ticked = 0
        self._calm = 0  # ticks since something was late

    # --- following --------------------------------------------------------------------------------

    def add(self, event: AnyEvent) -> Change:
        """Take an event in, without a look at the rules."""
        change = self._blotter.add(event)
        at = event.received_at // 1_000_000
        if isinstance(event, OrderEvent):
            child = change.child.id if change.child else ""
            self._news[event.account] = (child, _is_push(event))
        master = change.master
        if master is None:
            return change
        name = (master.account, master.id)
        if not master.is_open:
            for kept in (self._rejects, self._prices, self._paused):
                kept.pop(name, None)
        elif master.status == "PAUSED" and change.child is None and change.kind == "updated":
            self._paused[name] = at
        if change.fill is not None and change.kind == "filled":
            self._count(master, change, at)
        if master.is_open:
            self._note_child(name, change, at)
        return change

    def _note_child(self, name: Name, change: Change, at: int) -> None:
        child = change.child
        if change.fill is not None:
            if change.kind == "filled" and change.fill.price:
                self._prices[name] = (change.fill.price, "fill")
        elif child is not None and change.kind not in ("repeat", "stale", "uncertain"):
            if child.status == "REJECTED":
                kept = self._rejects.setdefault(name, deque(maxlen=REJECTS))
                if all(child.id != each for _, each in kept):
                    kept.append((at, child.id))
            elif child.is_open and child.price:
                self._prices[name] = (child.price, "child order")

    def _count(self, master: MasterState, change: Change, at: int) -> None:
        fill = change.fill
        if fill is None or fill.notional is None:
            return
        day = min(fill.venue_at or at, at) // _DAY  # a day that has not begun would hide today's
        key = (master.account, master.symbol)
        kept, total = self._notional.get(key, (day, Decimal()))
        if day > kept:
            total = Decimal()
        if day >= kept:
            self._notional[key] = (day, total + abs(fill.notional))

    # --- asking ------------------------------------------------------------------------------

    def take(self, event: AnyEvent, now: int) -> list[Finding]:
        """Take an event in; what the rules find at it.  Nothing at what is no news."""
        at = event.received_at // 1_000_000
        if now - at > BEHIND * 1000:
            self._level, self._calm = now, 0
        is_derived_from = self._news.get(event.account, ("", False))
        change = self.add(event)
        # Before a step of the clock backwards is as long ago.
        if abs(now - at) > self._max_age or change.kind in (
            "repeat",
            "stale",
            "uncertain",
            "other",
        ):
            return []
        if isinstance(event, FillEvent) and event.origin == "derived":
            child = change.child.id if change.child else ""
            is_news = not event.redelivered and is_derived_from == (child, True)
        else:
            is_news = _is_push(event)
        if not is_news or change.master is None:
            return []
        return list(self._of_event(event, change, now))

    def tick(self, now: int, accounts: Sequence[str]) -> list[Finding]:
        """What the rules find of the time that has passed."""
        if not 0 <= now - self._ticked <= BEHIND * 1000:
            self._level, self._calm = now, 0
        else:
            self._calm += 1
        self._ticked = now
        timed = [rule for rule in self._rules if rule.condition in ("silent", "down")]
        if not timed:
            return []
        return [
            found
            for account in accounts
            for master in self._blotter.masters(account, open=True)
            for rule in timed
            if (found := self._finding(rule, master, now)) is not None
        ]

    def is_level(self, now: int) -> bool:
        """Whether what is known of the orders is their present state: events come, and in time."""
        # Between two ticks nothing was late: with one alone more may wait behind it.
        return self._calm >= 2 and now - self._ticked <= BEHIND * 1000

    def still(self, rule: Rule, account: str, master_order_id: str, now: int) -> bool:
        """Whether the rule's condition holds now."""
        master = self._blotter.master(account, master_order_id)
        return master is not None and self._finding(rule, master, now) is not None

    def holds(self, found: Finding, now: int) -> bool:
        """Whether what was found still is so."""
        return self.still(found.rule, found.account, found.master_order_id, now)

    def paused_since(self, account: str, master_order_id: str, since: int) -> bool:
        """Whether the order was told as PAUSED at `since` or later."""
        return self._paused.get((account, master_order_id), -1) >= since

    # --- inside ------------------------------------------------------------------------------

    def _of_event(self, event: AnyEvent, change: Change, now: int) -> Iterator[Finding]:
        assert change.master is not None
        for rule in self._rules:
            if rule.condition in ("silent", "down"):
                continue
            masters = [change.master]
            if rule.condition == "notional" and change.fill is not None:
                # A day's bound is about all orders of the symbol.
                masters = [
                    each
                    for each in self._blotter.masters(event.account, open=True)
                    if each.symbol == change.master.symbol
                ]
            elif rule.condition == "rejects" and not (
                change.child is not None and change.child.status == "REJECTED"
            ):
                continue
            for master in masters:
                found = self._finding(rule, master, now)
                if found is not None:
                    yield msgspec.structs.replace(found, journal_id=event.journal_id, seq=event.seq)

    def _finding(self, rule: Rule, master: MasterState, now: int) -> Finding | None:
        if (
            not master.is_open
            or not master.status
            or not rule.covers(master.account, master.symbol)
        ):
            return None
        if rule.action != "cancel" and master.status == "PAUSED":
            return None
        found = self._holds(rule, master, now)
        if found is None:
            return None
        reason, figures = found
        figures = {"symbol": master.symbol, "side": master.side, **figures}
        return Finding(rule, master.account, master.id, master.symbol, reason, figures)

    def _holds(
        self, rule: Rule, master: MasterState, now: int
    ) -> tuple[str, dict[str, str]] | None:
        name = (master.account, master.id)
        if rule.rejects is not None and rule.within is not None:
            since = now - parse_duration(rule.within) * 1000
            count = sum(since <= at <= now for at, _ in self._rejects.get(name, ()))
            if count < rule.rejects:
                return None
            figures = {"rejects": str(count), "limit": str(rule.rejects), "within": rule.within}
            return f"{count} rejected child orders within {rule.within}", figures
        if rule.notional is not None:
            day, total = self._notional.get((master.account, master.symbol), (0, Decimal()))
            if day != now // _DAY or total <= rule.notional:
                return None
            figures = {"notional": str(total), "limit": str(rule.notional)}
            return f"fills of {total} {master.quote} today", figures
        if rule.silent is not None:
            return self._is_silent(rule.silent, master, now)
        if rule.down is not None:
            link = self._blotter.link(master.account)
            lasted = self._lasted(link.since, now)
            if link.state != "down" or lasted < parse_duration(rule.down):
                return None
            figures = {"down": f"{lasted:.1f}", "limit": rule.down, "why": link.last_reason}
            return f"the stream is down for {lasted:.0f} s", figures
        return self._is_beyond(rule, master)

    def _lasted(self, since: int, now: int) -> float:
        """Seconds, as far as nothing was late and no clock was set."""
        if since > now + BEHIND * 1000:  # before the clock was set back
            since = 0
        return (now - max(since, self._level)) / 1000

    def _is_silent(
        self, limit: str, master: MasterState, now: int
    ) -> tuple[str, dict[str, str]] | None:
        link = self._blotter.link(master.account)
        if master.status != "PROCESSING" or link.state != "up":
            return None
        lasted = min(self._lasted(master.heard, now), self._lasted(link.since, now))
        if lasted < parse_duration(limit):
            return None
        return f"silent for {lasted:.0f} s", {"silent": f"{lasted:.1f}", "limit": limit}

    def _is_beyond(self, rule: Rule, master: MasterState) -> tuple[str, dict[str, str]] | None:
        price, what = self._prices.get((master.account, master.id), (None, ""))
        if rule.slippage_bps is not None:
            price, what = master.average, "average price"
        reference, words = master.first_price, "first price"
        if rule.worst_price_bps is not None:
            reference, words = master.worst_price, "worst price"
        limit: Decimal = getattr(rule, rule.condition)
        if price is None or not reference or master.side.lower() not in ("buy", "sell"):
            return None
        sign = 1 if master.side.lower() == "buy" else -1
        bps = sign * (price - reference) / reference * _BPS
        if bps <= limit:
            return None
        figures = {
            "price": str(price),
            "of": what,
            words.replace(" ", "_"): str(reference),
            "bps": f"{bps:.2f}",
            "limit": str(limit),
        }
        return f"{what} {price} is {bps:.1f} bps beyond the {words} {reference}", figures


def _is_push(event: AnyEvent) -> bool:
    return event.origin == "stream" and not event.redelivered
