"""V1's fills, which are pushed one by one, beside what V2 says of the same order.  No I/O.

V1's orders come with their own fills.  But after a gap they are read over REST as V2 has them, and
then a fill is derived for what was not pushed.  So the pushes are summed up, to be compared with
V2's cumulative fill.  That is rare, so it is done when V2 tells of the order.
"""

from __future__ import annotations

from decimal import Decimal, DecimalException

from qehost.events.fills import CumulativeFill, notional_of
from qehost.events.order_records import ChildRecord, Push, PushedFills
from qehost.events.states import is_later
from qehost.events.wire.values import EXACT

__all__ = ["add_push", "add_up", "equals_rounded", "lacks_fills"]

_PUSHES_KEPT = 16
_ROUNDED = 1.000000001
"""V1's quantities are floats, so sums of them may be off by their last digits."""


def add_push(record: ChildRecord, push: Push) -> bool:
    """Note a fill that V1 pushed.

    False: it may be in what was derived already.  Unless it is certainly later than that, however
    exact REST's times are, a message about the order has to say so, which comes before each fill
    with the quantity that the fill leads to.
    """
    if record.derived_until and _may_be_derived(record, push):
        return False
    pushed = record.pushed_fills
    if pushed is None:
        record.pushed_fills = PushedFills([push])
        return True
    pushed.pushes.append(push)
    if len(pushed.pushes) >= _PUSHES_KEPT:
        add_up(record)
    return True


def add_up(record: ChildRecord) -> None:
    """The pushes become part of the cumulative fill, exactly."""
    pushed = record.pushed_fills
    if pushed is None or not pushed.pushes:
        return
    quantity = abs(Decimal(record.top.filled_quantity or 0))
    notional = notional_of(quantity, record.top) if quantity else Decimal(0)
    for filled_qty, fill_price, fill_time in pushed.pushes:
        try:
            # repr() of a float is what V1 wrote, up to the 17 digits that a float has; sales may be
            # negative.
            added = abs(Decimal(repr(filled_qty)))
            total = EXACT.add(quantity, added)
            worth = EXACT.multiply(added, Decimal(repr(fill_price)))
            if notional is not None:
                notional = EXACT.add(notional, worth) if fill_price else None
        except DecimalException:
            continue  # more than 400 digits apart: nothing that could be told apart later
        quantity = total
        pushed.until = max(pushed.until, fill_time)
    pushed.pushes = []
    if quantity:
        record.top = CumulativeFill(f"{quantity:f}", "" if notional is None else f"{notional:f}")
        record.most = float(quantity)
        record.is_plain = False
        pushed.is_rounded = True


def lacks_fills(record: ChildRecord) -> bool:
    """Whether V1 says that more of an order is filled than it pushed fills of."""
    if record.most >= record.cumulative:
        return False
    pushed = record.pushed_fills or PushedFills()
    if pushed.is_unbased:
        return False
    filled = record.most + sum(abs(quantity) for quantity, _, _ in pushed.pushes)
    return filled * _ROUNDED < record.cumulative


def equals_rounded(filled: float, sum_of_floats: float) -> bool:
    """Whether a quantity is this sum of V1's floats."""
    return sum_of_floats / _ROUNDED <= filled <= sum_of_floats * _ROUNDED


def _may_be_derived(record: ChildRecord, push: Push) -> bool:
    until = record.derived_until
    is_certain = until > 0 and is_later(push[2], until) and not record.is_final
    return not is_certain and not _leads_to_cumulative(record, push)


def _leads_to_cumulative(record: ChildRecord, push: Push) -> bool:
    add_up(record)
    quantity = abs(Decimal(record.top.filled_quantity or 0))
    try:
        quantity = EXACT.add(quantity, abs(Decimal(repr(push[0]))))
    except DecimalException:
        return True
    return 0 < float(quantity) <= record.cumulative * _ROUNDED
