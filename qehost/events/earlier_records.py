"""Records of orders as earlier versions wrote them into the checkpoint.  No I/O."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from qehost.events.fills import NOTHING_FILLED, CumulativeFill
from qehost.events.ids import normal
from qehost.events.order_records import (
    NO_FIGURES,
    ChildRecord,
    Figures,
    KnownOrders,
    Push,
    PushedFills,
)
from qehost.events.states import FINAL

__all__ = ["OpenOrder", "known_orders"]


class OpenOrder(msgspec.Struct):
    """In format 1 of the checkpoint: a child order that was filled in part."""

    venue_id: str = ""
    moment: int = 0
    states: tuple[tuple[str, float], ...] = ()
    figures: Figures = NO_FIGURES
    filled: float = 0.0
    top: CumulativeFill = NOTHING_FILLED
    most: float = 0.0
    plain: bool = True
    rounded: bool = False
    pushes: list[Push] | None = None
    pushed_until: int = 0
    announced: float = 0.0
    derived_until: int = 0


def known_orders(open_orders: Iterable[tuple[tuple[str, str], OpenOrder]]) -> KnownOrders:
    """The same as it is kept today."""
    return KnownOrders(children=[_child(*ids, order) for ids, order in open_orders])


def _child(master_id: str, number: str, order: OpenOrder) -> ChildRecord:
    order_id = "" if number == order.venue_id else number
    master, number = normal(master_id), normal(order_id)
    status = order.states[-1][0] if order.states else ""
    pushed = None
    if order.pushes or order.rounded or order.pushed_until:
        pushed = PushedFills(order.pushes or [], order.pushed_until, order.rounded)
    return ChildRecord(
        key=normal(order.venue_id) or (master, number),
        is_known=True,
        status=status,
        is_final=status in FINAL,
        moment=max(order.moment, 0),
        cumulative=max(abs(order.filled), order.announced),
        venue_id=order.venue_id,
        master_id=master_id,
        order_id=order_id,
        numbers=((master, number),) if number else (),
        figures=order.figures,
        filled=abs(order.filled),
        top=order.top,
        most=abs(order.most),
        is_plain=order.plain,
        derived_until=order.derived_until,
        pushed_fills=pushed,
    )
