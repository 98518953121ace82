"""Fills derived from the growth of a child order's filled quantity.  No I/O.

V2 pushes no fills: a child order's update carries its running fill, and an execution is the
difference between two of them.  The process that receives notes what was filled before (`Before`),
and that is all that travels; the fill is worked out of it, exactly, where it is needed.
"""

from __future__ import annotations

from decimal import (
    MIN_EMIN,
    Context,
    Decimal,
    DecimalException,
    DivisionByZero,
    InvalidOperation,
    Overflow,
)

import msgspec

from qehost.messages import FillDetail, FillMessage, OrderMessage
from qehost.wire.shapes import EXACT, Running, Unreadable

__all__ = ["FINISHED", "NOTHING_BEFORE", "PRICE", "Before", "derive", "fill_message", "notional_of"]

FINISHED = frozenset({"FILLED", "CANCELLED", "REJECTED", "EXPIRED"})
"""Statuses after which a child order normally changes no more."""

PRICE = Context(
    prec=34, Emin=MIN_EMIN, Emax=307, traps=[DivisionByZero, InvalidOperation, Overflow]
)
"""For the one division: 34 significant digits (decimal128), half to even.  A price that the venue
can write is exact; only a quotient without end, such as 10 / 3, is rounded.  `Emax` keeps it within
the range of a float."""


class Before(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The running fill of a child order before it grew, every digit as the venue wrote it; `""` is
    what was not there."""

    filled_quantity: str = ""
    filled_notional: str = ""
    average_price: str = ""


NOTHING_BEFORE = Before()


def derive(order: OrderMessage, running: Running, before: Before) -> FillDetail:
    """The fill by which `before` became `running`.

    Raises Unreadable where the figures are so far apart that their difference has more than 400
    digits, or the price is beyond the range of a float.
    """
    try:
        quantity = Decimal(running.filled_quantity)
        filled = quantity
        if not before.filled_quantity:
            worth = notional_of(quantity, running)
        else:
            earlier = Decimal(before.filled_quantity)
            filled = EXACT.subtract(quantity, earlier)
            worth = _gained(quantity, running, earlier, before)
        return FillDetail(
            order.master_order_id,
            order.order_id,
            order.symbol,
            order.category,
            order.side,
            None if worth is None else PRICE.divide(worth, filled),
            filled,
            worth,
            quantity,
            order.timestamp or None,
        )
    except DecimalException:
        text = running.filled_quantity
        raise Unreadable("filledQuantity", text, "does not add up with the last") from None


def fill_message(fill: FillDetail) -> FillMessage:
    """A derived fill in its documented form."""
    moment = fill.fill_time or 0
    return FillMessage(
        "fill",
        fill.master_order_id,
        fill.order_id,
        fill.symbol,
        fill.category,
        fill.side,
        float(fill.price or 0),
        float(fill.quantity or 0),
        moment,
        moment,
    )


def notional_of(quantity: Decimal, running: Running | Before) -> Decimal | None:
    """The filled notional of `quantity`, which `running` has as a text; a venue that leaves it out
    still sends the average price."""
    sent = _sent(running)
    return _worth(quantity, running) if sent is None else sent


def _gained(
    quantity: Decimal, running: Running, earlier: Decimal, before: Before
) -> Decimal | None:
    """The notional of what was filled in between."""
    notional, told = _sent(running), _sent(before)
    if notional is None or told is None:
        if running.average_price and before.average_price:
            # Not one of each kind: what an average was rounded by would make up a small fill's
            # price.
            notional, told = _worth(quantity, running), _worth(earlier, before)
        else:
            notional, told = notional_of(quantity, running), notional_of(earlier, before)
    if notional is None or told is None:
        return None
    worth = EXACT.subtract(notional, told)
    return worth if worth > 0 else None  # figures of V1 and V2 that were rounded apart


def _sent(running: Running | Before) -> Decimal | None:
    return (Decimal(running.filled_notional) or None) if running.filled_notional else None


def _worth(quantity: Decimal, running: Running | Before) -> Decimal | None:
    """By the average price."""
    if not running.average_price:
        return None
    return EXACT.multiply(Decimal(running.average_price), quantity) or None
