"""What there is to show: orders, fills and streams as a `Blotter` has them, at one moment.

No I/O and no clock: times are the events'.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from msgspec.structs import replace
from qehost.blotter import Blotter, Fill, Link, MasterState
from qehost.messages import AnyEvent, FillEvent, MasterOrderEvent

from qehost_console.figures import clean

__all__ = ["Board", "Snapshot"]

_View = TypeVar("_View", MasterState, Fill)

_MASTER_TEXTS = ("account", "id", "symbol", "algorithm", "base", "quote", "status", "reason")
_FILL_TEXTS = ("account", "master_id", "order_id", "symbol")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The board at one moment.  No text in it can control a terminal."""

    running: Sequence[MasterState] = ()
    """In the order in which they came."""
    ended: Sequence[MasterState] = ()
    """Those that are kept."""
    ended_total: int = 0
    fills: Sequence[Fill] = ()
    """The newest first."""
    streams: Mapping[str, Link] = field(default_factory=dict)
    """By account."""
    quotes: Mapping[str, str] = field(default_factory=dict)
    """By symbol its quote currency."""


class Board:
    """Orders, fills and streams, all of them bounded."""

    def __init__(self) -> None:
        self._blotter = Blotter()
        self._accounts: dict[str, None] = {}

    def expect(self, accounts: Iterable[str]) -> None:
        """The accounts whose streams will open."""
        self._accounts.update(dict.fromkeys(accounts))

    def take(self, event: AnyEvent) -> None:
        """Take in an event of any kind."""
        self._accounts[event.account] = None
        self._blotter.add_all((event,))

    def master_order(self, event: MasterOrderEvent) -> MasterState:
        """Take in a master order; how it stands."""
        self._accounts[event.account] = None
        # One that ended so long ago that it is not kept is shown as this event has it.
        master = self._blotter.add(event).master or Blotter().add(event).master
        assert master is not None
        return _cleaned(master, _MASTER_TEXTS)

    def fill(self, event: FillEvent) -> Fill | None:
        """Take in a fill; None if it was told before."""
        self._accounts[event.account] = None
        fill = self._blotter.add(event).fill
        return None if fill is None else _cleaned(fill, _FILL_TEXTS)

    def snapshot(self) -> Snapshot:
        """All of it, as it is now."""
        blotter = self._blotter
        running, ended = (
            [_cleaned(master, _MASTER_TEXTS) for master in blotter.masters(open=is_open)]
            for is_open in (True, False)
        )
        return Snapshot(
            running,
            ended,
            len(ended) + blotter.dropped.finished,
            [_cleaned(fill, _FILL_TEXTS) for fill in blotter.fills()],
            {clean(account): blotter.link(account) for account in self._accounts},
            {clean(symbol): clean(quote) for symbol, quote in blotter.quotes.items()},
        )

    def quote(self, symbol: str) -> str:
        """The quote currency of a symbol, `""` if nothing named it."""
        return clean(self._blotter.quotes.get(symbol, ""))


def _cleaned(view: _View, texts: Iterable[str]) -> _View:
    changes = {"side": clean(view.side).lower()}
    for name in texts:
        text = getattr(view, name)
        if not text.isprintable():
            changes[name] = clean(text)
    return replace(view, **changes)
