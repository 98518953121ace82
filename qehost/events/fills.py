"""Fills derived from the growth of a child order's filled quantity.  No I/O.

V2 pushes no fills: a child order's update carries its cumulative fill, and an execution is
the difference between two of them.  The process that receives notes what was filled before, and
that is all that travels; the fill is worked out of it, exactly, where it is needed.
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
from typing import TypeAlias

import msgspec

from qehost.events.wire.v2 import V2Order
from qehost.events.wire.values import EXACT, Unreadable
from qehost.messages import FillDetail, FillMessage, OrderMessage

__all__ = [
    "NOTHING_FILLED",
    "PRICE",
    "CumulativeFill",
    "derive",
    "fill_message",
    "notional_of",
]

PRICE = Context(
    prec=34, Emin=MIN_EMIN, Emax=307, traps=[DivisionByZero, InvalidOperation, Overflow]
)
"""For the one division: 34 significant digits (decimal128), half to even.  A price that the venue
can write is exact; only a quotient without end, such as 10 / 3, is rounded.  `Emax` keeps it within
the range of a float."""
_TOLERANCE = 0.01
"""By what part a notional may differ from quantity × average: fees may be in the one."""
_UNCERTAIN = Decimal("0.1")
"""The part of a fill's worth that rounded averages may leave open."""


class CumulativeFill(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How far a child order was filled, every digit as the venue wrote it; `""` is what was not
    there."""

    filled_quantity: str = ""
    filled_notional: str = ""
    average_price: str = ""


NOTHING_FILLED = CumulativeFill()
_ZERO = Decimal(0)


def derive(
    order: OrderMessage, now: V2Order, before: CumulativeFill
) -> tuple[FillMessage, FillDetail]:
    """The fill by which `before` became what is filled now, and its exact figures; `order` is the
    message of `now`.

    Quantities and notionals have no sign in it, however the venue writes sales: the side says what
    they are.  Where the price of this fill can't be worked out, it is None in the exact figures,
    and the message has the average price of the whole order; 0.0 where that is not known either.

    Raises Unreadable where the figures are so far apart that their difference has more than 400
    digits, or the price is beyond the range of a float.
    """
    try:
        gain = _plain_gain(order, now, before) or _gain(now, before)
        filled, worth, notional, reached, average = gain
        fill = FillDetail(
            order.master_order_id,
            order.order_id,
            order.symbol,
            order.category,
            order.side,
            None if worth is None else PRICE.divide(worth, filled),
            filled,
            notional,
            reached,
            order.timestamp or None,
            now.id,
        )
        return fill_message(fill, average), fill
    except (DecimalException, OverflowError):
        text = now.filled_quantity
        raise Unreadable("filledQuantity", text, "does not add up with the last") from None


_Gain: TypeAlias = tuple[Decimal, Decimal | None, Decimal | None, Decimal, Decimal | None]
"""What is filled more than before, what that cost, the same as the venue counts it, what is filled
by now, and the average price of that where the one of this fill is not known."""


def _plain_gain(order: OrderMessage, now: V2Order, before: CumulativeFill) -> _Gain | None:
    """The fast way, for what most updates are: quantities without sign, and notionals that are
    what they cost.  It gives what `_gain` gives; None: that has to tell."""
    try:
        # The message has the floats of these texts; to read one takes as long as a decimal does.
        if not _is_plain(order.cum_filled_qty, now.filled_notional, order.fill_price):
            return None
        filled = reached = Decimal(now.filled_quantity)
        worth = Decimal(now.filled_notional)
        if before.filled_quantity:
            quantity, average = float(before.filled_quantity), float(before.average_price)
            if not _is_plain(quantity, before.filled_notional, average):
                return None
            filled = EXACT.subtract(reached, Decimal(before.filled_quantity))
            worth = EXACT.subtract(worth, Decimal(before.filled_notional))
            if filled <= _ZERO or worth <= _ZERO:
                return None
    except ValueError:
        return None  # one that is not there
    return filled, worth, worth, reached, None


def _is_plain(quantity: float, notional_text: str, average: float) -> bool:
    notional = float(notional_text)
    off_by = abs(notional - quantity * average)
    return quantity > 0.0 and notional > 0.0 and off_by <= notional * _TOLERANCE


def _gain(now: V2Order, before: CumulativeFill) -> _Gain:
    reached = _Figures(now)
    left = _Figures(before) if before.filled_quantity else _NOTHING
    filled = EXACT.subtract(reached.quantity, left.quantity) if left.quantity else reached.quantity
    worth = _worth(reached, left)
    average = reached.average() if worth is None else None
    return filled, worth, _notional(reached, left, worth), reached.quantity, average


def fill_message(fill: FillDetail, otherwise: Decimal | None = None) -> FillMessage:
    """A derived fill in its documented form; `otherwise` stands for a price that is not known."""
    moment = fill.fill_time or 0
    return FillMessage(
        "fill",
        fill.master_order_id,
        fill.order_id,
        fill.symbol,
        fill.category,
        fill.side,
        float(fill.price or otherwise or 0),
        float(fill.quantity or 0),
        moment,
        moment,
    )


def notional_of(quantity: Decimal, now: V2Order | CumulativeFill) -> Decimal | None:
    """What `quantity` is worth, which `now` has as a text; None where that is not known."""
    figures = _Figures(now)
    return figures.notional if figures.is_worth else figures.by_average()


def _number(text: str) -> Decimal | None:
    if not text:
        return None
    number = Decimal(text)
    return (number.copy_abs() if number.is_signed() else number) or None


class _Figures:
    """A cumulative fill in numbers without sign; what is 0 or not there is None."""

    __slots__ = ("is_worth", "notional", "quantity", "sent_average")

    def __init__(self, fill: V2Order | CumulativeFill) -> None:
        quantity, notional, average = fill.filled_quantity, fill.filled_notional, fill.average_price
        self.quantity = _number(quantity) or _ZERO
        self.notional = _number(notional)
        self.sent_average = _number(average)
        self.is_worth = False
        """Whether the notional is what the quantity costs; it is not where the quantity is in
        contracts or in the quote currency."""
        if self.notional is not None:
            if self.sent_average is None:
                self.is_worth = True
            else:
                # Almost always it is, which floats are good enough to see.
                sent = abs(float(notional))
                off_by = abs(sent - abs(float(quantity) * float(average)))
                self.is_worth = off_by <= sent * _TOLERANCE or self._is_rounded(
                    self.notional, self.sent_average
                )

    @property
    def is_in_other_units(self) -> bool:
        return self.notional is not None and not self.is_worth

    def by_average(self) -> Decimal | None:
        """What the quantity costs at the average price."""
        if self.sent_average is None:
            return None
        return EXACT.multiply(self.sent_average, self.quantity)

    def average(self) -> Decimal | None:
        """The average price as it was sent, or else by the notional."""
        if self.sent_average is None and self.notional is not None and self.quantity:
            return PRICE.divide(self.notional, self.quantity)
        return self.sent_average

    def _is_rounded(self, notional: Decimal, average: Decimal) -> bool:
        """Whether a notional differs from quantity × average by what both were rounded by."""
        rounding = EXACT.multiply(self.quantity, _unit(average))
        rounding = EXACT.add(rounding, _unit(notional))
        off_by = EXACT.subtract(notional, EXACT.multiply(average, self.quantity))
        return off_by.copy_abs() <= rounding


_NOTHING = _Figures(NOTHING_FILLED)


def _worth(now: _Figures, before: _Figures) -> Decimal | None:
    """What this fill cost, by its quantity and price; None: that can't be said."""
    if not before.quantity:
        return now.notional if now.is_worth else now.by_average()
    if now.is_worth and before.is_worth:
        assert now.notional is not None
        assert before.notional is not None
        worth = EXACT.subtract(now.notional, before.notional)
        return worth if worth > 0 else None
    reached, left = now.by_average(), before.by_average()
    # Not one of each kind: what an average was rounded by would make up a small fill's price.
    is_by_averages = reached is not None and left is not None
    if not is_by_averages and not (now.is_in_other_units or before.is_in_other_units):
        reached = now.notional if now.is_worth else reached
        left = before.notional if before.is_worth else left
    if reached is None or left is None:
        return None
    worth = EXACT.subtract(reached, left)
    if is_by_averages and now.sent_average != before.sent_average:
        is_certain = _rounding(now, before) <= EXACT.multiply(worth, _UNCERTAIN)
        return worth if is_certain and worth > 0 else None
    return worth if worth > 0 else None


def _notional(now: _Figures, before: _Figures, worth: Decimal | None) -> Decimal | None:
    """As the venue counts it, whatever that is; where it does not, what the fill cost."""
    if now.notional is None or (now.is_worth and worth is not None):
        return worth
    left = before.notional if before.quantity else _ZERO
    if left is None:
        return None
    gained = EXACT.subtract(now.notional, left)
    return gained if gained > 0 else None


def _rounding(now: _Figures, before: _Figures) -> Decimal:
    """By how much a worth by the averages may be off."""
    off_by = Decimal(0)
    for figures in (now, before):
        assert figures.sent_average is not None
        half = EXACT.multiply(_unit(figures.sent_average), Decimal("0.5"))
        off_by = EXACT.add(off_by, EXACT.multiply(figures.quantity, half))
    return off_by


def _unit(number: Decimal) -> Decimal:
    """One in the place of its last digit."""
    exponent = number.as_tuple().exponent
    return Decimal((0, (1,), exponent if isinstance(exponent, int) else 0))
