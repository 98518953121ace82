"""Fills derived from the growth of a child order's filled quantity.  No I/O.

V2 pushes no fills: a child order's update carries its running fill, and an execution is the
difference between two of them.  V1 pushes its fills, so nothing is derived from its orders.
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
_ROUNDED = 1.000000001
"""V1's quantities are floats, so sums of them may be off by their last digits."""


class _State(msgspec.Struct, gc=False):
    text: str  # filledQuantity as the venue wrote it: most updates are told apart by this alone
    quantity: Decimal
    notional: Decimal | None
    finished: bool
    timestamp: int  # epoch ms of the last update
    derived_until: int  # epoch ms of the last increase that was derived
    pushed_total: float = 0.0  # the filled quantity by V1's own messages about the order


class Fills:
    """The running fill of each child order, and what an update adds to it.

    The sum of an order's fills is the highest `filledQuantity` that was seen, exactly, whatever
    the order of the updates and however often they come.  Orders without a fill take no memory.
    Of the others `size` are remembered; then a quarter is forgotten, of the older half those that
    are finished first.
    """

    def __init__(self, size: int = 20_000) -> None:
        self._size = size
        self._orders: dict[tuple[str, str], _State] = {}
        self._forgotten_until = 0

    def __len__(self) -> int:
        return len(self._orders)

    def update(self, order: OrderMessage, running: Running) -> FillDetail | None:
        """What this update of a V2 child order adds, or None.

        Raises Unreadable where the figures are so far apart that their difference has more than
        400 digits; then nothing is remembered of the update.
        """
        if not order.cum_filled_qty or not order.order_id:
            return None
        # The exchanges number their orders for each symbol; within one master order it is unique.
        key = (order.master_order_id, order.order_id)
        state = self._orders.get(key)
        if state is None:
            state = self._by_venue_id(key, running.id)
        if state is not None and state.text == running.filled_quantity:
            state.finished = state.finished or order.status in FINISHED
            state.timestamp = max(state.timestamp, order.timestamp)
            return None
        try:
            return self._grown(key, state, order, running)
        except DecimalException:
            filled = running.filled_quantity
            raise Unreadable("filledQuantity", filled, "does not add up with the last") from None

    def pushed(self, fill: FillMessage) -> bool:
        """Note a fill that V1 pushed; False if it was derived before.

        V1's orders come with their own fills.  But after a gap its orders are read over REST as V2
        has them, and then a fill is derived for what was not pushed.  A late push of the same fill
        bears a time that the derived one covers.
        """
        key = (fill.master_order_id, fill.order_id)
        state = self._orders.get(key)
        if state is None:
            state = self._pushed(key)
        try:
            # repr() of a float is what V1 wrote, up to the 17 digits that a float has.
            added = Decimal(repr(fill.filled_qty))
            quantity = EXACT.add(state.quantity, added)
            notional = None
            if state.notional is not None and fill.fill_price:
                worth = EXACT.multiply(added, Decimal(repr(fill.fill_price)))
                notional = EXACT.add(state.notional, worth)
        except DecimalException:
            return True  # more than 400 digits apart: nothing that could be told apart later
        if 0 < fill.fill_time <= state.derived_until and not _announced(quantity, state):
            return False
        state.quantity = quantity
        state.notional = notional
        state.text = ""
        state.timestamp = max(state.timestamp, fill.fill_time)
        return True

    def ordered(self, order: OrderMessage) -> None:
        """Note a V1 child order: it tells its filled quantity before the fill itself is pushed."""
        key = (order.master_order_id, order.order_id)
        state = self._orders.get(key) or self._pushed(key)
        state.pushed_total = max(state.pushed_total, order.cum_filled_qty)
        state.finished = state.finished or order.status in FINISHED

    def _pushed(self, key: tuple[str, str]) -> _State:
        state = _State("", _ZERO, _ZERO, False, 0, 0)
        self._remember(key, state)
        return state

    def _by_venue_id(self, key: tuple[str, str], venue_id: str) -> _State | None:
        # An order whose exchange id came later than its first fill stands under the venue's id.
        state = self._orders.pop((key[0], venue_id), None)
        if state is not None:
            self._orders[key] = state
        return state

    def _grown(
        self, key: tuple[str, str], state: _State | None, order: OrderMessage, running: Running
    ) -> FillDetail | None:
        quantity = Decimal(running.filled_quantity)
        notional = _notional(quantity, running)
        finished = order.status in FINISHED
        moment = order.timestamp
        if state is None:
            if quantity <= 0:
                return None
            fill = _fill(order, quantity, notional, quantity)
            # An order that is older than one that was forgotten may be that very order, coming
            # again.  A fill that is told twice is worse than one that its order alone tells.
            again = 0 < moment <= self._forgotten_until
            text = running.filled_quantity
            self._remember(key, _State(text, quantity, notional, finished, moment, moment))
            return None if again else fill
        if quantity <= state.quantity:
            return None  # an older update, late
        added = None
        if notional is not None and state.notional is not None:
            added = EXACT.subtract(notional, state.notional)
            if added <= 0:
                added = None  # figures of V1 and V2 that were rounded apart
        fill = _fill(order, EXACT.subtract(quantity, state.quantity), added, quantity)
        state.text = running.filled_quantity
        state.quantity = quantity
        state.notional = notional
        state.finished = finished
        state.timestamp = state.derived_until = max(state.timestamp, moment)
        return fill

    def _remember(self, key: tuple[str, str], state: _State) -> None:
        self._orders[key] = state
        if len(self._orders) > self._size:
            self._forget()

    def _forget(self) -> None:
        # Only of the older half: what is forgotten must lie well before what comes now.
        older = list(self._orders)[: self._size // 2 + 1]
        older.sort(key=lambda key: not self._orders[key].finished)
        for key in older[: self._size // 4 + 1]:
            self._forgotten_until = max(self._forgotten_until, self._orders.pop(key).timestamp)


def _announced(quantity: Decimal, state: _State) -> bool:
    """Whether V1 told this filled quantity.  Two fills may have one time, but a message about the
    order comes before each."""
    return state.pushed_total > 0 and float(quantity) <= state.pushed_total * _ROUNDED


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
