"""Which state of an order comes later, and what of its fills is not written yet.  No I/O.

A key made of an event's number would write fills twice: a spare that first sees a child order at 7
derives a fill of 7, where the main machine has written one of 3.  So what counts is how much of the
child order is written: a fill adds what lies above that, whichever journal it came from.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, Inexact, InvalidOperation, Overflow

from qehost.messages import (
    FINAL_STATUSES,
    FillDetail,
    FillEvent,
    MasterOrderEvent,
    OrderDetail,
    OrderEvent,
)

from qehost_store.rows import Row, clean, magnitude, moment_of_ms, received

__all__ = ["Child", "State", "add_fill", "add_unreported", "label_of"]

EXACT = Context(
    prec=1000, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[Inexact, InvalidOperation, Overflow]
)
"""Sums and products: nothing is rounded.  What does not fit is refused."""
PRICE = Context(prec=34, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[InvalidOperation, Overflow])
"""Quotients, as qehost makes them."""
ZERO = Decimal(0)
TOLERANCE = Decimal("0.01")
"""By what part a notional may differ from quantity × price: a fee may be in it."""


@dataclass(slots=True)
class State:
    """What the database has of a master order or a child order."""

    journal_id: str = ""
    last_seq: int = 0
    status: str = ""
    filled: Decimal = ZERO
    changed_ms: int = 0
    exists: bool = False

    def gives_way_to(self, event: MasterOrderEvent | OrderEvent, filled: Decimal | None) -> bool:
        """Whether the event's state, in which so much is filled, is the later one.

        In one journal the number decides, and qehost says what was overtaken.  Numbers of two
        journals can't be compared: there a state that ends the order is later, then more that is
        filled, then the venue's time.
        """
        if not self.exists or not self.status:
            return True
        if event.stale:
            return False
        if event.journal_id == self.journal_id:
            return event.seq > self.last_seq
        message = event.message
        is_final = message.status.upper() in FINAL_STATUSES
        if is_final != (self.status.upper() in FINAL_STATUSES):
            return is_final
        if (filled or ZERO) != self.filled:
            return (filled or ZERO) > self.filled
        return message.timestamp >= self.changed_ms

    def note(self, event: MasterOrderEvent | OrderEvent, filled: Decimal | None) -> None:
        self.journal_id, self.last_seq = event.journal_id, event.seq
        self.status = event.message.status
        self.filled = filled or ZERO
        self.changed_ms = event.message.timestamp
        self.exists = True


@dataclass(slots=True)
class Child(State):
    """A child order, with what its rows of `fills` add up to."""

    id: str = ""
    quantity: Decimal = ZERO
    notional: Decimal | None = ZERO
    """None where that of a fill is not known."""

    def copy(self) -> Child:
        return replace(self)

    def _add(self, quantity: Decimal, notional: Decimal | None) -> None:
        self.quantity = EXACT.add(self.quantity, quantity)
        if self.notional is not None:
            self.notional = None if notional is None else EXACT.add(self.notional, notional)


def add_fill(
    child: Child, event: FillEvent, detail: FillDetail, state: OrderEvent | None
) -> Row | None:
    """The row of a fill that was told; None where all of it is written.  `state` is that of the
    order with this fill, where it is known: its `detail` is made only where it is needed."""
    quantity, cumulative = magnitude(detail.quantity), magnitude(detail.cum_quantity)
    price, notional = detail.price, magnitude(detail.notional)
    if not quantity:
        return None
    if cumulative is None:
        if notional is None and price is not None and detail.category != "perp_cm":
            notional = EXACT.multiply(price, quantity)
    else:
        above = EXACT.subtract(cumulative, child.quantity)
        if above <= 0:
            return None
        if above != quantity:
            total = None
            if state is not None and magnitude(state.detail.filled_quantity) == cumulative:
                total = magnitude(state.detail.filled_notional)
            price, notional = _part(child, above, quantity, price, notional, total)
            quantity = above
    child._add(quantity, notional)
    name = event.message_id if cumulative is None else _name(cumulative)
    row = _row(child, event, name, quantity, price, notional, cumulative)
    row["source"] = "fill"
    row["fill_time"] = detail.fill_time or event.message.fill_time or None
    row["filled_at"] = moment_of_ms(row["fill_time"]) or row["received_at"]
    return clean(row, event.raw)


def add_unreported(child: Child, event: OrderEvent, detail: OrderDetail) -> Row | None:
    """The row of what an order's state has beyond all fills that are written: it was filled before
    the stream was listened to, or told to a machine that did not write it."""
    filled = magnitude(detail.filled_quantity)
    if filled is None or filled <= child.quantity:
        return None
    quantity = EXACT.subtract(filled, child.quantity)
    total, average = magnitude(detail.filled_notional) or None, magnitude(detail.average_price)
    is_first = not child.quantity
    notional = price = None
    if total is not None and child.notional is not None and total > child.notional:
        notional = EXACT.subtract(total, child.notional)
    elif total is None and average and is_first and detail.category != "perp_cm":
        notional = EXACT.multiply(average, quantity)
    if notional is not None and (total is None or _is_worth(average, filled, total)):
        price = PRICE.divide(notional, quantity)
    elif is_first:
        price = average or None
    child._add(quantity, notional)
    row = _row(child, event, _name(filled), quantity, price, notional, filled)
    row["source"] = "order"
    row["fill_time"] = event.message.last_fill_time or event.message.timestamp or None
    row["filled_at"] = moment_of_ms(row["fill_time"]) or row["received_at"]
    return clean(row, event.raw)


def label_of(id_: str, event: FillEvent) -> Row | None:
    """The key and the quantity of a fill's row, and which event told it."""
    cumulative, quantity = magnitude(event.detail.cum_quantity), magnitude(event.detail.quantity)
    if cumulative is None or not quantity:
        return None
    row: Row = {
        "account": event.account,
        "master_order_id": event.message.master_order_id,
        "id": id_,
        "name": _name(cumulative),
        "quantity": quantity,
        "source": "fill",
        "message_id": event.message_id,
        "seq": event.seq,
        "journal_id": event.journal_id,
        "origin": event.origin,
    }
    return clean(row, event.raw)


def _part(
    child: Child,
    above: Decimal,
    quantity: Decimal,
    price: Decimal | None,
    notional: Decimal | None,
    total: Decimal | None,
) -> tuple[Decimal | None, Decimal | None]:
    """Price and notional of what lies above, which is more or less than was told."""
    is_worth = price is not None and _is_worth(price, quantity, notional)
    if total is not None and child.notional is not None and total > child.notional:
        notional = EXACT.subtract(total, child.notional)
        return (PRICE.divide(notional, above) if is_worth else price), notional
    if is_worth and price is not None:
        return price, EXACT.multiply(price, above)
    if notional is None:
        return price, None
    return price, PRICE.divide(EXACT.multiply(notional, above), quantity)


def _is_worth(price: Decimal | None, quantity: Decimal, notional: Decimal | None) -> bool:
    """Whether the notional is quantity × price: not where contracts are counted."""
    if notional is None or price is None:
        return notional is not None
    off = EXACT.subtract(EXACT.multiply(price, quantity), notional)
    return off.copy_abs() <= EXACT.multiply(notional, TOLERANCE)


def _name(cumulative: Decimal) -> str:
    """One text for 7 and 7.0."""
    short = cumulative.normalize(EXACT)
    return format(short, "f") if abs(short.adjusted()) <= 40 else str(short)


def _row(
    child: Child,
    event: FillEvent | OrderEvent,
    name: str,
    quantity: Decimal,
    price: Decimal | None,
    notional: Decimal | None,
    cumulative: Decimal | None,
) -> Row:
    message = event.message
    return {
        "account": event.account,
        "master_order_id": message.master_order_id,
        "id": child.id,
        "name": name,
        "order_id": message.order_id,
        "symbol": message.symbol,
        "category": message.category,
        "side": message.side,
        "price": price,
        "quantity": quantity,
        "notional": notional,
        "cum_quantity": cumulative,
        "message_id": event.message_id,
        "seq": event.seq,
        "journal_id": event.journal_id,
        "origin": event.origin,
        **received(event),
    }
