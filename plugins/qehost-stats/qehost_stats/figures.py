"""The figures of one master order.  No I/O.

Each is defined in `definitions`.  Sums are exact; ratios have twenty digits.  A figure that can't
be told is None, and `absent` says why: never 0.
"""

from __future__ import annotations

from decimal import Decimal, DecimalException
from typing import Any, Literal, TypeAlias

import msgspec

from qehost_stats.decimals import BPS, EXACT, quotient, signed_bps

__all__ = ["LEFT_OUT", "Mark", "OrderFigures", "bps_of", "cost_of", "with_analysis"]

Mark: TypeAlias = Literal["inverse", "units", "target_position", "partial", "running"]
LEFT_OUT = frozenset({"inverse", "units", "target_position", "partial"})
"""Orders with one of these marks are in no sum."""


class OrderFigures(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """Times are epoch milliseconds, spans are seconds; `_bps` are positive where it cost."""

    account: str
    master_order_id: str
    client_order_id: str
    algorithm: str
    exchange: str
    category: str
    symbol: str
    side: str
    base: str
    quote: str
    status: str
    reason: str
    marks: tuple[Mark, ...]
    day: str
    start_ms: int
    end_ms: int
    duration_s: Decimal
    paused_s: Decimal
    must_complete: bool | None
    target: Decimal | None
    target_in_quote: bool
    target_changes: tuple[tuple[int, Decimal | None, bool], ...]
    filled: Decimal | None
    notional: Decimal | None
    average: Decimal | None
    completion: Decimal | None
    fills: int
    fills_quantity: Decimal
    fills_notional: Decimal | None
    first_price: Decimal | None
    first_price_source: str
    first_price_delay_s: Decimal | None
    first_price_cost: Decimal | None
    first_price_bps: Decimal | None
    fill_bps_p50: Decimal | None
    fill_bps_p95: Decimal | None
    arrival_price: Decimal | None = None
    arrival_cost: Decimal | None = None
    arrival_bps: Decimal | None = None
    worst_price: Decimal | None
    room_bps: Decimal | None
    worst_fill_price: Decimal | None
    worst_fill_room_bps: Decimal | None
    ahead_max: Decimal | None
    behind_max: Decimal | None
    deviation_mean: Decimal | None
    up_tolerance: Decimal | None
    low_tolerance: Decimal | None
    within_tolerance: bool | None
    time_to_first_fill_s: Decimal | None
    tail_quantity: Decimal | None
    unfilled: Decimal | None
    children: int
    children_open: int
    children_filled: int
    children_cancelled: int
    children_rejected: int
    cancels_rejected: int
    child_quantity: Decimal | None
    child_filled: Decimal | None
    fill_rate: Decimal | None
    reject_rate: Decimal | None
    rejects: dict[str, int]
    maker_rate: Decimal | None
    fees: dict[str, Decimal]
    fee_bps: Decimal | None
    venue: dict[str, Any] | None = None
    """The venue's analysis of the order, as it was sent."""
    absent: dict[str, str]
    """By figure why there is none."""
    progress: tuple[tuple[int, float], ...] = ()
    """For the picture: from when on which part of what was ordered was filled."""
    planned: tuple[tuple[int, float], ...] = ()
    """The corners of the even schedule."""

    @property
    def is_summed(self) -> bool:
        """Whether it is in the sums."""
        return not LEFT_OUT.intersection(self.marks)

    @property
    def weight(self) -> Decimal | None:
        """reference · quantity, by which costs are weighed."""
        if self.first_price_cost is None or self.first_price is None or self.filled is None:
            return None
        return EXACT.multiply(self.first_price, self.filled)


def cost_of(
    sign: int, notional: Decimal | None, reference: Decimal, filled: Decimal | None
) -> Decimal | None:
    """side · (notional − reference · quantity), exact, in the quote currency."""
    if notional is None or not filled:
        return None
    return EXACT.multiply(sign, EXACT.subtract(notional, EXACT.multiply(reference, filled)))


def bps_of(cost: Decimal, weight: Decimal) -> Decimal | None:
    return quotient(EXACT.multiply(BPS, cost), weight)


def with_analysis(order: OrderFigures, row: dict[str, Any] | None, why: str) -> OrderFigures:
    """The order with the venue's row, or with the reason why there is none."""
    given = None if row is None else row.get("ArrivalPrice")
    arrival = None
    if isinstance(given, float | int | str) and not isinstance(given, bool):
        try:
            arrival = Decimal(str(given))
        except DecimalException:
            arrival = None
    if arrival is None or not arrival.is_finite() or arrival <= 0:
        why = why if row is None else "the venue's row has no arrival price"
        names = ("arrival_price", "arrival_bps", *(("venue",) if row is None else ()))
        absent = {**order.absent, **dict.fromkeys(names, why)}
        return msgspec.structs.replace(order, venue=row, absent=absent)
    sign = -1 if order.side == "sell" else 1
    cost = cost_of(sign, order.notional, arrival, order.filled)
    bps = signed_bps(sign, order.average, arrival)
    if cost is not None and order.filled:
        bps = bps_of(cost, EXACT.multiply(arrival, order.filled))
    return msgspec.structs.replace(
        order, venue=row, arrival_price=arrival, arrival_cost=cost, arrival_bps=bps
    )
