"""What a `Blotter` returns: frozen copies, which later events do not change.

Decimals are exact and have no sign: `side` says what they are.  Times are epoch milliseconds, 0
where there is none.  A figure that is not known is None, never 0.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal, TypeAlias

import msgspec

from qehost.messages import Origin

__all__ = [
    "Change",
    "ChangeKind",
    "ChildCounts",
    "ChildState",
    "Dropped",
    "Fill",
    "Link",
    "LinkState",
    "MasterState",
]

ChangeKind: TypeAlias = Literal[
    "new", "updated", "finished", "reopened", "filled", "repeat", "stale", "uncertain", "other"
]


LinkState: TypeAlias = Literal["waiting", "up", "down"]


class _View(msgspec.Struct, frozen=True):
    def as_dict(self) -> dict[str, Any]:
        """The fields by name, ready for JSON: decimals are text, nested views dictionaries."""
        made: dict[str, Any] = msgspec.to_builtins(self)
        return made


class ChildCounts(_View, frozen=True):
    """How many child orders a master order has, by what became of them.

    `cancelled` counts the expired ones, too.
    """

    open: int = 0
    filled: int = 0
    cancelled: int = 0
    rejected: int = 0


class MasterState(_View, frozen=True):
    """A master order: what was ordered, how it stands, and the sums over its child orders."""

    account: str
    id: str
    client_order_id: str
    symbol: str
    side: str
    algorithm: str
    category: str
    base: str
    """The base currency."""
    quote: str
    """The quote currency."""
    status: str
    """As the venue writes it; `""` for a master order of which only child orders or fills came."""
    reason: str
    """Why it was rejected."""
    is_open: bool
    target: Decimal | None
    """How much was ordered: a quantity, or with `target_in_quote` an amount of money."""
    target_in_quote: bool
    filled: Decimal | None
    """The filled quantity: as the venue reports it or the sum over the child orders, whichever has
    more.  V1 does not report it, and V2 reports it later than the child orders."""
    notional: Decimal | None
    """What that is worth, as the venue counts it."""
    average: Decimal | None
    """The average price of that."""
    reported_filled: Decimal | None
    """The filled quantity as the venue reports it."""
    remaining: Decimal | None
    """What is missing to `target`, in its unit."""
    share: float | None
    """The filled part of `target`: 1.0 is all of it."""
    maker_rate: Decimal | None
    """The part that was filled as maker, 0 to 1, as the venue reports it."""
    fees: dict[str, Decimal]
    """By currency, as the venue reports them.  They come later than the fills."""
    worst_price: Decimal | None
    """The price limit of the order; None where it has none."""
    created: int
    started: int
    ended: int
    updated: int
    """The venue's time of the last state."""
    heard: int
    """When something of it or its child orders was last received."""
    duration: float
    """The planned time in seconds; 0.0 where it has none."""
    fills: int
    """Fills that were seen."""
    first_fill: int
    """When the first of them was executed."""
    first_price: Decimal | None
    """The price of the first fill that was seen."""
    children: ChildCounts
    open_children: tuple[str, ...]
    """The ids of the child orders that are open, the oldest first."""
    complete: bool
    """Whether all of it was seen: from its beginning or a baseline on, without a gap since, and
    nothing of it was lost to the bounds."""

    @property
    def done(self) -> Decimal | None:
        """How much is filled, in the unit of `target`."""
        return self.notional if self.target_in_quote else self.filled

    def elapsed(self, now: int) -> float:
        """Seconds from the start to the end, or to `now` (epoch ms) while it runs."""
        return max(0.0, ((self.ended or now) - self.started) / 1000)

    def schedule(self, now: int) -> float | None:
        """The part of its planned time that has passed at `now` (epoch ms), 1.0 at most; None once
        it has ended, and for an order without a duration."""
        if self.ended or self.duration <= 0:
            return None
        return min(1.0, self.elapsed(now) / self.duration)

    def silent_for(self, now: int) -> float:
        """Seconds since something of it or its child orders was received; `now` is epoch ms."""
        return max(0.0, (now - self.heard) / 1000)


class ChildState(_View, frozen=True):
    """A child order with what is filled of it."""

    account: str
    id: str
    """The venue's; where it has none, the exchange's."""
    order_id: str
    """The exchange's."""
    master_id: str
    symbol: str
    side: str
    type: str
    quote: str
    """The quote currency."""
    status: str
    reason: str
    is_open: bool
    price: Decimal | None
    quantity: Decimal | None
    filled: Decimal
    notional: Decimal | None
    average: Decimal | None
    created: int
    updated: int
    """The venue's time of the last state."""
    heard: int
    """When something of it was last received."""


class Fill(_View, frozen=True):
    """One fill."""

    at: int
    """When it was received."""
    account: str
    seq: int
    journal_id: str
    master_id: str
    child_id: str
    """As `ChildState.id`."""
    order_id: str
    """The exchange's id of the child order."""
    symbol: str
    side: str
    quantity: Decimal | None
    """Without what earlier fills of this child order have told already."""
    price: Decimal | None
    notional: Decimal | None
    cum: Decimal | None
    """The filled quantity of the child order after it, where known."""
    venue_at: int
    """When it was executed, by the venue."""
    origin: Origin
    redelivered: bool

    @property
    def name(self) -> tuple[str, str, int]:
        """(`journal_id`, `account`, `seq`), which no two fills share."""
        return self.journal_id, self.account, self.seq


class Link(_View, frozen=True):
    """The stream of one account, by the events so far."""

    state: LinkState = "waiting"
    since: int = 0
    """The time of the last change."""
    opened: int = 0
    """How often it was opened."""
    closed: int = 0
    """How often it ended."""
    unheard: int = 0
    """Milliseconds in which nothing could be received."""
    last_reason: str = ""
    """Why it ended last."""


class Dropped(_View, frozen=True):
    """How many things the bounds have made a `Blotter` forget."""

    masters: int = 0
    """Open master orders, those that were silent for the longest time."""
    finished: int = 0
    """Finished master orders."""
    children: int = 0
    """Child orders of which only the figures are kept."""
    tombstones: int = 0
    """Orders of which nothing is kept: what comes of them now is `uncertain`."""


class Change(_View, frozen=True):
    """What one event has changed."""

    kind: ChangeKind
    """What it was for the order that the event is about:

    * `new`: the first of it (which may have ended already: see `is_open`).
    * `updated`: a later state, or more is filled.
    * `finished`, `reopened`: it has ended, or goes on after that.
    * `filled`: a fill that was not told before.
    * `repeat`: nothing, it was told before.
    * `stale`: nothing, the order has left this state.
    * `uncertain`: nothing.  The bound may have made the blotter forget this order, so to count it
      could be to count it twice.
    * `other`: the event is about no order.
    """
    account: str
    master: MasterState | None = None
    """The master order after the event, also where the event is about a child order."""
    child: ChildState | None = None
    """The child order after the event, if it is about one."""
    fill: Fill | None = None
    before: str = ""
    """The order's status until now; `""` for one that was not known."""
    uncertain: bool = False
    """Whether `kind` is that, or the bound has made the blotter forget a part of the master order's
    figures."""
