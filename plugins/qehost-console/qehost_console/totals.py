"""The totals of a run: counts, volumes, errors.  No I/O."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal

from qehost.blotter import Fill
from qehost.errors import Error
from qehost.messages import ConnectedEvent, DisconnectedEvent, Event

from qehost_console.figures import EXACT, clean

__all__ = ["RunTotals", "Volume"]

_ZERO = Decimal(0)


@dataclass(slots=True)
class Volume:
    """What was filled of one symbol: quantity in the base, notional in the quote currency."""

    fills: int = 0
    bought: Decimal = _ZERO
    sold: Decimal = _ZERO
    notional: Decimal = _ZERO

    @property
    def quantity(self) -> Decimal:
        """Both sides together."""
        return EXACT.add(self.bought, self.sold)


@dataclass(slots=True)
class RunTotals:
    """What the summary prints, except for latency and streams."""

    messages: int = 0  # what the venue pushed
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)  # by kind and origin
    redelivered: int = 0
    fills: int = 0
    volumes: dict[tuple[str, str], Volume] = field(default_factory=dict)  # by symbol and category
    errors: Counter[str] = field(default_factory=Counter)  # by the class of the error
    last_error: str = ""
    opened: int = 0  # streams
    reconnects: int = 0  # how many of those were opened before
    disconnected_ns: int = 0  # nanoseconds without a stream between connections, over all accounts
    _accounts: set[str] = field(default_factory=set)
    _down: dict[str, int] = field(default_factory=dict)  # since when, epoch ns

    def event(self, event: Event) -> None:
        """Count an event of any kind."""
        self.kinds[event.kind, event.origin] += 1
        # Events of the connection have no text.
        self.messages += event.origin == "stream" and bool(event.raw)
        self.redelivered += event.redelivered

    def connected(self, event: ConnectedEvent) -> None:
        """Count a stream that was opened."""
        self.opened += 1
        self.reconnects += event.account in self._accounts
        self._accounts.add(event.account)
        if (since := self._down.pop(event.account, None)) is not None:
            self.disconnected_ns += max(0, event.received_at - since)

    def disconnected(self, event: DisconnectedEvent) -> None:
        """Note that a stream has ended."""
        if event.account in self._accounts:
            self._down.setdefault(event.account, event.received_at)

    def fill(self, fill: Fill, category: str) -> None:
        """Add a fill to its symbol's volume."""
        self.fills += 1
        if fill.quantity is None:
            return
        volume = self.volumes.setdefault((fill.symbol, clean(category)), Volume())
        volume.fills += 1
        if fill.side == "sell":
            volume.sold = EXACT.add(volume.sold, fill.quantity)
        else:
            volume.bought = EXACT.add(volume.bought, fill.quantity)
        if fill.notional is not None:
            volume.notional = EXACT.add(volume.notional, fill.notional)

    def error(self, error: Error) -> None:
        """Count an error."""
        self.errors[type(error).__name__] += 1
        self.last_error = clean(str(error))
