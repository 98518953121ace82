"""What the page and the API have of orders, fills and problems.  No I/O and no clock.

Decimals are exact, and text in JSON.  Times are epoch milliseconds.  A field that is missing there
is unknown or empty: `""`, 0, false or null.  Costs are positive where it cost.
"""

from __future__ import annotations

from decimal import Context as DecimalContext
from decimal import Decimal, DecimalException

import msgspec
from qehost.blotter import ChildState, Fill, MasterState
from qehost.messages import MasterOrderDetail

__all__ = ["ChildRow", "FillRow", "MasterRow", "Terms", "child_row", "fill_row", "master_row"]

_SHORT = DecimalContext(prec=12)
"""For ratios, which are shown with two digits."""
_WIDE = DecimalContext(prec=200)
"""Products and differences of what the venue sends lose nothing in it."""


class Terms(msgspec.Struct, frozen=True, omit_defaults=True):
    """What of a master order only its own messages have."""

    exchange: str = ""
    notes: str = ""
    up_tolerance: float | None = None
    """How far it may be ahead of its schedule, a fraction of 1; None: no bound."""
    low_tolerance: float | None = None
    venue_average: Decimal | None = None
    """The average price as the venue reports it."""

    @staticmethod
    def of(detail: MasterOrderDetail) -> Terms:
        return Terms(
            detail.exchange,
            detail.notes,
            _bound(detail.up_tolerance),
            _bound(detail.low_tolerance),
            detail.avg_filled_price,
        )


class Counts(msgspec.Struct, frozen=True, omit_defaults=True):
    """Child orders, by what became of them."""

    open: int = 0
    filled: int = 0
    cancelled: int = 0
    rejected: int = 0


class MasterRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """A master order."""

    account: str
    id: str
    client_order_id: str = ""
    symbol: str = ""
    side: str = ""
    algorithm: str = ""
    category: str = ""
    exchange: str = ""
    notes: str = ""
    base: str = ""
    quote: str = ""
    status: str = ""
    reason: str = ""
    """The venue's words."""
    is_open: bool = False
    target: Decimal | None = None
    in_quote: bool = False
    """Whether `target` and `remaining` are amounts of money."""
    filled: Decimal | None = None
    notional: Decimal | None = None
    remaining: Decimal | None = None
    share: float | None = None
    """The filled part of `target`."""
    average: Decimal | None = None
    first_price: Decimal | None = None
    """The price of the first fill that was seen."""
    cost: Decimal | None = None
    """Against `first_price`, in the quote currency."""
    cost_bps: Decimal | None = None
    worst_price: Decimal | None = None
    room_bps: Decimal | None = None
    """What the average price leaves to `worst_price`; negative: it is broken."""
    venue_filled: Decimal | None = None
    """As the venue reports it; like `venue_average`, `maker_rate` and `fees`."""
    venue_average: Decimal | None = None
    maker_rate: Decimal | None = None
    fees: dict[str, Decimal] = {}
    up_tolerance: float | None = None
    low_tolerance: float | None = None
    created: int = 0
    started: int = 0
    ended: int = 0
    updated: int = 0
    heard: int = 0
    """When something of it was received last."""
    duration: float = 0.0
    """Seconds; 0: it has no schedule."""
    pauses: tuple[tuple[int, int], ...] = ()
    """From when to when it was paused; 0: it is."""
    fills: int = 0
    last_fill: int = 0
    children: Counts = Counts()
    incomplete: bool = False
    """Whether a part of it may not have been seen."""


class ChildRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """A child order."""

    id: str
    order_id: str = ""
    side: str = ""
    type: str = ""
    status: str = ""
    reason: str = ""
    is_open: bool = False
    price: Decimal | None = None
    quantity: Decimal | None = None
    filled: Decimal | None = None
    average: Decimal | None = None
    created: int = 0
    updated: int = 0


class FillRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """A fill.  `(journal_id, account, seq)` is its name."""

    account: str
    journal_id: str
    seq: int
    at: int = 0
    """When it was executed, by the venue; else when it was received."""
    symbol: str = ""
    side: str = ""
    quantity: Decimal | None = None
    price: Decimal | None = None
    notional: Decimal | None = None
    master_id: str = ""
    order_id: str = ""
    origin: str = ""
    redelivered: bool = False


def master_row(
    state: MasterState, terms: Terms, pauses: tuple[tuple[int, int], ...], last_fill: int
) -> MasterRow:
    counts = state.children
    is_inverse = state.category == "perp_cm"
    cost, cost_bps = (None, None) if is_inverse else _cost(state)
    return MasterRow(
        account=state.account,
        id=state.id,
        client_order_id=state.client_order_id,
        symbol=state.symbol,
        side=state.side.lower(),
        algorithm=state.algorithm,
        category=state.category,
        exchange=terms.exchange,
        notes=terms.notes,
        base=state.base,
        quote=state.quote,
        status=state.status,
        reason=state.reason,
        is_open=state.is_open,
        target=state.target,
        in_quote=state.target_in_quote,
        filled=state.filled,
        notional=state.notional,
        remaining=state.remaining,
        share=state.share,
        average=state.average,
        first_price=state.first_price,
        cost=cost,
        cost_bps=cost_bps,
        worst_price=state.worst_price,
        room_bps=None if is_inverse else _room(state),
        venue_filled=state.reported_filled,
        venue_average=terms.venue_average,
        maker_rate=state.maker_rate,
        fees=state.fees,
        up_tolerance=terms.up_tolerance,
        low_tolerance=terms.low_tolerance,
        created=state.created,
        started=state.started,
        ended=state.ended,
        updated=state.updated,
        heard=state.heard,
        duration=state.duration,
        pauses=pauses,
        fills=state.fills,
        last_fill=last_fill,
        children=Counts(counts.open, counts.filled, counts.cancelled, counts.rejected),
        incomplete=not state.complete,
    )


def child_row(state: ChildState) -> ChildRow:
    return ChildRow(
        state.id,
        state.order_id,
        state.side.lower(),
        state.type,
        state.status,
        state.reason,
        state.is_open,
        state.price,
        state.quantity,
        state.filled,
        state.average,
        state.created,
        state.updated,
    )


def fill_row(fill: Fill) -> FillRow:
    return FillRow(
        fill.account,
        fill.journal_id,
        fill.seq,
        fill.venue_at or fill.at,
        fill.symbol,
        fill.side.lower(),
        fill.quantity,
        fill.price,
        fill.notional,
        fill.master_id,
        fill.order_id,
        fill.origin,
        fill.redelivered,
    )


def _bound(value: Decimal | None) -> float | None:
    return None if value is None or value < 0 else float(value)


def _cost(state: MasterState) -> tuple[Decimal | None, Decimal | None]:
    """In money and in bps.

    None where part of it was filled before its first fill was seen: that had another first price.
    """
    first, filled, notional, sign = state.first_price, state.filled, state.notional, _sign(state)
    if not first or not filled or notional is None or not sign or not state.complete:
        return None, None
    try:
        paid = _WIDE.multiply(first, filled)
        cost = _WIDE.multiply(sign, _WIDE.subtract(notional, paid))
        return cost, _bps(cost, paid)
    except DecimalException:
        return None, None


def _room(state: MasterState) -> Decimal | None:
    worst, average, sign = state.worst_price, state.average, _sign(state)
    if not worst or worst < 0 or not average or not sign:
        return None
    try:
        return _bps(_WIDE.multiply(sign, _WIDE.subtract(worst, average)), worst)
    except DecimalException:
        return None


def _sign(state: MasterState) -> Decimal | None:
    return {"buy": Decimal(1), "sell": Decimal(-1)}.get(state.side.lower())


def _bps(part: Decimal, whole: Decimal) -> Decimal:
    ratio = _SHORT.divide(_SHORT.multiply(part, Decimal(10_000)), whole)
    return ratio.quantize(Decimal("0.01"), context=_WIDE)
