"""Whether an update of a V2 child order says that more is filled than before.  No I/O.

Most updates are told apart by comparing texts, and most figures are few and plain digits, of which
everything can be worked out.  For the others it is tried here, so that what is told can be built
where it is needed.
"""

from __future__ import annotations

from decimal import Decimal

from qehost.events.fills import CumulativeFill, derive
from qehost.events.order_records import ChildRecord, Figures
from qehost.events.times import epoch_ms
from qehost.events.v1_fills import add_up, equals_rounded
from qehost.events.wire.v2 import V2Order, order_message
from qehost.events.wire.values import PLAIN_DIGITS

__all__ = ["figures_of", "grow", "magnitude"]


def figures_of(shape: V2Order) -> Figures:
    """What an update says of the fill."""
    return (
        shape.filled_quantity,
        shape.filled_notional,
        shape.average_price,
        shape.quantity,
        shape.order_created_time,
    )


def grow(record: ChildRecord, shape: V2Order, figures: Figures) -> CumulativeFill | None:
    """Note these figures; what was filled before, where more is filled now.

    Raises Unreadable, and notes nothing, where no message can be made of them, or no fill.
    """
    quantity, notional, average, ordered, created = figures
    digits = f"{quantity}{notional}{average}{ordered}"
    filled = -1.0
    if len(digits) <= PLAIN_DIGITS and digits.isascii() and digits.replace(".", "").isdecimal():
        known = record.figures
        try:
            if notional:
                float(notional)
            if average:
                float(average)
            if ordered != known[3]:
                float(ordered)
            if created != known[4]:
                epoch_ms(created)
            filled = float(quantity) if quantity else 0.0
        except ValueError:
            pass  # 1.2.3: told with its name by the careful way
    is_plain = filled >= 0.0
    if not is_plain:
        filled = _of_message(shape)
    before = None
    if filled:
        if filled > record.most and is_plain and record.is_plain and record.pushed_fills is None:
            # What most updates are that say so, in place.
            before = record.top
            record.top = CumulativeFill(figures[0], figures[1], figures[2])
            record.most = filled
        else:
            before = _before(record, shape, figures, filled, is_plain)
    record.figures = figures
    record.filled = filled
    return before


def magnitude(text: str) -> float | None:
    """A quantity without its sign; None where there is none, or it can't be read."""
    try:
        return abs(float(text))
    except ValueError:
        return None


def _before(
    record: ChildRecord, shape: V2Order, figures: Figures, filled: float, is_plain: bool
) -> CumulativeFill | None:
    pushed = record.pushed_fills
    if pushed is not None:
        add_up(record)
    before, most = record.top, record.most
    if pushed is not None and pushed.is_rounded and equals_rounded(filled, most):
        _reach(record, figures, filled, is_plain)  # the same quantity, and these are its digits
        return None
    if filled < most:
        return None
    if filled == most:
        # Floats may be equal where the figures are not.
        gained = abs(Decimal(figures[0])) - abs(Decimal(before.filled_quantity))
        if gained < 0:
            return None
        if not gained:
            if _tells_no_less(figures, before):
                _reach(record, figures, filled, is_plain)
            return None
    if not (is_plain and record.is_plain):
        derive(order_message(shape), shape, before)
    _reach(record, figures, filled, is_plain)
    return before


def _reach(record: ChildRecord, figures: Figures, filled: float, is_plain: bool) -> None:
    record.top = CumulativeFill(*figures[:3])
    record.most = filled
    record.is_plain = is_plain
    if record.pushed_fills is not None:
        record.pushed_fills.is_rounded = False


def _tells_no_less(figures: Figures, before: CumulativeFill) -> bool:
    """Whether the notional and the average are there where they were."""
    return bool(_nonzero(figures[1]) or not _nonzero(before.filled_notional)) and bool(
        _nonzero(figures[2]) or not _nonzero(before.average_price)
    )


def _nonzero(number: str) -> str:
    return number.strip("0.")


def _of_message(shape: V2Order) -> float:
    """The filled quantity without its sign.  Raises Unreadable where no message can be made."""
    message = order_message(shape)
    if message.cum_filled_qty == -1.0 and message.quantity >= 0.0:
        return 0.0  # as the venue writes that there is none
    return abs(message.cum_filled_qty)
