"""Fills derived from the growth of a child order's filled quantity.  No I/O.

V2 pushes no fills: a child order's update carries its running fill, and an execution is the
difference between two of them.  V1 pushes its fills, so its orders never come here.
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

from qehost.messages import FillDetail, OrderMessage
from qehost.shapes import EXACT, Running, Unreadable

__all__ = ["FINISHED", "PRICE", "Fills"]

FINISHED = frozenset({"FILLED", "CANCELLED", "REJECTED", "EXPIRED"})
"""Statuses after which a child order normally changes no more."""

PRICE = Context(
    prec=34, Emin=MIN_EMIN, Emax=307, traps=[DivisionByZero, InvalidOperation, Overflow]
)
"""For the one division: 34 significant digits (decimal128), half to even.  A price that the venue
can write is exact; only a quotient without end, such as 10 / 3, is rounded.  `Emax` keeps it within
the range of a float."""

_ZERO = Decimal(0)


class _State(msgspec.Struct, gc=False):
    text: str  # filledQuantity as the venue wrote it: most updates are told apart by this alone
    quantity: Decimal
    notional: Decimal | None
    finished: bool
    timestamp: int  # epoch ms of the last increase


class Fills:
    """The running fill of each child order, and what an update adds to it.

    The sum of an order's fills is the highest `filledQuantity` that was seen, exactly, whatever
    the order of the updates and however often they come.  Orders without a fill take no memory.
    Of the others `size` are remembered; then a quarter is forgotten, those that are finished and
    have been known for longest first.
    """

    def __init__(self, size: int = 20_000) -> None:
        self._size = size
        self._orders: dict[str, _State] = {}
        self._forgotten_until = 0

    def __len__(self) -> int:
        return len(self._orders)

    def update(self, order: OrderMessage, running: Running) -> FillDetail | None:
        """What this update of a V2 child order adds, or None.

        Raises Unreadable where the figures are so far apart that their difference has more than
        400 digits; then nothing is remembered of the update.
        """
        key = running.id or order.order_id
        if not order.cum_filled_qty or not key:
            return None
        state = self._orders.get(key)
        if state is not None and state.text == running.filled_quantity:
            state.finished = state.finished or order.status in FINISHED
            return None
        try:
            return self._grown(key, state, order, running)
        except DecimalException:
            filled = running.filled_quantity
            raise Unreadable("filledQuantity", filled, "does not add up with the last") from None

    def _grown(
        self, key: str, state: _State | None, order: OrderMessage, running: Running
    ) -> FillDetail | None:
        quantity = Decimal(running.filled_quantity)
        if quantity <= (_ZERO if state is None else state.quantity):
            return None  # an older update, late
        notional = _notional(quantity, running)
        if state is None:
            fill = _fill(order, quantity, notional, quantity)
        else:
            added = None
            if notional is not None and state.notional is not None:
                added = EXACT.subtract(notional, state.notional)
            fill = _fill(order, EXACT.subtract(quantity, state.quantity), added, quantity)
        finished = order.status in FINISHED
        self._orders[key] = _State(
            running.filled_quantity, quantity, notional, finished, order.timestamp
        )
        # An order that is older than one that was forgotten may be that very order, coming again.
        # A fill that is told twice is worse than one that its order alone tells.
        again = state is None and 0 < order.timestamp <= self._forgotten_until
        if len(self._orders) > self._size:
            self._forget()
        return None if again else fill

    def _forget(self) -> None:
        finished = [key for key, state in self._orders.items() if state.finished]
        running = [key for key, state in self._orders.items() if not state.finished]
        for key in (finished + running)[: self._size // 4 + 1]:
            state = self._orders.pop(key)
            self._forgotten_until = max(self._forgotten_until, state.timestamp)


def _notional(quantity: Decimal, running: Running) -> Decimal | None:
    """The filled notional so far; a venue that leaves it out still sends the average price."""
    if running.filled_notional:
        notional = Decimal(running.filled_notional)
        if notional:
            return notional
    if running.average_price:
        notional = EXACT.multiply(Decimal(running.average_price), quantity)
        if notional:
            return notional
    return None


def _fill(
    order: OrderMessage, quantity: Decimal, notional: Decimal | None, cumulative: Decimal
) -> FillDetail:
    return FillDetail(
        order.master_order_id,
        order.order_id,
        order.symbol,
        order.category,
        order.side,
        None if notional is None else PRICE.divide(notional, quantity),
        quantity,
        notional,
        cumulative,
        order.timestamp or None,
    )
