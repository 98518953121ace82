"""The records of the orders that changed last, found by any of their ids.  No I/O.

A child order has two ids: the venue's own (`id`) and the one that the exchange gave it (`orderId`).
The exchange's comes later, changes when the order is amended, is missing at times, and is unique
within one master order only; V1 has no other.  So a child order is found by the venue's id first.

Orders that are filled in part and not finished stay longer than the others: their next update would
look like a fill of all that was filled before.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Generic, TypeVar

from qehost.events.ids import normal
from qehost.events.order_records import ChildRecord, Key, MasterRecord, Number

__all__ = ["ChildCache", "MasterCache"]

Record = TypeVar("Record", MasterRecord, ChildRecord)


class _OrderCache(Generic[Record]):
    """The records of the `size` orders that changed last, and of as many open ones beside them.

    `now` gives the present time in epoch ms: one absurd time of the venue must not make all new
    orders doubtful.
    """

    def __init__(self, size: int, now: Callable[[], int] = lambda: 2**63) -> None:
        self._size = size
        self._now = now
        self.latest: OrderedDict[Key, Record] = OrderedDict()
        """Those that changed last, the very last at the end."""
        self._open: dict[Key, Record] = {}  # open ones that are no longer among those
        self.forgotten_until = 0
        """The newest time in what was forgotten, epoch ms."""

    def __len__(self) -> int:
        return len(self.latest) + len(self._open)

    def records(self) -> list[Record]:
        """All of them, the oldest first, as `adopt` takes them."""
        return list(self._open.values()) + list(self.latest.values())

    def adopt(self, records: Iterable[Record]) -> None:
        """Take these records in place of what is known of the same orders."""
        for record in records:
            # The numbers of texts are those of this process.  It may have read the record's very
            # state; or an earlier one, where a part of the journal is missing.
            read = self._take(record.key)
            is_same = read is not None and _state(read) == _state(record)
            record.pushed, record.read = (read.pushed, read.read) if read and is_same else (0, 0)
            self._place(record.key, record)

    def _place(self, key: Key, record: Record) -> None:
        """Put in a record as the one that changed last."""
        record.key = key
        self.latest[key] = record
        if len(self.latest) > self._size:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        oldest, record = self.latest.popitem(last=False)
        if record.is_open():
            self._open[oldest] = record
            if len(self._open) <= self._size:
                return
            record = self._open.pop(next(islice(self._open, 1)))
        if record.moment > self.forgotten_until:
            self.forgotten_until = max(self.forgotten_until, min(record.moment, self._now()))
        self._forget(record)

    def _get(self, key: Key) -> Record | None:
        """The record with this key, which counts as the last changed from then on."""
        record = self.latest.get(key)
        if record is not None:
            self.latest.move_to_end(key)
        elif self._open and (record := self._open.pop(key, None)) is not None:
            self._place(key, record)
        return record

    def _take(self, key: Key) -> Record | None:
        return self.latest.pop(key, None) or self._open.pop(key, None)

    def _forget(self, record: Record) -> None:
        """A record is not there any more."""


class MasterCache(_OrderCache[MasterRecord]):
    """The master orders."""

    def find(self, master_id: str) -> MasterRecord:
        """The record of a master order, which counts as the last changed from then on.

        It is a new one where there was none; one without an id is not kept.
        """
        record = self.latest.get(master_id)
        if record is not None:
            self.latest.move_to_end(master_id)
            return record
        key = normal(master_id)
        return self._get(key) or self.renew(key, master_id)

    def renew(self, key: Key, master_id: str) -> MasterRecord:
        """A new record in place of the one with this key."""
        record = MasterRecord(master_id=master_id)
        if key:
            self._place(key, record)
        return record


class ChildCache(_OrderCache[ChildRecord]):
    """The child orders.  What an update lacks of its ids is `""` everywhere."""

    def __init__(self, size: int, now: Callable[[], int] = lambda: 2**63) -> None:
        super().__init__(size, now)
        # Where that is not the number itself.
        self._numbers: dict[Number, Key] = {}

    def find(self, master_id: str, order_id: str, venue_id: str) -> ChildRecord:
        """The record of the child order with these ids, which counts as the last changed from then
        on.  Its own `order_id` may be another: see `rename`.

        It is a new one where there was none; one without any id is not kept, since no update could
        be told to be of the same order.
        """
        records = self.latest
        record = records.get(venue_id or (master_id, order_id))
        if record is None or (
            venue_id and (record.order_id != order_id or record.master_id != master_id)
        ):
            return self.search(master_id, order_id, venue_id)
        records.move_to_end(record.key)
        return record

    def search(self, master_id: str, order_id: str, venue_id: str) -> ChildRecord:
        """As `find`, for an order that is not found by these very ids."""
        master, order = normal(master_id), normal(order_id)
        venue = normal(venue_id) if venue_id else ""
        number = master, order
        key: Key = venue or number
        # V1's one id is the venue's as long as there is none of the exchange's.
        known = number if order else (master, venue)
        latest, others, numbers = self.latest, self._open, self._numbers
        is_number = known in numbers
        if (
            is_number
            or key in latest
            or (venue and known in latest)
            or (others and (key in others or known in others))
        ):
            record = self._get(venue) if venue else None
            if record is not None and master and normal(record.master_id) not in ("", master):
                key = master, venue, ""
                record = self._get(key)
            if record is None:
                record = self._by_number(known)
                if record is not None and venue:
                    if record.venue_id:
                        # Two orders may have one id at their exchange, such as the one before it
                        # gave them any.
                        record = None
                    else:
                        self._take(record.key)
                        self._place(key, record)
                        record.venue_id = venue_id
                        for each in record.numbers:
                            numbers[each] = key
            if record is not None:
                if master and not record.master_id:
                    self.rename(record, master_id, record.order_id)
                return record
        elif not (venue or order):
            return ChildRecord(master_id=master_id, order_id=order_id, venue_id=venue_id)
        record = ChildRecord(
            key,
            venue_id=venue_id,
            master_id=master_id,
            order_id=order_id,
            numbers=(number,) if order else (),
        )
        if order and (venue or is_number):
            numbers[number] = key
        latest[key] = record
        if len(latest) > self._size:
            self._drop_oldest()
        return record

    def find_number(self, master_id: str, order_id: str) -> ChildRecord | None:
        """The record of a child order by its id at the exchange, present or former."""
        return self._by_number((normal(master_id), normal(order_id)))

    def rename(self, record: ChildRecord, master_id: str, order_id: str) -> None:
        """From now on the order has this id at its exchange; it is found by the former one, too."""
        record.master_id, record.order_id = master_id, order_id
        number = normal(master_id), normal(order_id)
        if number[1]:
            self._numbers[number] = record.key
            if number not in record.numbers:
                record.numbers = (*record.numbers, number)

    def replace(self, record: ChildRecord, master_id: str, order_id: str, made: int) -> ChildRecord:
        """A new record, whose the venue's id is from now on; the other one is found by its own ids
        at the exchange, or, if it got none, by when it was `made` (epoch ms)."""
        key = record.key
        self._take(key)
        self._place(record.numbers[-1] if record.numbers else _former(key, made), record)
        for number in record.numbers:
            self._numbers[number] = record.key
        new = ChildRecord(venue_id=record.venue_id)
        self._place(key, new)
        self.rename(new, master_id, order_id)
        return new

    def find_former(self, record: ChildRecord, made: int) -> ChildRecord | None:
        """The record that this one has replaced, of an order without an id at its exchange."""
        return self._get(_former(record.key, made))

    def adopt(self, records: Iterable[ChildRecord]) -> None:
        for record in records:
            for number in record.numbers:
                if (known := self._numbers.get(number, number)) != record.key:
                    self._take(known)
                self._numbers[number] = record.key
            super().adopt((record,))

    def _by_number(self, number: Number) -> ChildRecord | None:
        return self._get(self._numbers.get(number, number))

    def _forget(self, record: ChildRecord) -> None:
        for number in record.numbers:
            if self._numbers.get(number) == record.key:
                del self._numbers[number]


def _former(key: Key, made: int) -> Key:
    return (*((key,) if isinstance(key, str) else key), "made", str(made))


def _state(record: MasterRecord | ChildRecord) -> tuple[str, int, float]:
    return record.status, record.moment, record.cumulative
