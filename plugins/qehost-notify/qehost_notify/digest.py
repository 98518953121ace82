"""The digest: what the last day brought, and whether all is well now.

It is counted from the journal, in a thread of its own, so nothing has to be kept for it meanwhile,
and what was down for a part of the day misses nothing.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from time import sleep

from qehost import FINAL_STATUSES, Context, parse_duration
from qehost.errors import Error
from qehost.messages import (
    AnyEvent,
    ConnectedEvent,
    DisconnectedEvent,
    ErrorEvent,
    FillEvent,
    MasterOrderEvent,
    OrderEvent,
)

from qehost_notify.hours import last_time, time_of_day
from qehost_notify.matching import plain
from qehost_notify.message import Content
from qehost_notify.settings import Config, Language
from qehost_notify.texts import Texts
from qehost_notify.watching import Watch

__all__ = ["Day", "Digest"]

SYMBOLS = 10
"""Symbols that are told one by one."""
PROBLEMS = 5
"""So are so many problems."""

WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "of": "{}: {}",
        "and": ", ",
        "deal": "{} {} ({})",
        "more": "… {} more symbols",
        "down": "Stream down for {} in all",
        "nothing": "Nothing happened",
        "cut": "(the journal does not go back to its beginning)",
        "well": "All is well now",
        "now": "Now:",
    },
    "zh": {
        "of": "{}：{}",
        "and": "，",
        "deal": "{} {}（{}）",
        "more": "…… 另有 {} 个交易对",
        "down": "推送共中断 {}",
        "nothing": "没有任何动态",
        "cut": "（更早的记录已被清理）",
        "well": "目前一切正常",
        "now": "目前：",
    },
}


class Day:
    """What happened; a state of an order that is told again counts once."""

    def __init__(self) -> None:
        self.fills: Counter[str] = Counter()
        self.traded: dict[str, dict[str, list[Decimal]]] = {}
        """By symbol and side, the quantity and what it was worth."""
        self.ended: dict[tuple[str, str], str] = {}
        self.rejected: set[tuple[str, str]] = set()
        self.outages = self.gaps = self.errors = 0
        self.down = 0.0

    def add(self, event: AnyEvent) -> None:
        if event.origin == "baseline":
            return
        match event:
            case FillEvent() if not event.redelivered:
                self._fill(event)
            case MasterOrderEvent() if not event.stale:
                if (status := event.message.status.upper()) in FINAL_STATUSES:
                    self.ended[event.account, event.message.master_order_id] = status
            case OrderEvent() if not event.stale:
                if event.message.status.upper() == "REJECTED":
                    self.rejected.add((event.account, event.message.order_id))
            case DisconnectedEvent():
                self.outages += 1
            case ConnectedEvent() if event.message.down_since:
                self.down += max(0.0, (event.message.up_at - event.message.down_since) / 1e9)
            case ErrorEvent() if event.message.code == "gap":
                self.gaps += 1
            case ErrorEvent():
                self.errors += 1

    def _fill(self, event: FillEvent) -> None:
        fill = event.detail
        self.fills[fill.symbol] += 1
        sums = self.traded.setdefault(fill.symbol, {}).setdefault(
            fill.side.lower(), [Decimal(), Decimal()]
        )
        sums[0] += abs(fill.quantity or Decimal())
        sums[1] += abs(fill.notional or Decimal())

    def lines(self, texts: Texts) -> list[str]:
        words = WORDS[texts.lang]
        found = []
        for symbol, count in self.fills.most_common(SYMBOLS):
            deals = [
                words["deal"].format(texts.side(side), plain(quantity), plain(worth))
                for side, (quantity, worth) in sorted(self.traded[symbol].items())
            ]
            told = words["and"].join([texts.what([("fill", count)]), *deals])
            found.append(words["of"].format(symbol, told))
        if (more := len(self.fills) - SYMBOLS) > 0:
            found.append(words["more"].format(more))
        if self.ended:
            states = Counter(self.ended.values()).most_common()
            told = words["and"].join(f"{count} {texts.status(status)}" for status, count in states)
            found.append(words["of"].format(texts.what([("finished", len(self.ended))]), told))
        counts = [("rejected", len(self.rejected)), ("disconnected", self.outages)]
        counts += [("gap", self.gaps), ("error", self.errors)]
        if some := [(kind, count) for kind, count in counts if count]:
            found.append(texts.what(some))
        if self.down:
            found.append(words["down"].format(texts.duration(self.down)))
        return found or [words["nothing"]]


class Digest:
    """Says when it is time, and has it made."""

    def __init__(self, context: Context, watch: Watch) -> None:
        self._context, self._watch = context, watch
        self._config: Config = context.config
        self._texts = Texts(self._config.lang, self._config.zone())
        self._words = WORDS[self._config.lang]
        self._making = ""
        self._made: dict[str, Content] = {}

    def due(self, known: str, now: float) -> tuple[str, Content | None] | None:
        """The day and what is to be told of it, once it is made.  `known` is the day that was told
        last; where there was none, or it is too late, there is nothing to be told."""
        clock, zone = time_of_day(self._config.digest), self._config.zone()
        end = last_time(clock, now, zone)
        day = f"{end:%Y-%m-%d}"
        if known == day:
            return None
        if not known or now - end.timestamp() > parse_duration(self._config.stale):
            return day, None
        if self._making != day:
            self._making = day
            begin = last_time(clock, now, zone, days=1)
            threading.Thread(
                target=self._make, args=(day, begin, end), name="notify digest", daemon=True
            ).start()
        content = self._made.pop(day, None)
        return None if content is None else (day, content)

    def _make(self, day: str, begin: datetime, end: datetime) -> None:
        span = f"{begin:%m-%d %H:%M} – {end:%m-%d %H:%M}"
        try:
            told = [span, *self._count(begin, end), *self._now(end.timestamp())]
        except Error as error:  # of a journal, or of the status
            told = [span, str(error)]
        text = "\n".join(told)
        self._made[day] = Content({"digest": 1}, [text], text, end.timestamp(), end.timestamp())

    def _count(self, begin: datetime, end: datetime) -> Iterable[str]:
        counted, is_cut = Day(), False
        for account in self._context.accounts:
            history = self._context.history(account, since=begin, until=end)
            for number, event in enumerate(history):
                counted.add(event)
                if number % 20 == 0:
                    sleep(0.0001)  # lets hooks have the interpreter
            is_cut |= bool(history.pruned_before)
        lines = counted.lines(self._texts)
        return [*lines, self._words["cut"]] if is_cut else lines

    def _now(self, now: float) -> list[str]:
        """Whether all is well."""
        status = self._context.status()
        if status is None:
            return []
        wrong = [self._texts.line(notice) for notice in self._watch.problems(status, now)]
        if not wrong:
            return [self._words["well"]]
        more = [self._texts.more(len(wrong) - PROBLEMS)] if len(wrong) > PROBLEMS else []
        return [self._words["now"], *wrong[:PROBLEMS], *more]
