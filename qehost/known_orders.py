"""The records of the orders that changed last, found by any of their ids.  No I/O.

Records stand in two generations.  What changes moves to the younger one, and when that is full, the
older one goes: bit by bit, since to free thousands of records at once takes milliseconds.  Orders
that are filled in part and not finished don't go with it: their next update would look like a fill
of all that was filled before.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TypeAlias

import msgspec

from qehost.fills import FINISHED, NOTHING_BEFORE, Before

__all__ = ["Figures", "Key", "Known", "KnownOrders", "Push", "State"]

Key: TypeAlias = str | tuple[str, str]
"""A master order's id; of a child order that and its own.  The exchanges number their orders for
each symbol, so an id of theirs is unique within one master order only."""

Figures: TypeAlias = tuple[str, str, str, str, str]
"""Of a V2 child order: filledQuantity, filledNotional, averagePrice, quantity, orderCreatedTime."""

Push: TypeAlias = tuple[float, float, int]
"""Of a V1 fill: filled_qty, fill_price, fill_time."""

State: TypeAlias = tuple[str, float]
"""Status and cumulative filled quantity: with the venue's time they tell one state from another.

They are values, because REST and stream may write one state with different text (`"0.10"` and
`"0.1"`).
"""

NO_FIGURES: Figures = ("", "", "", "", "")


class Known(msgspec.Struct, gc=False):
    """What is known of one order."""

    venue_id: str = ""  # of a V2 child order: it is there from the start and never changes
    moment: int = -1  # the venue's newest time, epoch ms
    states: tuple[State, ...] = ()  # those of that time
    from_rest: tuple[tuple[int, State], ...] = ()  # what REST told, whatever its time
    figures: Figures = NO_FIGURES  # the last ones; they have been checked
    filled: float = 0.0  # by those
    top: Before = NOTHING_BEFORE  # the running fill where most was filled
    most: float = 0.0  # the quantity in it
    plain: bool = True  # whether it is made of few and plain digits
    rounded: bool = False  # whether it is a sum of V1's floats
    pushes: list[Push] | None = None  # V1's fills that are not in `top` yet
    pushed_until: int = 0  # epoch ms of the newest of those that are
    announced: float = 0.0  # the filled quantity by V1's own messages about the order
    derived_until: int = 0  # epoch ms of the last growth

    def is_open(self) -> bool:
        """Whether it is filled in part, and more may be filled."""
        if not self.most and not self.pushes:
            return False
        for status, _ in self.states:  # noqa: SIM110 - `all` takes three times as long
            if status in FINISHED:
                return False
        return True


class KnownOrders:
    """The records of at least the `size` orders that changed last, and of as many open ones."""

    def __init__(self, size: int) -> None:
        self.young: dict[Key, Known] = {}
        self._size = size
        self._old: dict[Key, Known] = {}
        self._going: dict[Key, Known] = {}
        self._open: dict[Key, Known] = {}  # until they are seen to be closed
        self._keys: dict[str, Key] = {}  # by the venue's id
        self.gone_until = 0
        """The newest time in what was forgotten, epoch ms."""
        self.young_until = 0
        """The newest time in the younger generation, which its user keeps."""
        self._old_until = 0

    def __len__(self) -> int:
        return len(self.young) + len(self._old)

    def find(self, key: Key) -> Known | None:
        """The record with this key; it is among the youngest then."""
        order = self.young.get(key)
        if order is None:
            order = self._take(key)
            if order is not None:
                self.place(key, order)
        return order

    def find_child(self, master_order_id: str, order_id: str, venue_id: str) -> Known | None:
        """The record of a child order by what an update has of its ids, `""` for what it has not.

        It stands under all that is known of them then.
        """
        order = self.find((master_order_id, order_id or venue_id))
        former = self._keys.get(venue_id)
        if order is not None or not isinstance(former, tuple):
            return order
        master, number = former
        if master_order_id and master not in ("", master_order_id):
            return None
        # Before the exchange gave it an id, it stood under the venue's.
        if order_id and number not in (venue_id, order_id):
            return None
        order = self.young.pop(former, None) or self._take(former)
        if order is not None:
            key = master_order_id or master, order_id or number
            if self._open.pop(former, None) is not None:
                self._open[key] = order
            self.place(key, order)
        return order

    def place(self, key: Key, order: Known) -> None:
        """Put a record among the youngest."""
        self.young[key] = order
        if order.venue_id:
            self._keys[order.venue_id] = key
        going = self._going
        if going:
            self._let_go(*going.popitem())
            if going:
                self._let_go(*going.popitem())
        if len(self.young) >= self._size:
            while going:
                self._let_go(*going.popitem())
            self._going, self._old, self.young = self._old, self.young, {}
            self.gone_until = max(self.gone_until, self._old_until)
            self._old_until, self.young_until = self.young_until, 0
            self._look_through_open()

    def name(self, order: Known, key: Key, venue_id: str) -> None:
        """Let a record be found by the venue's id, too."""
        order.venue_id = venue_id
        self._keys[venue_id] = key

    def opened(self, key: Key, order: Known) -> None:
        """Something is filled of it, which was not so before, by an update with this key."""
        self._open[self._keys.get(order.venue_id, key)] = order

    def open_orders(self) -> list[tuple[Key, Known]]:
        """The orders that are filled in part and may go on."""
        self._look_through_open()
        return list(self._open.items())

    def adopt(self, orders: Sequence[tuple[Key, Known]]) -> None:
        """Take these open orders in place of what is known of them here."""
        for key, order in orders:
            for former in (key, self._keys.get(order.venue_id, key)):
                self.young.pop(former, None)
                self._take(former)
                self._open.pop(former, None)
            self._open[key] = order
            if order.venue_id:
                self._keys[order.venue_id] = key

    def _take(self, key: Key) -> Known | None:
        """A record that is not among the youngest.  If it is open, it stays there, too."""
        for records in (self._old, self._going):
            if (order := records.pop(key, None)) is not None:
                return order
        return self._open.get(key)

    def _look_through_open(self) -> None:
        closed = [key for key, order in self._open.items() if not order.is_open()]
        too_many = islice(self._open, max(0, len(self._open) - len(closed) - self._size))
        for key in {*closed, *too_many}:
            venue_id = self._open.pop(key).venue_id
            if venue_id and not (key in self.young or key in self._old or key in self._going):
                self._keys.pop(venue_id, None)

    def _let_go(self, key: Key, order: Known) -> None:
        """A record has left the generations."""
        if order.venue_id and key not in self._open:
            self._keys.pop(order.venue_id, None)
