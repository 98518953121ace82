"""Sums over master orders: exact, by quote currency, never across currencies.  No I/O.

Orders that are inverse, in other units, target positions or seen only in part are counted and left
out of everything else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from decimal import Decimal

import msgspec

from qehost_stats.decimals import EXACT, ZERO, nearest_rank, quotient
from qehost_stats.figures import LEFT_OUT, OrderFigures, bps_of

__all__ = ["Group", "by_algorithm", "by_day", "by_quote"]


class Group(msgspec.Struct, kw_only=True, frozen=True):
    """What the orders of one key have in common; `""` is a part of the key that is not used.

    `_cost` and `notional` are in the quote currency, positive where it cost.
    """

    day: str
    account: str
    symbol: str
    algorithm: str
    quote: str
    orders: int
    left_out: dict[str, int]
    running: int
    ended: dict[str, int]
    fills: int
    quantity: Decimal | None
    bought: Decimal
    sold: Decimal
    notional: Decimal
    first_price_weight: Decimal
    first_price_cost: Decimal
    first_price_bps: Decimal | None
    order_bps_p50: Decimal | None
    order_bps_p95: Decimal | None
    arrival_weight: Decimal
    arrival_cost: Decimal
    arrival_bps: Decimal | None
    maker_weight: Decimal
    maker_rate: Decimal | None
    fees: dict[str, Decimal]
    children: int
    children_rejected: int
    reject_rate: Decimal | None
    rejects: dict[str, int]
    child_quantity: Decimal | None
    child_filled: Decimal | None
    fill_rate: Decimal | None


def by_quote(orders: Iterable[OrderFigures]) -> list[Group]:
    return _grouped(orders, lambda order: ("", "", "", "", order.quote))


def by_day(orders: Iterable[OrderFigures]) -> list[Group]:
    """By the UTC day on which the orders ended (of one that runs: the last day of the report),
    account and symbol."""
    return _grouped(orders, lambda order: (order.day, order.account, order.symbol, "", order.quote))


def by_algorithm(orders: Iterable[OrderFigures]) -> list[Group]:
    return _grouped(orders, lambda order: ("", "", "", order.algorithm, order.quote))


_Key = tuple[str, str, str, str, str]


def _grouped(orders: Iterable[OrderFigures], key: Callable[[OrderFigures], _Key]) -> list[Group]:
    groups: dict[_Key, list[OrderFigures]] = {}
    for order in orders:
        groups.setdefault(key(order), []).append(order)
    return [_group(name, groups[name]) for name in sorted(groups)]


def _group(key: _Key, orders: list[OrderFigures]) -> Group:
    day, account, symbol, algorithm, quote = key
    summed = [order for order in orders if order.is_summed]
    sides = {"buy": ZERO, "sell": ZERO}
    weight = cost = arrival_weight = arrival_cost = maker_weight = maker = ZERO
    quantity = child_quantity = child_filled = ZERO
    fees: dict[str, Decimal] = {}
    rejects: Counter[str] = Counter()
    add, times = EXACT.add, EXACT.multiply
    for order in summed:
        side = "sell" if order.side == "sell" else "buy"
        sides[side] = add(sides[side], order.notional or ZERO)
        quantity = add(quantity, order.filled or ZERO)
        if order.weight is not None and order.first_price_cost is not None:
            weight, cost = add(weight, order.weight), add(cost, order.first_price_cost)
        if order.arrival_cost is not None and order.arrival_price and order.filled:
            arrival_weight = add(arrival_weight, times(order.arrival_price, order.filled))
            arrival_cost = add(arrival_cost, order.arrival_cost)
        if order.maker_rate is not None and order.notional:
            maker_weight = add(maker_weight, order.notional)
            maker = add(maker, times(order.maker_rate, order.notional))
        for currency, fee in order.fees.items():
            fees[currency] = add(fees.get(currency, ZERO), fee)
        child_quantity = add(child_quantity, order.child_quantity or ZERO)
        child_filled = add(child_filled, order.child_filled or ZERO)
        rejects.update(order.rejects)
    children = sum(order.children for order in summed)
    rejected = sum(order.children_rejected for order in summed)
    slips = sorted(o.first_price_bps for o in summed if o.first_price_bps is not None)
    has_unit = bool(symbol)  # quantities of several symbols can't be added up
    return Group(
        day=day,
        account=account,
        symbol=symbol,
        algorithm=algorithm,
        quote=quote,
        orders=len(orders),
        left_out=dict(Counter(_why(order) for order in orders if not order.is_summed)),
        running=sum("running" in order.marks for order in summed),
        ended=dict(Counter(o.status.upper() for o in summed if "running" not in o.marks)),
        fills=sum(order.fills for order in summed),
        quantity=quantity if has_unit else None,
        bought=sides["buy"],
        sold=sides["sell"],
        notional=add(sides["buy"], sides["sell"]),
        first_price_weight=weight,
        first_price_cost=cost,
        first_price_bps=bps_of(cost, weight),
        order_bps_p50=nearest_rank(slips, 50),
        order_bps_p95=nearest_rank(slips, 95),
        arrival_weight=arrival_weight,
        arrival_cost=arrival_cost,
        arrival_bps=bps_of(arrival_cost, arrival_weight),
        maker_weight=maker_weight,
        maker_rate=quotient(maker, maker_weight),
        fees=fees,
        children=children,
        children_rejected=rejected,
        reject_rate=quotient(Decimal(rejected), Decimal(children)),
        rejects=dict(rejects.most_common()),
        child_quantity=child_quantity if has_unit else None,
        child_filled=child_filled if has_unit else None,
        fill_rate=quotient(child_filled, child_quantity) if has_unit else None,
    )


def _why(order: OrderFigures) -> str:
    """The first of its marks for which it is left out."""
    return next(mark for mark in order.marks if mark in LEFT_OUT)
