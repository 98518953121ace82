"""Which child order an event is about, and which of its states is the last one.  No I/O.

Of the states under one id at the exchange the one with the highest rank is the last one.  So an
event that comes twice, or late, changes nothing, and any order of the same events ends alike.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from operator import attrgetter
from sys import intern

from qehost.blotter.entries import FINAL_RANK, FRESH_RANK, ZERO, ChildEntry, Number
from qehost.events.ids import normal
from qehost.events.states import CANCELLED, was_overtaken
from qehost.messages import OrderDetail

__all__ = ["is_another_order", "take_state"]

_COARSEST = 1000
"""ms: the venue's times may be whole seconds at times."""
_NOT_AMENDED = frozenset({"FILLED", "REJECTED"})
"""Statuses after which no order is amended: what comes with its id is another order."""
_NUMBER = (
    *("number", "order_id", "first", "goes_on", "rank", "status", "is_final"),
    *("type", "reason", "price", "quantity", "updated"),
)
"""The fields of an entry that make a `Number`."""
_number: Callable[[ChildEntry], Number] = attrgetter(*_NUMBER)


# --- which order it is --------------------------------------------------------------------------


def is_another_order(entry: ChildEntry, detail: OrderDetail, filled: Decimal) -> bool:
    """Whether an id is that of another order now, since the venue's ids have begun anew.

    One that was cancelled may have been so in order to be amended; then its fills go on.
    """
    created = detail.order_created_time or 0
    if not (entry.is_final and entry.created and created >= entry.created + _COARSEST):
        return False
    goes_on = ZERO < entry.filled <= filled
    return entry.status.upper() in _NOT_AMENDED or not goes_on


# --- its state ----------------------------------------------------------------------------------


def take_state(entry: ChildEntry, detail: OrderDetail, rank: int, updated: int) -> bool:
    """Whether this is the order's last state from now on; `updated` is the venue's time, epoch
    ms."""
    number = entry.number
    if detail.order_id != entry.order_id:
        number = normal(detail.order_id)
        if not entry.number:
            entry.number, entry.order_id, entry.first = number, detail.order_id, -1
        elif number and number != entry.number:
            return _take_other_number(entry, detail, number, rank, updated)
    if rank >= FRESH_RANK and number == entry.number:
        first = rank & (FINAL_RANK - 1)
        if first < entry.first or entry.first < 0:
            entry.first = first
        entry.goes_on = entry.goes_on or detail.status not in CANCELLED
    is_later = rank > entry.rank
    if is_later:
        entry.rank = rank
        entry.status = intern(detail.status)
        entry.is_final = bool(rank & FINAL_RANK)
        entry.type = intern(detail.order_type)
        entry.reason = detail.reject_reason
        if detail.price is not None:
            entry.price = detail.price
        if detail.quantity is not None:
            entry.quantity = detail.quantity
        entry.updated = updated
    if entry.former:
        return _choose_number(entry) or is_later
    return is_later


def _take_other_number(
    entry: ChildEntry, detail: OrderDetail, number: str, rank: int, updated: int
) -> bool:
    """A state under another id at the exchange, which the order has now or had before."""
    known = next((each for each in entry.former if each[0] == number), None)
    first, goes_on = (-1, False) if known is None else (known[2], known[3])
    if rank >= FRESH_RANK:
        seq = rank & (FINAL_RANK - 1)
        first = seq if first < 0 else min(seq, first)
        goes_on = goes_on or detail.status not in CANCELLED
    if known is not None and rank <= known[4]:
        now: Number = (number, known[1], first, goes_on, *known[4:])
    else:
        now = (
            number,
            detail.order_id,
            first,
            goes_on,
            rank,
            detail.status,
            bool(rank & FINAL_RANK),
            detail.order_type,
            detail.reject_reason,
            detail.price,
            detail.quantity,
            updated,
        )
    entry.former = (*_without(entry.former, known), now)
    return _choose_number(entry)


def _choose_number(entry: ChildEntry) -> bool:
    """The present id is the one whose states began last; whether it is another one than before.

    The exchange may cancel the former order after it has taken the amended one.
    """
    present = _number(entry)
    numbers = (present, *entry.former)
    latest = max(numbers, key=lambda number: (not _was_former(number, numbers), number[2]))
    if latest is present:
        return False
    entry.former = (*_without(entry.former, latest), present)
    for name, value in zip(_NUMBER, latest, strict=True):
        setattr(entry, name, value)
    return True


def _was_former(number: Number, numbers: tuple[Number, ...]) -> bool:
    """Whether nothing is known of this id but that the order was cancelled under it, before the
    last that is known under another one."""
    return not number[3] and any(was_overtaken(number[-1], other[-1]) for other in numbers)


def _without(numbers: tuple[Number, ...], one: Number | None) -> tuple[Number, ...]:
    return tuple(each for each in numbers if each is not one)
