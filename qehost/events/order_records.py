"""What is known of one order.  No I/O.

A record holds the last state that was told and is not stale and, of a child order, how far it was
filled.  Both stand in one record, since each message looks its order up once.  Records are written
into the checkpoint, so fields are only added, at the end.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from qehost.events.fills import NOTHING_FILLED, CumulativeFill

__all__ = [
    "NO_TIME",
    "ChildRecord",
    "Figures",
    "Key",
    "KnownOrders",
    "MasterRecord",
    "Number",
    "OrderRecord",
    "Push",
    "PushedFills",
]

Key: TypeAlias = str | tuple[str, ...]
"""Of a master order its id.  Of a child order the venue's id; where it has none, its number; where
the child order of another master order has the same one, that and the master order's id."""

Number: TypeAlias = tuple[str, str]
"""A child order's master order and its id at the exchange."""

Figures: TypeAlias = tuple[str, str, str, str, str]
"""Of a V2 child order: filledQuantity, filledNotional, averagePrice, quantity, orderCreatedTime."""

Push: TypeAlias = tuple[float, float, int]
"""Of a V1 fill: filled_qty, fill_price, fill_time."""

NO_FIGURES: Figures = ("", "", "", "", "")
NO_TIME = -1
"""Of something that has happened, the venue does not say when."""


class OrderRecord(msgspec.Struct, omit_defaults=True, gc=False):
    """What is known of an order by the states that were told and are not stale."""

    key: Key = ""
    is_known: bool = False  # whether there is more in it than ids
    status: str = ""
    is_final: bool = False
    moment: int = 0  # the venue's time of the last state, epoch ms; 0: not known
    pushed: int = 0  # number of the text in which the stream brought its last state
    read: int = 0  # number of the text in which REST brought its last state
    cumulative: float = 0.0  # the filled quantity by states alone, without its sign
    is_doubtful: bool = False  # whether an earlier process may have told more than this
    is_untold: bool = False  # whether its last state that REST brought was no news


class MasterRecord(OrderRecord, gc=False):
    """A master order."""

    master_id: str = ""
    created_at: str = ""
    v1_quantity: float | None = None  # as V1 pushed it, whose stream tells no filled quantity
    former_created_at: str = ""  # of the order that had this id before

    def is_open(self) -> bool:
        """Whether it has to be remembered for longer than others: a master order has no fills."""
        return False


class PushedFills(msgspec.Struct, omit_defaults=True, gc=False):
    """What V1 pushed of a child order's fills."""

    pushes: list[Push] = []  # those that are not in the record's `top` yet
    until: int = 0  # epoch ms of the newest of those that are
    is_rounded: bool = False  # whether `top` is a sum of V1's floats
    is_unbased: bool = False  # whether more may have been filled before it was listened to


class ChildRecord(OrderRecord, gc=False):
    """A child order."""

    venue_id: str = ""
    master_id: str = ""
    order_id: str = ""
    numbers: tuple[Number, ...] = ()  # by which it is found, too: present and former ones
    figures: Figures = NO_FIGURES  # the last ones; they have been checked
    filled: float = 0.0  # by those, without its sign
    top: CumulativeFill = NOTHING_FILLED  # where most was filled
    most: float = 0.0  # the quantity in it, without its sign
    is_plain: bool = True  # whether it is made of few and plain digits
    derived_until: int = 0  # epoch ms of the last growth; `NO_TIME` where that is not known
    pushed_fills: PushedFills | None = None
    read_at: int = 0  # when REST showed its last state, where that does not say since when it is so
    told_before: float = 0.0  # so much of it may have been told as another order with its id

    def is_open(self) -> bool:
        """Whether it is filled in part, and more may be filled."""
        if self.is_final:
            return False
        pushed = self.pushed_fills
        return bool(self.most or (pushed is not None and pushed.pushes))


class KnownOrders(msgspec.Struct, frozen=True):
    """All that is known of orders, those that changed last at the end."""

    masters: list[MasterRecord] = []
    children: list[ChildRecord] = []
    forgotten_until: int = 0  # the newest time of a child order that is not among them, epoch ms
    doubtful_until: int = 0  # until when more may have been told than this, epoch ms
    listened_since: int = 0  # since when the account is listened to, epoch ms; 0: not known
    lacks_baseline: bool = False  # whether it is not known how they stood before that

    def newest(self, finished: int) -> KnownOrders:
        """The orders that have not ended, and of the others the last so many of each kind."""
        masters, children = (
            [record for record in records if record.is_final]
            for records in (self.masters, self.children)
        )
        left_out = {id(record) for records in (masters, children) for record in records[:-finished]}
        if not left_out:
            return self
        forgotten = [record.moment for record in children[:-finished]]
        return KnownOrders(
            [record for record in self.masters if id(record) not in left_out],
            [record for record in self.children if id(record) not in left_out],
            max(self.forgotten_until, *forgotten, 0),
            self.doubtful_until,
            self.listened_since,
            self.lacks_baseline,
        )
