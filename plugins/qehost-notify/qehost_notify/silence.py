"""Master orders that are at work and of which nothing is heard.  No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from qehost import parse_duration
from qehost.blotter import Blotter, MasterState
from qehost.messages import AnyEvent

from qehost_notify.matching import plain
from qehost_notify.notice import Notice
from qehost_notify.settings import Rule

__all__ = ["Silence"]

EVERY = 5.0
"""Seconds between two looks at all orders."""


class Silence:
    """What a rule with `stalled` needs to know."""

    def __init__(self, rules: Sequence[Rule], started: float) -> None:
        """`started`, epoch seconds: what was not heard before it is no silence."""
        self._rules = [rule for rule in rules if "stalled" in rule.when]
        self._started = started
        self._blotter = Blotter()
        self._next = 0.0

    def __bool__(self) -> bool:
        return bool(self._rules)

    def add(self, events: Iterable[AnyEvent]) -> None:
        self._blotter.add_all(events)

    def look(self, now: float) -> Iterator[tuple[str, Notice]]:
        """Orders that have become silent, of accounts whose stream is open: else the silence has
        another reason."""
        if now < self._next:
            return
        self._next = now + EVERY
        for master in self._blotter.masters(open=True):
            if master.status != "PROCESSING" or self._blotter.link(master.account).state == "down":
                continue
            quiet = min(master.silent_for(int(now * 1000)), now - self._started)
            for rule in self._rules:
                if quiet >= parse_duration(rule.silent) and rule.takes(
                    master.account, master.symbol, master.side, master.notional
                ):
                    yield rule.name, _notice(master, quiet, now)


def _notice(master: MasterState, quiet: float, now: float) -> Notice:
    facts = {
        "of": "master_order",
        "symbol": master.symbol,
        "side": master.side.lower(),
        "status": master.status,
        "algorithm": master.algorithm,
        "quantity": "" if master.target_in_quote else plain(master.target),
        "notional": plain(master.target) if master.target_in_quote else "",
        "quote": master.quote,
        "filled": plain(master.filled),
        "average": plain(master.average),
        "master_order_id": master.id,
        "client_order_id": master.client_order_id,
        "duration": f"{quiet:.0f}",
    }
    kept = {name: text for name, text in facts.items() if text}
    # One silence is told once: it ends with the next thing that is heard.
    return Notice("stalled", master.account, now, kept, f"stalled:{master.id}:{master.heard}")
