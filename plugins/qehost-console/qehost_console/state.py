"""The picture of the orders, made of events.  No I/O, no clock: times come from the events."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from qehost.messages import (
    Event,
    FillDetail,
    FillMessage,
    MasterOrderDetail,
    MasterOrderMessage,
    OrderDetail,
    Origin,
)

from qehost_console.figures import EXACT, clean

__all__ = ["Fill", "Link", "Master", "Picture"]

_ENDED = frozenset({"CANCELLED", "COMPLETED", "COMPLETED_WITHTAIL", "REJECTED", "EXPIRED"})
_ZERO = Decimal(0)

# Far above what any screen shows.  A master order whose end was never heard must not stay for ever.
_MOST_RUNNING = 2000
_MOST_ENDED = 200


@dataclass(slots=True)
class Master:
    """One master order as far as it is known.

    `target` and `reported` are in the base currency, or in the quote currency where the order was
    given as an amount of money (`in_quote`).  Times are epoch milliseconds.
    """

    account: str
    id: str
    started: int
    algorithm: str = ""
    symbol: str = ""
    side: str = ""
    status: str = ""
    reason: str = ""
    target: Decimal | None = None
    in_quote: bool = False
    reported: Decimal | None = None
    reported_average: Decimal | None = None
    duration: float = 0.0  # seconds; 0 where the order has none
    maker_rate: Decimal | None = None
    ended: int | None = None
    updated: int = 0
    fills: int = 0
    filled_quantity: Decimal = _ZERO  # by the fills seen here
    filled_notional: Decimal = _ZERO

    @property
    def done(self) -> Decimal | None:
        """How much is filled, in the unit of `target`.

        V1 reports it in no master order, and V2 later than the fills: what the fills sum up to is
        taken where it is more.
        """
        seen = self.filled_notional if self.in_quote else self.filled_quantity
        if self.reported is None:
            return seen if self.fills else None
        return max(self.reported, seen)

    @property
    def average(self) -> Decimal | None:
        """The average price of what is filled."""
        seen = self.filled_notional if self.in_quote else self.filled_quantity
        if self.reported and self.reported_average and self.reported >= seen:
            return self.reported_average
        if self.filled_quantity:
            return self.filled_notional / self.filled_quantity
        return None

    @property
    def share(self) -> float | None:
        """`done` over `target`; None where the order has no target."""
        done = self.done
        if not self.target or not self.target.is_finite():
            return None
        return 0.0 if done is None or not done.is_finite() else float(done / self.target)

    def elapsed(self, now: int) -> float:
        """Seconds from the start to the end, or to `now` (epoch ms) while it runs."""
        return max(0.0, ((self.ended or now) - self.started) / 1000)

    def schedule(self, now: int) -> float | None:
        """The share of its time that has passed; None for an order without a duration."""
        if self.ended is not None or self.duration <= 0:
            return None
        return min(1.0, self.elapsed(now) / self.duration)


@dataclass(frozen=True, slots=True)
class Fill:
    """One fill, exact.  `at` is epoch nanoseconds of its receipt."""

    at: int
    account: str
    master_id: str
    symbol: str
    side: str
    quantity: Decimal | None
    price: Decimal | None
    notional: Decimal | None
    origin: Origin


@dataclass(slots=True)
class Link:
    """The stream of one account.  `since` is epoch nanoseconds of the last change."""

    state: str = "waiting"  # or "up", "down"
    since: int = 0
    opened: int = 0
    closed: int = 0
    unheard: int = 0  # nanoseconds between two connections of this run


@dataclass(slots=True)
class Picture:
    """Master orders, the latest fills and the connections; everything in it is bounded."""

    fills: deque[Fill] = field(default_factory=lambda: deque(maxlen=200))
    links: dict[str, Link] = field(default_factory=dict)
    running: dict[tuple[str, str], Master] = field(default_factory=dict)
    ended: dict[tuple[str, str], Master] = field(default_factory=dict)
    unseen: dict[tuple[str, str], Master] = field(default_factory=dict)  # known by fills alone
    ended_total: int = 0
    quotes: dict[str, str] = field(default_factory=dict)  # symbol to quote currency

    def master_order(
        self, message: MasterOrderMessage, detail: MasterOrderDetail, event: Event
    ) -> Master:
        """Take in a new or changed master order, and return what is known of it now."""
        key = (event.account, message.master_order_id)
        at = event.received_at // 1_000_000
        master = self.running.pop(key, None) or self.ended.pop(key, None)
        known = master is not None
        if master is None:
            master = self.unseen.pop(key, None) or self._new(event, message)
            master.started = detail.start_time_ms or message.ticktime_ms or at
        was_ended = master.ended is not None
        master.algorithm = clean(message.strategy) or master.algorithm
        master.symbol = clean(message.symbol) or master.symbol
        master.side = clean(message.side).lower() or master.side
        master.status = clean(message.status) or master.status
        master.reason = clean(message.reason)
        master.duration = message.duration_secs or master.duration
        master.maker_rate = detail.maker_rate
        self._quantities(master, detail)
        if detail.quote_currency:
            self.quotes[master.symbol] = clean(detail.quote_currency)
        master.updated = at
        if master.status.upper() in _ENDED:
            master.ended = detail.finished_ms or master.ended or at
            self.ended[key] = master
            self.ended_total += not (known and was_ended)
            if len(self.ended) > _MOST_ENDED:
                del self.ended[next(iter(self.ended))]
        else:
            master.ended = None
            self.running[key] = master
            if len(self.running) > _MOST_RUNNING:
                # Order of insertion is order of the last update: the first one was silent longest.
                del self.running[next(iter(self.running))]
        return master

    @staticmethod
    def _new(event: Event, message: MasterOrderMessage | FillMessage) -> Master:
        started = event.received_at // 1_000_000
        return Master(clean(event.account), clean(message.master_order_id), started)

    @staticmethod
    def _quantities(master: Master, detail: MasterOrderDetail) -> None:
        if detail.total_quantity:
            master.target, master.in_quote = detail.total_quantity, False
        elif detail.order_notional:
            master.target, master.in_quote = detail.order_notional, True
        if master.in_quote:
            reported = detail.cum_filled_notional
        elif detail.cum_filled_qty is not None:
            reported = detail.cum_filled_qty
        else:
            reported = detail.completed_quantity
        if reported is not None:
            master.reported = reported
        if detail.avg_filled_price:
            master.reported_average = detail.avg_filled_price

    def fill(self, message: FillMessage, detail: FillDetail, event: Event) -> Fill:
        """Take in a fill, and return it."""
        notional = detail.notional
        if notional is None and detail.quantity is not None and detail.price is not None:
            notional = EXACT.multiply(detail.quantity, detail.price)
        fill = Fill(
            event.received_at,
            clean(event.account),
            clean(message.master_order_id),
            clean(message.symbol),
            clean(message.side).lower(),
            detail.quantity,
            detail.price,
            notional,
            event.origin,
        )
        self.fills.append(fill)
        key = (event.account, message.master_order_id)
        master = self.running.get(key) or self.ended.get(key) or self.unseen.get(key)
        if master is None:
            master = self.unseen[key] = self._new(event, message)
            if len(self.unseen) > _MOST_ENDED:
                del self.unseen[next(iter(self.unseen))]
        if fill.quantity is not None and notional is not None:
            master.fills += 1
            master.filled_quantity = EXACT.add(master.filled_quantity, fill.quantity)
            master.filled_notional = EXACT.add(master.filled_notional, notional)
        return fill

    def order(self, detail: OrderDetail) -> None:
        """Take in a child order: it alone may name the quote currency of its symbol's fills."""
        if detail.quote_currency:
            self.quotes[clean(detail.symbol)] = clean(detail.quote_currency)

    def expect(self, accounts: Iterable[str]) -> None:
        """The accounts whose streams will open."""
        for account in accounts:
            self.links.setdefault(clean(account), Link())

    def connected(self, account: str, at: int) -> None:
        """The stream of `account` opened at `at` (epoch ns)."""
        link = self.links.setdefault(clean(account), Link())
        if link.opened and link.state == "down":
            link.unheard += max(0, at - link.since)
        link.state, link.since, link.opened = "up", at, link.opened + 1

    def disconnected(self, account: str, at: int) -> None:
        """The stream of `account` ended at `at` (epoch ns)."""
        link = self.links.setdefault(clean(account), Link())
        if link.state != "down":
            link.state, link.since = "down", at
        link.closed += 1

    @property
    def reconnects(self) -> int:
        """How often a stream was opened again in this run."""
        return sum(max(0, link.opened - 1) for link in self.links.values())

    @property
    def unheard(self) -> int:
        """Nanoseconds without a stream between connections, over all accounts."""
        return sum(link.unheard for link in self.links.values())
