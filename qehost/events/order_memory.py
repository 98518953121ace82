"""The memory of an account's orders: which order an update is of, and what is known of it.  No I/O.

`pushes` is what the stream says of orders, `readings` what REST says; both ask and change what is
kept here.

The venue's figures stay text: most updates are told apart by comparing it, and what a fill is
exactly is worked out where the fill is needed (`fills`).
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from qehost.events.fills import CumulativeFill
from qehost.events.first_sight import FirstSight, Known
from qehost.events.growth import grow, magnitude
from qehost.events.ids import is_no_id, normal
from qehost.events.order_cache import ChildCache, MasterCache
from qehost.events.order_records import (
    NO_TIME,
    ChildRecord,
    Figures,
    KnownOrders,
    MasterRecord,
    PushedFills,
)
from qehost.events.recent_texts import RecentTexts
from qehost.events.states import (
    FINAL,
    differ,
    is_another_time,
    is_exactly_later,
    is_older,
    was_overtaken,
)
from qehost.events.times import epoch_ms
from qehost.events.unbased import Unbased
from qehost.events.unfinished import ChildIds, Unfinished
from qehost.events.v1_fills import lacks_fills
from qehost.events.wire import inner_text
from qehost.events.wire.v1 import V1MasterOrder, V1Order
from qehost.events.wire.v2 import V2MasterOrder, V2Order, changed_ms
from qehost.events.wire.values import Unreadable

__all__ = ["DAY", "OrderMemory", "Record", "State", "Told", "created_ms"]

_RECENT = 20_000
"""Updates whose texts are kept, so that REST, and what comes again, can be compared with them in
full."""
_RECENT_CHARACTERS = 8_000_000
DAY = 86_400_000
"""Milliseconds: a time of the venue that lies so far ahead of ours is taken for none."""
_NOT_AMENDED = frozenset({"FILLED", "REJECTED"})
"""Statuses after which no order is amended: what comes with its id is another order."""

Record: TypeAlias = MasterRecord | ChildRecord
State: TypeAlias = V2Order | V2MasterOrder | V1MasterOrder | V1Order


class Told(NamedTuple):
    """What is to be told of an update, if that is more or less than its state and a fill."""

    before: CumulativeFill | None = None
    """A fill is to be told: what was filled before it."""
    state: bool = True
    """Whether the state is to be told."""
    is_stale: bool = False
    is_repeat: bool = False
    """The state was told before, or may have been."""
    is_doubtful: bool = False
    """The fill may have been told before."""
    is_baseline: bool = False
    """It is how the order stood before it was listened to."""
    follows: str = ""
    """What REST has of the order, which is to be told after it."""


class OrderMemory:
    """Of the `size` master and the `size` child orders that changed last, and of as many child
    orders that are filled in part."""

    def __init__(self, size: int = 20_000) -> None:
        self.masters = MasterCache(size, self.now)
        self.children = ChildCache(size, self.now)
        self.texts = RecentTexts(_RECENT, _RECENT_CHARACTERS)
        """What the stream says is in it before it is noted."""
        self.first_sight = FirstSight()
        self.unbased = Unbased()
        self.latest = 2**63
        """Epoch ms: a later time of the venue is taken for none."""

    def __len__(self) -> int:
        return len(self.masters) + len(self.children)

    def received(self, at: int) -> None:
        """What comes now was received at this time, epoch ns."""
        self.latest = at // 10**6 + DAY

    def now(self) -> int:
        """When the last thing was received, epoch ms."""
        return self.latest - DAY

    def known(self) -> KnownOrders:
        """All that is known, as `adopt` takes it."""
        return KnownOrders(
            self.masters.records(),
            self.children.records(),
            self.children.forgotten_until,
            self.first_sight.doubtful_until,
            self.first_sight.listened_since,
            self.first_sight.known is Known.NONE,
        )

    def unfinished(self) -> Unfinished:
        """The orders that were not at their end when they were last heard of, or of which fills are
        missing."""
        masters = [each.master_id for each in self.masters.records() if not each.is_final]
        children = [
            ChildIds(each.master_id, each.order_id, each.venue_id)
            for each in self.children.records()
            if not each.is_final or lacks_fills(each)
        ]
        return Unfinished(masters, children)

    def adopt(self, known: KnownOrders) -> None:
        """Know of these orders what an earlier process knew."""
        self.masters.adopt(known.masters)
        self.children.adopt(known.children)
        self.children.forgotten_until = max(known.forgotten_until, self.children.forgotten_until)
        first_sight = self.first_sight
        first_sight.doubtful_until = max(known.doubtful_until, first_sight.doubtful_until)
        first_sight.began = known.listened_since or first_sight.began
        if known.lacks_baseline:
            first_sight.known = Known.NONE

    def doubt(self, until: int) -> None:
        """More may have been told than is known, until then (the venue's time, epoch ms)."""
        self.first_sight.doubtful_until = max(until, self.first_sight.doubtful_until)
        for record in (*self.masters.records(), *self.children.records()):
            record.is_doubtful = True

    # --- which order it is ------------------------------------------------------------------

    def master_of(
        self, record: MasterRecord, shape: V2MasterOrder, *, is_earlier: bool
    ) -> MasterRecord | None:
        """The record of a master order, of which `record` was found by its id: a new one where the
        order was made at another time, since the venue's ids may begin anew.  None: this is of an
        earlier order with the same id.  `is_earlier`: it was so earlier than what is known."""
        if record.created_at != shape.created_at:
            made, known = created_ms(shape.created_at), created_ms(record.created_at)
            if made and known and is_another_time(made, known):
                is_former = shape.created_at == record.former_created_at
                if is_former or (made < known and (is_earlier or not record.is_final)):
                    return None
                former = record.created_at
                record = self.masters.renew(record.key, record.master_id)
                record.former_created_at = former
            record.created_at = shape.created_at or record.created_at
        return record

    def child_of(
        self,
        record: ChildRecord,
        shape: V2Order,
        *,
        is_earlier: bool = False,
        is_later: bool = False,
    ) -> ChildRecord:
        """The record of a child order, of which `record` was found by its ids.

        Where its id at the exchange is not the one that is known, the order has none yet, or
        another since it was amended.  Then its cumulative fill goes on, unless that is seen to
        begin anew.  `is_earlier`, `is_later`: this certainly was so earlier or later than what is
        known, so its id is a former one, or the present one.
        """
        children, order_id = self.children, shape.order_id
        master_id = shape.master_order_id or record.master_id
        if record.is_final and self._is_made_anew(record, shape):
            former = self._former(record, shape)
            if former is not None:
                return former
            new = self._replace(record, master_id, order_id)
            # By its time it may be the one that had this id before.
            new.is_doubtful = is_older(created_ms(shape.order_created_time), _created(record))
            return new
        if record.order_id == order_id:
            return record
        if is_no_id(order_id):
            return self._earlier_without_id(record, shape) or record
        if normal(order_id) == normal(record.order_id):
            children.rename(record, master_id, order_id)
            return record
        other = children.find_number(master_id, order_id)
        if other is not None and (
            other is record or normal(other.venue_id) in ("", normal(shape.id))
        ):
            if other is record and is_later:
                children.rename(record, master_id, order_id)
            return other
        if is_no_id(record.order_id):
            children.rename(record, master_id, order_id)
            return record
        filled = magnitude(shape.filled_quantity)
        is_no_more = filled is None or filled <= record.most
        if is_no_more and (is_earlier or self._is_made_then(record, shape)):
            return record
        begins_anew = filled is not None and filled < record.most
        if record.status in _NOT_AMENDED or begins_anew:
            new = self._replace(record, master_id, order_id)
            is_made_then = created_ms(shape.order_created_time) == _created(record)
            # It may be how the order stood before it was amended, also by a clock that was set back
            # where REST has told of the amendment alone.
            is_certain = is_later and record.read <= record.pushed
            if begins_anew and is_made_then and not is_certain:
                new.is_doubtful, new.told_before = True, record.most
            return new
        children.rename(record, master_id, order_id)
        record.status, record.is_final, record.moment = "", False, 0
        return record

    def _replace(self, record: ChildRecord, master_id: str, order_id: str) -> ChildRecord:
        """A new record for another order with the same id of the venue."""
        return self.children.replace(record, master_id, order_id, made=_created(record))

    def _former(self, record: ChildRecord, shape: V2Order) -> ChildRecord | None:
        """The order that had the record's venue id before it, if that is the one meant."""
        made = created_ms(shape.order_created_time)
        number = shape.master_order_id or record.master_id, shape.order_id
        found = None if is_no_id(shape.order_id) else self.children.find_number(*number)
        found = found or self.children.find_former(record, made)
        return found if found is not None and _created(found) == made else None

    def _earlier_without_id(self, record: ChildRecord, shape: V2Order) -> ChildRecord | None:
        """The order that had the record's venue id before it, if that is the one meant: it was made
        earlier, and got no id at its exchange."""
        made = created_ms(shape.order_created_time)
        is_earlier = is_older(made, _created(record))
        return self.children.find_former(record, made) if is_earlier else None

    def _is_made_then(self, record: ChildRecord, shape: V2Order) -> bool:
        """Whether this is the order that had its id and is not amended any more: it was made at the
        same time."""
        made = created_ms(shape.order_created_time)
        return record.status in _NOT_AMENDED and 0 < made == _created(record)

    def _is_made_anew(self, record: ChildRecord, shape: V2Order) -> bool:
        """Whether this is another order than the one that had its id and has ended.

        One that was cancelled may have been so in order to be amended; then its fills go on.
        """
        made, known = created_ms(shape.order_created_time), _created(record)
        if not made or not known or not is_another_time(made, known) or was_overtaken(made, known):
            return False
        filled = magnitude(shape.filled_quantity)
        goes_on = 0 < record.most <= (record.most if filled is None else filled)
        return record.status in _NOT_AMENDED or not goes_on

    # --- its state --------------------------------------------------------------------------

    def moment(self, shape: V2MasterOrder | V2Order) -> int:
        """The time of a state, epoch ms; 0 where the venue does not say, or says what can't be.

        Raises Unreadable.
        """
        moment = changed_ms(shape)
        return moment if shape.updated_at and moment <= self.latest else 0

    def is_same(self, record: Record, shape: State, text: str | None, moment: int) -> bool:
        """Whether a state is the one that is known, by all fields, as far as they are; `moment` is
        its time."""
        if shape.status != record.status:
            return False
        known = self.texts.get(max(record.pushed, record.read))
        if known is not None and text is not None:
            return not differ(inner_text(known), inner_text(text))
        is_later = not record.is_final and is_exactly_later(moment, record.moment)
        return not (record.is_doubtful or is_later)

    # --- how far it is filled ---------------------------------------------------------------

    def begin(self, record: ChildRecord, shape: V2Order, figures: Figures, moment: int) -> None:
        """Of a V2 order that is not known: it is filled as it is.  Raises Unreadable."""
        if not record.key and magnitude(figures[0]):
            raise Unreadable("id", shape.id, "is no id, nor is orderId: no fill can be told")
        grow(record, shape, figures)
        record.is_known = True
        record.status = shape.status
        if shape.status in FINAL:
            record.is_final = True
        record.moment = moment
        if record.filled:
            record.cumulative = record.filled
            record.derived_until = moment or NO_TIME

    def begin_v1(self, record: ChildRecord, created: int) -> None:
        """Of a V1 order that is not known: its fills are pushed one by one."""
        record.is_known = True
        first_sight = self.first_sight
        if first_sight.matters:
            record.is_doubtful = first_sight.may_be_told(created) or first_sight.may_be_old(created)
        if first_sight.since and not first_sight.is_new(created):
            record.pushed_fills = PushedFills(is_unbased=True)

    def grow(
        self, record: ChildRecord, shape: V2Order, figures: Figures, moment: int
    ) -> CumulativeFill | None:
        """What was filled before, where more is filled now.  Raises Unreadable."""
        before = grow(record, shape, figures)
        return None if before is None else self.grown(record, shape, before, moment)

    def grown(
        self, record: ChildRecord, shape: V2Order, before: CumulativeFill, moment: int
    ) -> CumulativeFill | None:
        """More is filled now than before; None: the difference is no fill."""
        if not moment:
            record.derived_until = NO_TIME
        elif moment > record.derived_until:
            record.derived_until = moment
        if (pushed := record.pushed_fills) is not None:
            if moment:
                record.derived_until = max(record.derived_until, pushed.until)
            if pushed.is_unbased:
                # A reading that the stream has overtaken does not say how much was filled before.
                pushed.is_unbased = record.filled < record.cumulative
                if not pushed.is_unbased:
                    self.unbased.add(shape.order_id, shape.id)
                return None
        return before


def _created(record: ChildRecord) -> int:
    return created_ms(record.figures[4])


def created_ms(created: str, otherwise: str = "") -> int:
    """When an order was made, epoch ms; 0: that is not there, or can't be read."""
    try:
        return epoch_ms(created) or (epoch_ms(otherwise) if otherwise else 0)
    except ValueError:
        return 0
