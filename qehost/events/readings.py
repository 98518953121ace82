"""What REST says of an account's orders.  No I/O.

It is compared with what is known, by all fields, and told where it is later.  What REST says never
follows a push that came after it was asked, unless it ends the order or more is filled by it.
"""

from __future__ import annotations

from typing import NamedTuple

from qehost.events.fills import NOTHING_FILLED
from qehost.events.growth import figures_of
from qehost.events.ids import is_no_id
from qehost.events.order_memory import OrderMemory, Record, Told, created_ms
from qehost.events.order_records import ChildRecord, MasterRecord
from qehost.events.states import FINAL, is_later, is_older
from qehost.events.wire import Shape
from qehost.events.wire.v2 import V2MasterOrder, V2Order

__all__ = ["Reading", "Readings"]


class Reading(NamedTuple):
    """When something was read over REST."""

    number: int
    """The last text of the stream that had come when it was asked."""
    since: int = 0
    """What changed since then was asked for; the venue's time in epoch ms, 0: no such time."""
    is_baseline: bool = False
    """It was read before the stream was open, to learn how the orders stood."""
    asked_at: int = 0
    """When it was asked; the venue's time in epoch ms, 0: not known."""
    settled: int = 0
    """Texts with lower numbers are so old that REST is not behind them any more: whatever its times
    say, it shows what is so since then."""

    def measured(self, since: int, asked_at: int) -> Reading:
        """The same with what the venue's time has turned out to be, epoch ns."""
        since //= 10**6
        return self._replace(since=min(since, self.since or since), asked_at=asked_at // 10**6)


class Readings:
    """What is read of orders; `memory` is changed by it."""

    def __init__(self, memory: OrderMemory) -> None:
        self._memory = memory

    def note(self, shape: Shape, text: str, reading: Reading) -> Told | None:
        """Remember what REST says of an order, whose V2 object is `text`.

        None: it is nothing new.  Raises Unreadable, and remembers nothing, where no message can be
        made of it, or its fill can't be told.
        """
        if isinstance(shape, V2Order):
            return self._child(shape, text, reading)
        return self._master(shape, text, reading) if isinstance(shape, V2MasterOrder) else None

    def _child(self, shape: V2Order, text: str, reading: Reading) -> Told | None:
        memory = self._memory
        moment = memory.moment(shape)
        record = memory.children.find(shape.master_order_id, shape.order_id, shape.id)
        is_earlier = record.pushed > reading.number
        is_later = not (is_earlier or is_older(moment, record.moment))
        record = memory.child_of(record, shape, is_earlier=is_earlier, is_later=is_later)
        if not record.is_known:
            return self._first_child(record, shape, text, moment, reading)
        known = record.cumulative
        before = memory.grow(record, shape, figures_of(shape), moment)
        is_news = False
        if record.order_id == shape.order_id or is_no_id(shape.order_id):
            filled = record.filled if shape.filled_quantity else known
            is_news = self._state(record, shape, known, filled, moment, text, reading)
        if not is_news and before is None:
            return None
        doubt = record.is_doubtful
        # REST may be behind V1's stream: then what it has yet to say is as doubtful.
        record.is_doubtful = doubt and record.most < max(record.cumulative, record.told_before)
        return Told(before, is_news, is_repeat=doubt, is_doubtful=doubt)

    def _first_child(
        self, record: ChildRecord, shape: V2Order, text: str, moment: int, reading: Reading
    ) -> Told | None:
        """Of a child order that is not known."""
        memory = self._memory
        first_sight = memory.first_sight
        created = created_ms(shape.order_created_time, shape.created_at)
        memory.begin(record, shape, figures_of(shape), moment)
        self._note_read(record, text, moment, reading)
        is_new = first_sight.is_new(created)
        is_from_before = first_sight.is_from_before(moment, is_new=is_new)
        # A baseline that was slow is read after the opening, and may tell of what happened since.
        is_late = reading.is_baseline and first_sight.since > 0
        is_made_since = is_late and created >= first_sight.since
        is_baseline = (reading.is_baseline and not is_made_since) or is_from_before or not is_new
        if is_baseline:
            record.derived_until = max(moment, first_sight.since)
        if not self._is_news(record, created, reading, is_from_before=is_from_before):
            return None
        if is_baseline:
            if record.filled and not is_from_before and (is_late or not reading.is_baseline):
                memory.unbased.add(shape.order_id, shape.id)
            return Told(is_baseline=True)
        was_told = first_sight.may_be_told(created, reading.asked_at)
        is_doubtful = was_told or record.is_doubtful or first_sight.may_be_old(created)
        record.is_doubtful = record.most < record.told_before
        if 0 < moment <= memory.children.forgotten_until:
            is_doubtful = True
        before = NOTHING_FILLED if record.filled else None
        return Told(before, is_repeat=was_told, is_doubtful=is_doubtful)

    def _master(self, shape: V2MasterOrder, text: str, reading: Reading) -> Told | None:
        memory = self._memory
        moment = memory.moment(shape)
        record = memory.masters.find(shape.master_order_id)
        found = memory.master_of(record, shape, is_earlier=record.pushed > reading.number)
        if found is None:
            return None
        record = found
        if not record.is_known:
            return self._first_master(record, shape, text, moment, reading)
        known = record.cumulative
        filled = known if shape.cum_filled_qty == "" else abs(shape.cum_filled_qty)
        is_amended = False
        if record.v1_quantity is not None:
            is_amended = shape.total_quantity not in ("", record.v1_quantity)
            if shape.status == record.status and not is_amended:
                return None  # V1 does not tell how much is filled, so that it grows is no news
            filled = known
        if not self._state(
            record, shape, known, filled, moment, text, reading, is_amended=is_amended
        ):
            return None
        if is_amended:
            record.v1_quantity = shape.total_quantity or 0.0
        doubt, record.is_doubtful = record.is_doubtful, False
        return Told(is_repeat=doubt)

    def _first_master(
        self, record: MasterRecord, shape: V2MasterOrder, text: str, moment: int, reading: Reading
    ) -> Told | None:
        """Of a master order that is not known."""
        first_sight = self._memory.first_sight
        created = created_ms(shape.created_at)
        record.is_known = True
        record.cumulative = abs(shape.cum_filled_qty or 0.0)
        record.status, record.is_final = shape.status, shape.status in FINAL
        record.moment = moment
        self._note_read(record, text, moment, reading)
        is_new = first_sight.is_new(created)
        is_from_before = first_sight.is_from_before(moment, is_new=is_new)
        if not self._is_news(record, created, reading, is_from_before=is_from_before):
            record.is_untold = True
            return None
        return Told(
            is_repeat=first_sight.may_be_told(created, reading.asked_at),
            is_baseline=reading.is_baseline or is_from_before,
        )

    def _state(
        self,
        record: Record,
        shape: V2Order | V2MasterOrder,
        known: float,
        filled: float,
        moment: int,
        text: str,
        reading: Reading,
        *,
        is_amended: bool = False,
    ) -> bool:
        """Take a state that REST has, in which so much is filled, where so much was; False: it is
        not later than what is known.  `is_amended`: it is another one than that, in any case."""
        is_final = shape.status in FINAL
        if record.is_final and not is_final:
            return False
        if is_final is record.is_final and filled <= known:
            if filled < known or record.pushed > reading.number:
                return False
            is_settled = max(record.pushed, record.read) < reading.settled
            if is_older(moment, record.moment) and not is_settled:
                return False
            is_same = not is_amended and self._memory.is_same(record, shape, text, moment)
            if is_same and (is_final or not is_later(moment, record.moment)):
                return False
        record.status, record.is_final = shape.status, is_final
        record.moment = moment or record.moment
        record.cumulative = max(filled, known)
        record.is_untold = False
        self._note_read(record, text, moment, reading)
        return True

    def _note_read(self, record: Record, text: str, moment: int, reading: Reading) -> None:
        record.read = self._memory.texts.add((text,))
        if isinstance(record, ChildRecord):
            record.read_at = 0 if moment else reading.asked_at

    def _is_news(
        self, record: Record, created: int, reading: Reading, *, is_from_before: bool
    ) -> bool:
        """Whether REST tells of an order that is not known because something happened to it.

        Of one that has ended, and does not say when it changed, only its creation can say so; where
        memory is lost, it may have happened, and is told with a mark.
        """
        if reading.is_baseline or not record.is_final:
            return True
        if record.moment:
            return not is_from_before
        first_sight = self._memory.first_sight
        may_be_told = first_sight.may_be_told(created) and first_sight.is_new(created)
        return bool(reading.since) and (may_be_told or first_sight.is_since(created, reading.since))
