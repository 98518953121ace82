"""What the stream says of an account's orders.  No I/O.

The stream is the truth: what it brings is always told, and is the last state from then on, unless
the order has ended or was filled further by then.  Then it is told as stale.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qehost.events.fills import NOTHING_FILLED, CumulativeFill
from qehost.events.first_sight import Known
from qehost.events.growth import grow, magnitude
from qehost.events.ids import is_no_id
from qehost.events.order_memory import OrderMemory, Record, State, Told, created_ms
from qehost.events.order_records import ChildRecord, Figures, MasterRecord
from qehost.events.states import CANCELLED, FINAL, is_later, is_older, was_overtaken
from qehost.events.times import epoch_ms
from qehost.events.v1_fills import add_push
from qehost.events.wire.v1 import V1Fill, V1MasterOrder, V1Order
from qehost.events.wire.v2 import V2MasterOrder, V2Order
from qehost.events.wire.values import Unreadable

__all__ = ["Pushes"]

_ALL = Known.ALL  # looked up once: it takes as long as a find
_REST_BEHIND = 2_000
"""Milliseconds by which REST may be behind the stream."""
_STALE = Told(is_stale=True)
_REPEAT = Told(is_repeat=True)


class Pushes:
    """Each message passes here, so what is done for all of them is done in place."""

    def __init__(self, memory: OrderMemory) -> None:
        self._memory = memory
        self._masters = memory.masters
        self._children = memory.children
        self._latest = memory.children.latest
        self._move_to_end = self._latest.move_to_end
        self.note: dict[type, Callable[[Any, int], CumulativeFill | Told | bool]] = {
            V2Order: self._child,
            V1Order: self._child_v1,
            V1Fill: self._fill_v1,
            V2MasterOrder: self._master,
            V1MasterOrder: self._master_v1,
        }
        """By the type of a shape: remember what the stream says of an order, in the text with this
        number.

        True: it is to be told.  `CumulativeFill`: it is, and after it a fill, by which more is
        filled than that.  `Told`: something else.  Raises Unreadable, and remembers nothing, for a
        V2 child order of which no message can be made, or whose fill can't be told."""

    def _child(self, shape: V2Order, number: int) -> CumulativeFill | Told | bool:
        memory = self._memory
        updated = shape.updated_at
        try:
            moment = epoch_ms(updated) if updated else memory.moment(shape)
        except ValueError:
            raise Unreadable("updatedAt", updated, "is no time") from None
        if moment > memory.latest:
            moment = 0
        order_id = shape.order_id
        record = self._latest.get(shape.id)
        if (
            record is None
            or record.order_id != order_id
            or record.master_id != shape.master_order_id
            or (record.is_final and record.figures[4] != shape.order_created_time)
        ):
            record = self._child_of(shape, moment)
        else:
            self._move_to_end(record.key)
        figures = (
            shape.filled_quantity,
            shape.filled_notional,
            shape.average_price,
            shape.quantity,
            shape.order_created_time,
        )
        if not record.is_known:
            return self._first_child(record, shape, figures, moment, number)
        before = None
        if figures != record.figures:
            before = grow(record, shape, figures)
            if before is None:
                pass
            elif record.pushed_fills is None and moment:
                # As `grown`, in place.
                if moment > record.derived_until:
                    record.derived_until = moment
            else:
                before = memory.grown(record, shape, before, moment)
        status = shape.status
        is_same = status == record.status
        is_final = record.is_final if is_same else status in FINAL
        told = None
        if record.order_id != order_id and not is_no_id(order_id):
            # It has a former id of the order, which may have ended, while the order goes on.
            told = None if is_final else _STALE
        elif (record.is_final and not is_final) or (
            record.filled < record.most and is_final is record.is_final and shape.filled_quantity
        ):
            told = _STALE
        else:
            if record.read > record.pushed and before is None:
                told = self._told_by_rest(record, shape, moment, number)
            if not is_same:
                record.status = status
                record.is_final = is_final
            record.moment = moment
            record.pushed = number
            if record.filled > record.cumulative:
                record.cumulative = record.filled
        if told is None and not record.is_doubtful:
            return True if before is None else before
        is_doubtful = record.is_doubtful
        if told is not _STALE:
            record.is_doubtful = record.most < record.told_before
        return (told or Told())._replace(before=before, is_doubtful=is_doubtful)

    def _child_of(self, shape: V2Order, moment: int) -> ChildRecord:
        record = self._children.search(shape.master_order_id, shape.order_id, shape.id)
        if record.order_id == shape.order_id and not (
            record.is_final and record.figures[4] != shape.order_created_time
        ):
            return record
        return self._memory.child_of(
            record,
            shape,
            is_earlier=was_overtaken(moment, record.moment)
            or _is_overtaken_by_rest(record, moment)
            or _is_before_amendment(record, shape, moment),
            # The exchange may cancel a former one after it has taken the amended one.
            is_later=is_older(record.moment, moment) and shape.status not in CANCELLED,
        )

    def _first_child(
        self, record: ChildRecord, shape: V2Order, figures: Figures, moment: int, number: int
    ) -> CumulativeFill | Told | bool:
        """Of a child order that is not known."""
        first_sight = self._memory.first_sight
        self._memory.begin(record, shape, figures, moment)
        record.pushed = number
        is_doubtful = record.is_doubtful
        if is_doubtful:
            record.is_doubtful = record.most < record.told_before
        is_remembered = moment > self._children.forgotten_until
        if not first_sight.matters and is_remembered and not is_doubtful:
            return NOTHING_FILLED if record.filled else True
        created = created_ms(shape.order_created_time, shape.created_at)
        # The push may be late, and more of the order told by then.
        if not record.filled:
            record.is_doubtful = first_sight.may_be_told(moment or created)
            return True
        if is_older(moment, first_sight.doubtful_until):
            record.is_doubtful = True
        if not first_sight.is_new(created):
            self._memory.unbased.add(shape.order_id, shape.id)
            return True
        # An order that is older than one that was forgotten may be that very order, coming again.
        is_doubtful = is_doubtful or 0 < moment <= self._children.forgotten_until
        if is_doubtful or first_sight.may_be_old(created) or first_sight.may_be_told(created):
            return Told(NOTHING_FILLED, is_doubtful=True)
        return NOTHING_FILLED

    def _master(self, shape: V2MasterOrder, number: int) -> Told | bool:
        updated = shape.updated_at
        try:
            moment = epoch_ms(updated) if updated else self._memory.moment(shape)
        except ValueError:
            raise Unreadable("updatedAt", updated, "is no time") from None
        record = self._masters.find(shape.master_order_id)
        if record.created_at != shape.created_at:
            if not record.created_at:
                record.created_at = shape.created_at
            else:
                is_earlier = was_overtaken(moment, record.moment)
                found = self._memory.master_of(record, shape, is_earlier=is_earlier)
                if found is None:
                    return _STALE
                record = found
        if not record.is_known:
            record.is_known = True
        sent = shape.cum_filled_qty
        filled = record.cumulative if sent == "" else abs(sent)
        return self._state(record, shape, filled, moment, number)

    def _master_v1(self, shape: V1MasterOrder, number: int) -> Told | bool:
        record = self._masters.find(shape.master_order_id)
        if not record.is_known:
            record.is_known = True
        told = self._state(record, shape, record.cumulative, shape.timestamp, number)
        if not (isinstance(told, Told) and told.is_stale):
            record.v1_quantity = shape.qty
        return told

    def _child_v1(self, shape: V1Order, number: int) -> Told | bool:
        key = shape.master_order_id, shape.order_id
        record = self._latest.get(key)
        if record is None:
            record = self._children.search(shape.master_order_id, shape.order_id, "")
        else:
            self._move_to_end(key)
        if not record.is_known:
            self._memory.begin_v1(record, shape.created_time)
        # As `_state`, in place: with records of one type alone it takes two thirds of the time.
        status, moment, told = shape.status, shape.timestamp, None
        is_same = status == record.status
        if not is_same and record.is_final and status not in FINAL:
            return _STALE
        filled, known = shape.cum_filled_qty or shape.fill_qty, record.cumulative
        if filled < 0.0:
            filled = -filled
        if filled > known:
            record.cumulative = filled
        elif filled < known:
            if (status in FINAL) is record.is_final and moment <= record.moment:
                return _STALE
        elif record.read > record.pushed:
            told = self._told_by_rest(record, shape, moment, number)
        if not is_same:
            record.status = status
            record.is_final = status in FINAL
        record.moment = moment if moment <= self._memory.latest else 0
        record.pushed = number
        return told or True

    def _fill_v1(self, shape: V1Fill, _: int) -> Told | bool:
        first_sight = self._memory.first_sight
        began = first_sight.began if first_sight.known is _ALL else first_sight.since
        is_from_before = shape.fill_time < began and is_older(shape.fill_time, began)
        if is_from_before and first_sight.known is not _ALL:
            return _REPEAT  # the baseline has it, or nothing tells what was filled by then
        key = shape.master_order_id, shape.order_id
        record = self._latest.get(key)
        if record is None:
            record = self._children.search(shape.master_order_id, shape.order_id, "")
        else:
            self._move_to_end(key)
        if not record.is_known:
            self._memory.begin_v1(record, 0)
        at = shape.fill_time or shape.timestamp
        # By a clock that was set back what is new seems to be from before.
        if not add_push(record, (shape.filled_qty, shape.fill_price, at)) or is_from_before:
            return _REPEAT
        if record.is_doubtful and (first_sight.may_be_told(at) or first_sight.may_be_old(at)):
            return _REPEAT
        return True

    def _state(
        self,
        record: MasterRecord,
        shape: V2MasterOrder | V1MasterOrder,
        filled: float,
        moment: int,
        number: int,
    ) -> Told | bool:
        """Take a state of which only the filled quantity matters beside the status."""
        status, known, told = shape.status, record.cumulative, None
        is_same = status == record.status
        if not is_same and record.is_final and status not in FINAL:
            return self._after_untold(record) if record.is_untold else _STALE
        if filled > known:
            record.cumulative = filled
        elif filled < known:
            is_final = status in FINAL
            if is_final is record.is_final and moment <= record.moment:
                return _STALE
        elif record.read > record.pushed:
            told = self._told_by_rest(record, shape, moment, number)
        if not is_same:
            record.status = status
            record.is_final = status in FINAL
        record.moment = moment if moment <= self._memory.latest else 0
        record.pushed = number
        if record.is_doubtful:
            record.is_doubtful = False
        return told or True

    def _after_untold(self, record: MasterRecord) -> Told:
        """A push that is stale shows that the order is one of those that are listened to, so its
        end, which was no news, is."""
        record.is_untold = False
        is_last = record.read > record.pushed
        text = self._memory.texts.get(record.read) if is_last else None
        return Told(is_stale=True, follows=text or "")

    def _told_by_rest(self, record: Record, shape: State, moment: int, number: int) -> Told | None:
        """Whether the stream brings the very state that REST told before it."""
        memory = self._memory
        if not record.status:
            # It is amended, after an end of which REST does not say when it was, or it was so
            # before that.
            return _REPEAT if isinstance(record, ChildRecord) and record.read_at else None
        if is_later(moment, record.moment) or record.is_untold:
            return None
        text = memory.texts.get(number)
        return _REPEAT if memory.is_same(record, shape, text, moment) else None


def _is_before_amendment(record: ChildRecord, shape: V2Order, moment: int) -> bool:
    """Whether an order was so before it got its present id at the exchange: less was filled, at an
    earlier time.  That its fills began anew and the venue's clock was set back is less likely."""
    created = shape.order_created_time
    filled = magnitude(shape.filled_quantity)
    is_less = filled is not None and filled < record.most
    return is_less and is_older(moment, record.moment) and created == record.figures[4] != ""


def _is_overtaken_by_rest(record: ChildRecord, moment: int) -> bool:
    """Whether something was so before the record's state, of which it is only known when REST
    showed it."""
    is_last = record.read > record.pushed
    return is_last and was_overtaken(moment, max(0, record.read_at - _REST_BEHIND))
