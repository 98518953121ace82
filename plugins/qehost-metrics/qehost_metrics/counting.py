"""What is counted of events: kinds, fills, statuses of child orders, delays.  No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from qehost.messages import (
    AnyEvent,
    DisconnectedEvent,
    FillDetail,
    FillEvent,
    MasterOrderEvent,
    OrderDetail,
    OrderEvent,
)

from qehost_metrics.bounded_labels import OTHER, BoundedLabels
from qehost_metrics.families import Counter, Histogram

__all__ = ["SYMBOLS", "Counting"]

SYMBOLS = 200
"""Of an account, that have series of their own; and so many currencies."""
STATUSES = 30
"""Texts that the venue sends as a status, of all accounts."""
ORDERS = 20_000
"""Child orders of which is known what they came to last."""
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
"""Of the delays, seconds."""
UNKNOWN = "unknown"
CONTRACTS = "contracts"


class _Order(NamedTuple):
    """What is remembered of a child order."""

    status: str
    quote: str
    asset: str
    """What its quantities count: the base currency, or `contracts`."""


class Counting:
    """`add` takes events in the host's main thread; `lines` may be read in any."""

    def __init__(self) -> None:
        self._events = Counter(
            "qehost_events",
            "Events that were delivered, without those that came again.",
            ("account", "kind", "origin"),
        )
        self._notional = Counter(
            "qehost_fill_notional",
            "Value of the fills in the quote currency, without orders that count contracts.",
            ("account", "symbol", "side", "quote"),
        )
        self._quantity = Counter(
            "qehost_fill_quantity",
            "Quantity of the fills, in units of the asset.",
            ("account", "symbol", "side", "asset"),
        )
        self._orders = Counter(
            "qehost_orders",
            "Child orders that came to a status.",
            ("account", "symbol", "status"),
        )
        self._disconnects = Counter(
            "qehost_disconnects", "Connections of the stream that ended.", ("account",)
        )
        self._delays = Histogram(
            "qehost_event_delay_seconds",
            "venue: from the venue's own time to the receipt, by two clocks; "
            "received: from the receipt to this plugin.",
            "stage",
            BOUNDS,
        )
        self._symbols = BoundedLabels(SYMBOLS)
        self._currencies = BoundedLabels(SYMBOLS)
        self._statuses = BoundedLabels(STATUSES)
        self._known: dict[tuple[str, str], _Order] = {}

    def start(self, accounts: Sequence[str]) -> None:
        """A counter that has not begun has no increase: so these begin with 0."""
        for account in accounts:
            self._disconnects.add((account,), 0.0)

    def symbols_beyond(self, account: str) -> int:
        return self._symbols.beyond(account)

    def add(self, events: Sequence[AnyEvent], now: float) -> None:
        """`now` is epoch seconds."""
        for event in events:
            account = event.account
            if not event.redelivered:
                self._events.add((account, event.kind, event.origin))
            # What was counted before, and states from before we listened, are no news; but what
            # follows is compared with them.
            if event.redelivered or event.origin == "baseline":
                if isinstance(event, OrderEvent) and not event.stale:
                    self._remember(event)
                continue
            received_at = event.received_at / 1e9
            self._delay("received", now - received_at, event, now)
            if isinstance(event, OrderEvent):
                self._order(event)
            elif isinstance(event, FillEvent):
                self._fill(event)
            elif isinstance(event, DisconnectedEvent):
                self._disconnects.add((account,))
            if (
                event.origin == "stream"
                and isinstance(event, OrderEvent | MasterOrderEvent)
                and event.message.timestamp
            ):
                self._delay("venue", received_at - event.message.timestamp / 1000, event, now)

    def lines(self, is_openmetrics: bool) -> Iterator[str]:
        for family in (
            self._events,
            self._notional,
            self._quantity,
            self._orders,
            self._disconnects,
            self._delays,
        ):
            yield from family.lines(is_openmetrics)

    def _delay(self, stage: str, seconds: float, event: AnyEvent, now: float) -> None:
        # Two clocks: one that is ahead gives a delay below 0.
        self._delays.observe(stage, max(0.0, seconds), event.account, event.seq, now)

    def _order(self, event: OrderEvent) -> None:
        if event.stale:
            return
        before = self._remember(event)
        status = event.message.status
        if before is None or before.status != status:
            symbol = self._symbols.label(event.account, event.message.symbol)
            self._orders.add((event.account, symbol, self._statuses.label("", status)))

    def _remember(self, event: OrderEvent) -> _Order | None:
        """What was known before."""
        detail = event.detail
        # The venue's own id stays where the order is amended.
        key = (event.account, detail.id or detail.order_id)
        before = self._known.pop(key, None)
        if len(self._known) >= ORDERS:
            del self._known[next(iter(self._known))]
        self._known[key] = _Order(
            event.message.status,
            detail.quote_currency or UNKNOWN,
            CONTRACTS if _counts_contracts(detail) else detail.base_currency or UNKNOWN,
        )
        return before

    def _fill(self, event: FillEvent) -> None:
        detail: FillDetail = event.detail
        account = event.account
        order = self._known.get((account, detail.id or detail.order_id))
        quote, asset = (order.quote, order.asset) if order is not None else (UNKNOWN, UNKNOWN)
        if detail.category == "perp_cm":
            asset = CONTRACTS
        symbol = self._symbols.label(account, detail.symbol)
        side = detail.side.lower()
        if side not in ("buy", "sell"):
            side = OTHER
        if detail.quantity is not None:
            label = self._currencies.label(account, asset)
            self._quantity.add((account, symbol, side, label), abs(float(detail.quantity)))
        if detail.notional is not None and asset != CONTRACTS:
            label = self._currencies.label(account, quote)
            self._notional.add((account, symbol, side, label), abs(float(detail.notional)))


def _counts_contracts(detail: OrderDetail) -> bool:
    is_deribit = detail.exchange.lower() == "deribit" and detail.category != "spot"
    return is_deribit or detail.category == "perp_cm"
