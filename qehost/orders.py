"""What is known of each order: its newest state, and how much of it is filled.  No I/O.

By the state, the same change by stream and by REST is told from a new one.  By the running fill it
is told whether an update of a V2 child order brings a fill.  Both stand in one record, since each
message looks its order up once.

The venue's figures stay text: most updates are told apart by comparing it, and what a fill is
exactly is worked out where the fill is needed (`fills`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal, DecimalException
from typing import Any, NamedTuple

from qehost.fills import NOTHING_BEFORE, Before, derive, fill_message, notional_of
from qehost.known_orders import Figures, Key, Known, KnownOrders, Push, State
from qehost.times import created_ms
from qehost.wire import Shape
from qehost.wire.shapes import (
    EXACT,
    V1Fill,
    V1MasterOrder,
    V1Order,
    V2MasterOrder,
    V2Order,
    changed_ms,
    order_message,
)

__all__ = ["Lost", "Orders"]

_AT_ONE_TIME = 16  # states of one order that are told apart: of one time, or from REST
_PLAIN_DIGITS = 160  # of all figures together; nothing that is worked out of so few needs 400
_PUSHES_KEPT = 16
_ROUNDED = 1.000000001
"""V1's quantities are floats, so sums of them may be off by their last digits."""


class Lost(NamedTuple):
    """Where V1 pushes the fills by themselves, REST may tell a state that is known, and by it that
    a push was lost."""

    before: Before


class Orders:
    """The memory of one account's orders: of the `size` that changed last, and of as many that are
    filled in part."""

    def __init__(self, size: int = 20_000) -> None:
        self._orders = KnownOrders(size)
        self.now = 2**63
        """Epoch ms.  A time of the venue that lies behind it is taken for this one: otherwise one
        absurd time would silence the fills of new orders for ever."""
        self._kinds: dict[type, Callable[[Any, bool], Any]] = {
            V2Order: self._v2_order,
            V1Order: self._v1_order,
            V1Fill: self._v1_fill,
            V2MasterOrder: self._v2_master_order,
            V1MasterOrder: self._v1_master_order,
        }

    def __len__(self) -> int:
        return len(self._orders)

    def note(self, shape: Shape) -> Before | bool:
        """Remember what the stream says of an order.

        False: it is nothing new.  True: it is.  `Before`: it is, and more is filled than before, so
        a fill is to be told after it.

        Raises Unreadable, and remembers nothing, for a V2 child order of which no message can be
        made, or whose fill can't be worked out.
        """
        told: Before | bool = self._kinds[type(shape)](shape, False)
        return told

    def catch_up(self, shape: Shape) -> Before | Lost | bool:
        """Remember what REST says of an order; as `note`."""
        told: Before | Lost | bool = self._kinds[type(shape)](shape, True)
        return told

    def open_orders(self) -> list[tuple[Key, Known]]:
        """The child orders that are filled in part and may go on, as `adopt` takes them."""
        return self._orders.open_orders()

    def adopt(self, orders: Sequence[tuple[Key, Known]]) -> None:
        """Know of these orders what an earlier process knew."""
        self._orders.adopt(orders)

    # --- one kind each ----------------------------------------------------------------------

    def _v2_order(self, shape: V2Order, from_rest: bool) -> Before | Lost | bool:
        moment = changed_ms(shape)
        orders = self._orders
        number = shape.order_id or shape.id
        key = shape.master_order_id, number
        order = orders.young.get(key) or orders.find_child(
            shape.master_order_id, shape.order_id, shape.id
        )
        known = order is not None
        if order is None:
            order = Known()
        figures = (
            shape.filled_quantity,
            shape.filled_notional,
            shape.average_price,
            shape.quantity,
            shape.order_created_time,
        )
        before: Before | None = None
        if figures != order.figures:
            filled, plain = _checked(shape, figures, order)
            if filled > 0 and number:
                before = _grown(order, shape, figures, filled, plain)
            if before is not None:
                _reach(order, figures, filled, plain)
                order.derived_until = max(order.derived_until, order.pushed_until, moment)
            order.figures = figures
            order.filled = filled
            if not order.venue_id and shape.id:
                orders.name(order, key, shape.id)
        if not known:
            orders.place(key, order)
        if before is NOTHING_BEFORE:
            orders.opened(key, order)
            # An order that is older than one that was forgotten may be that very order, coming
            # again.  A fill that is told twice is worse than one that its order alone tells.
            if not known and 0 < moment <= orders.gone_until:
                before = None
        state = shape.status, order.filled
        new = self._is_new(order, moment, state, from_rest, grew=before is not None)
        if before is None:
            return new
        return before if new or not from_rest else Lost(before)

    def _v2_master_order(self, shape: V2MasterOrder, from_rest: bool) -> bool:
        moment = changed_ms(shape)
        order = self._known(shape.master_order_id)
        return self._is_new(order, moment, (shape.status, shape.cum_filled_qty or 0.0), from_rest)

    def _v1_master_order(self, shape: V1MasterOrder, from_rest: bool) -> bool:
        order = self._known(shape.master_order_id)
        return self._is_new(order, shape.timestamp, (shape.status, 0.0), from_rest)

    def _v1_order(self, shape: V1Order, from_rest: bool) -> bool:
        order = self._known((shape.master_order_id, shape.order_id))
        filled = shape.cum_filled_qty
        # It comes before the fill itself is pushed.
        if filled > order.announced:
            order.announced = filled
        return self._is_new(order, shape.timestamp, (shape.status, filled), from_rest)

    def _v1_fill(self, shape: V1Fill, from_rest: bool) -> bool:
        """V1's orders come with their own fills.  But after a gap its orders are read over REST as
        V2 has them, and then a fill is derived for what was not pushed.  A late push of the same
        fill bears a time that the derived one covers."""
        key = shape.master_order_id, shape.order_id
        order = self._known(key)
        push = shape.filled_qty, shape.fill_price, shape.fill_time
        if 0 < shape.fill_time <= order.derived_until and not _is_announced(order, push):
            return False
        # They are summed up when REST tells of the order, which is rare.
        if order.pushes is None:
            order.pushes = []
            self._orders.opened(key, order)
        order.pushes.append(push)
        if len(order.pushes) >= _PUSHES_KEPT:
            _add_up(order)
        return True

    # --- states -----------------------------------------------------------------------------

    def _is_new(
        self, order: Known, moment: int, state: State, from_rest: bool, grew: bool = False
    ) -> bool:
        if from_rest:
            if moment == order.moment and state in order.states:
                return False
            # A state in which more is filled than before counts although a newer one came.
            if (0 < moment < order.moment and not grew) or (moment, state) in order.from_rest:
                return False
            order.from_rest = (*order.from_rest, (moment, state))[-_AT_ONE_TIME:]
        elif order.from_rest and (moment, state) in order.from_rest:
            return False
        if moment > order.moment:
            order.moment = moment
            order.states = (state,)
            if moment > self._orders.young_until:
                self._orders.young_until = min(moment, self.now)
        elif moment == order.moment and state not in order.states:
            order.states = (*order.states, state)[-_AT_ONE_TIME:]
        return True

    def _known(self, key: Key) -> Known:
        orders = self._orders
        order = orders.young.get(key) or orders.find(key)
        if order is None:
            order = Known()
            orders.place(key, order)
        return order


def _checked(shape: V2Order, figures: Figures, order: Known) -> tuple[float, bool]:
    """The filled quantity, and whether all figures are few and plain digits.

    Raises Unreadable where no message can be made of them.
    """
    filled, notional, average, quantity, created = figures
    digits = f"{filled}{notional}{average}{quantity}"
    if len(digits) <= _PLAIN_DIGITS and digits.isascii() and digits.replace(".", "").isdecimal():
        try:
            if notional:
                float(notional)
            if average:
                float(average)
            if quantity != order.figures[3]:
                float(quantity)
            if created != order.figures[4]:
                created_ms(created)
            return float(filled) if filled else 0.0, True
        except ValueError:
            pass  # 1.2.3: told with its name by the careful way
    return order_message(shape).cum_filled_qty, False


def _reach(order: Known, figures: Figures, filled: float, plain: bool) -> None:
    """These figures are now its running fill."""
    order.top = Before(*figures[:3])
    order.most = filled
    order.plain = plain
    order.rounded = False


def _grown(
    order: Known, shape: V2Order, figures: Figures, filled: float, plain: bool
) -> Before | None:
    """What was filled before; None unless more is filled now.  Raises Unreadable."""
    if order.pushes:
        _add_up(order)
    if order.rounded and order.most / _ROUNDED <= filled <= order.most * _ROUNDED:
        # The same quantity, and these are its digits.
        _reach(order, figures, filled, plain)
        return None
    before = order.top
    if filled <= order.most:
        # Floats may be equal where the figures are not.
        if filled < order.most:
            return None
        if Decimal(shape.filled_quantity) <= Decimal(before.filled_quantity):
            return None
    if not (plain and order.plain):
        fill_message(derive(order_message(shape), shape, before))
    return before


def _add_up(order: Known) -> None:
    """V1's pushes become part of the running fill, exactly."""
    quantity = Decimal(order.top.filled_quantity or 0)
    notional = notional_of(quantity, order.top) if quantity else Decimal(0)
    for filled_qty, fill_price, fill_time in order.pushes or ():
        try:
            # repr() of a float is what V1 wrote, up to the 17 digits that a float has.
            added = Decimal(repr(filled_qty))
            total = EXACT.add(quantity, added)
            worth = EXACT.multiply(added, Decimal(repr(fill_price)))
            if notional is not None:
                notional = EXACT.add(notional, worth) if fill_price else None
        except DecimalException:
            continue  # more than 400 digits apart: nothing that could be told apart later
        quantity = total
        order.pushed_until = max(order.pushed_until, fill_time)
    order.pushes = None
    if quantity:
        order.top = Before(f"{quantity:f}", "" if notional is None else f"{notional:f}")
        order.most = float(quantity)
        order.plain = False
        order.rounded = True


def _is_announced(order: Known, push: Push) -> bool:
    """Whether V1 told the filled quantity that the push leads to.  Two fills may have one time, but
    a message about the order comes before each."""
    _add_up(order)
    quantity = Decimal(order.top.filled_quantity or 0)
    try:
        quantity = EXACT.add(quantity, Decimal(repr(push[0])))
    except DecimalException:
        return True
    return 0 < float(quantity) <= order.announced * _ROUNDED
