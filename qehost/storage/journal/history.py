"""All events of a journal up to a place, for whoever builds a state of them.

Reading is done while it is iterated, in few large steps, in memory that does not grow.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import msgspec

from qehost.events.codec import decode_events, decode_kinds, join_batches
from qehost.messages import AnyEvent, EventKind
from qehost.storage.journal.layout import Batch, Damage
from qehost.storage.journal.open_orders import open_orders
from qehost.storage.journal.query import FOREVER
from qehost.storage.journal.reader import JournalReader
from qehost.storage.journal.search import KINDS, RARE_KINDS, Wanted

__all__ = ["JournalHistory", "Moment", "Range", "arranged", "epoch_ns", "range_of"]

CHUNK = 1 << 20
PER_EVENT = 1 << 11
"""Bytes that few events take at most, mostly."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
LATEST = 10**11
"""Epoch seconds of no time that is meant: the year 5138."""
Moment: TypeAlias = datetime | timedelta | float
ORDER_KINDS = frozenset({"master_order", "order"})


class Range(msgspec.Struct, frozen=True):
    """Which events are wanted: after `after_seq` and before `before_seq`, received from `since` to
    `until` (epoch ns), of these kinds (None: of all), at most `limit`, from one end on."""

    after_seq: int = 0
    before_seq: int = FOREVER
    since: int = 0
    until: int = FOREVER
    limit: int | None = None
    newest_first: bool = False
    kinds: frozenset[EventKind] | None = None

    def fits(self, event: AnyEvent) -> bool:
        """Whether an event is in it, whatever its kind."""
        return (
            self.after_seq < event.seq < self.before_seq
            and self.since <= event.received_at <= self.until
        )

    def wants(self, event: AnyEvent) -> bool:
        return self.kinds is None or event.kind in self.kinds


def range_of(
    *,
    after_seq: int | None = None,
    before_seq: int | None = None,
    since: Moment | None = None,
    until: Moment | None = None,
    limit: int | None = None,
    newest_first: bool = False,
    kinds: Iterable[str] | None = None,
) -> Range:
    """The range that was asked for.  Raises ValueError for what can't be one."""
    wanted = None if kinds is None else frozenset((kinds,) if isinstance(kinds, str) else kinds)
    if wanted is not None and (unknown := wanted.difference(KINDS)):
        raise ValueError(f"there is no kind {', '.join(sorted(unknown))}: {', '.join(KINDS)}")
    if limit is not None and limit < 0:
        raise ValueError(f"limit must be a number of events, not {limit}")
    return Range(
        max(0, after_seq or 0),
        FOREVER if before_seq is None else before_seq,
        0 if since is None else epoch_ns(since),
        FOREVER if until is None else epoch_ns(until),
        limit,
        newest_first,
        msgspec.convert(wanted, frozenset[EventKind] | None),
    )


def epoch_ns(moment: Moment) -> int:
    """Epoch ns.  A duration is so long ago; of a number its size says whether it is seconds,
    milliseconds or nanoseconds.  Raises ValueError."""
    if isinstance(moment, timedelta):
        return time.time_ns() - moment // MICROSECOND * 1000
    if isinstance(moment, datetime):
        if moment.tzinfo is None:
            raise ValueError(f"{moment} has no time zone: datetime.now(UTC), for example")
        return (moment - EPOCH) // MICROSECOND * 1000
    for factor in (10**9, 10**6):
        if abs(moment) < LATEST * (10**9 // factor):
            return int(moment * factor)
    return int(moment)


def arranged(
    wanted: Range, events: Iterable[AnyEvent], states: Callable[[], Iterable[AnyEvent]]
) -> Iterator[AnyEvent]:
    """The events of a range, given in its order, up to its limit, and the states of the orders that
    were open before them: in front, or, newest first, behind them if the limit leaves room.
    `states` is called only where they can matter."""

    def baseline() -> list[AnyEvent]:
        if wanted.kinds is not None and not wanted.kinds & ORDER_KINDS:
            return []
        return [event for event in states() if wanted.wants(event)]

    if not wanted.newest_first:
        yield from baseline()
        yield from islice(events, wanted.limit)
        return
    count = 0
    for event in islice(events, wanted.limit):
        count += 1
        yield event
    if count != wanted.limit:
        yield from reversed(baseline())


class JournalHistory:
    """The events of the journal in `folder` up to `position`, as far as they are in the range.

    Before the first one come the last states of the orders that were open then, with the origin
    `baseline`; newest first they come behind the last one, if the limit leaves room.  It can be
    iterated any number of times, in any thread, and raises JournalError where the journal can't be
    read now.
    """

    def __init__(self, folder: Path, wanted: Range, position: int) -> None:
        self._folder = folder
        self._wanted = wanted
        self._last_seq = min(position, wanted.before_seq - 1)
        self.damaged: list[tuple[int, int]] = []
        """The first and the last number of what is damaged on the disk, of what was read last."""

    @property
    def pruned_before(self) -> int:
        """The first event that is still there, where earlier ones in the range are not: they were
        deleted since they are old.  0: all are there."""
        with JournalReader(self._folder) as reader:
            files = reader.files()
            if not files or files[0].first_seq <= self._wanted.after_seq + 1:
                return 0
            first_seq = files[0].first_seq
            if self._wanted.since:
                first = next(reader.read(first_seq - 1, first_seq, chunk_bytes=1), None)
                if isinstance(first, Batch) and first.first_at < self._wanted.since:
                    return 0
            return first_seq

    def __iter__(self) -> Iterator[AnyEvent]:
        self.damaged = []
        with JournalReader(self._folder) as reader:
            yield from arranged(self._wanted, self._events(reader), lambda: self._states(reader))

    # --- the events --------------------------------------------------------------------------

    def _events(self, reader: JournalReader) -> Iterator[AnyEvent]:
        for batch in self._batches(reader):
            try:
                events = self._decoded(batch)
            except msgspec.DecodeError:
                yield from self._one_by_one(reader, batch)
                continue
            yield from self._ordered(self._cut(events, batch))

    def _decoded(self, batch: Batch) -> list[AnyEvent]:
        """Those of the kinds that are wanted.  Raises msgspec.DecodeError."""
        if self._wanted.kinds is not None:
            return decode_kinds(batch.events, batch.journal_id, self._wanted.kinds)
        return decode_events(batch.events, batch.journal_id)

    def _batches(self, reader: JournalReader) -> Iterator[Batch]:
        wanted, kinds = self._wanted, self._wanted.kinds
        is_rare = kinds is not None and kinds <= RARE_KINDS
        limit = CHUNK if wanted.limit is None else wanted.limit * PER_EVENT
        for part in reader.read(
            wanted.after_seq,
            self._last_seq,
            since=wanted.since,
            until=wanted.until,
            newest_first=wanted.newest_first,
            chunk_bytes=min(CHUNK, max(PER_EVENT, limit)),
            join=join_batches,
            may_hold=Wanted(kinds=kinds).may_hold if kinds and is_rare else None,
        ):
            if isinstance(part, Damage):
                self.damaged.append((part.first_seq, part.last_seq))
            else:
                yield part

    def _one_by_one(self, reader: JournalReader, joined: Batch) -> Iterator[AnyEvent]:
        """One of the batches can't be decoded; the others are told."""
        singles = reader.read(
            joined.first_seq - 1, joined.last_seq, newest_first=self._wanted.newest_first
        )
        for batch in singles:
            try:
                if isinstance(batch, Batch):
                    yield from self._ordered(self._cut(self._decoded(batch), batch))
            except msgspec.DecodeError:
                self.damaged.append((batch.first_seq, batch.last_seq))

    def _cut(self, events: list[AnyEvent], batch: Batch) -> list[AnyEvent]:
        """Those in the range: a batch may begin before it and end behind it."""
        wanted = self._wanted
        if (
            batch.first_seq > wanted.after_seq
            and batch.last_seq <= self._last_seq
            and wanted.since <= 0
            and wanted.until >= FOREVER
        ):
            return events
        return [e for e in events if e.seq <= self._last_seq and wanted.fits(e)]

    def _ordered(self, events: list[AnyEvent]) -> Iterable[AnyEvent]:
        return reversed(events) if self._wanted.newest_first else events

    # --- the states before them ------------------------------------------------------------------

    def _states(self, reader: JournalReader) -> list[AnyEvent]:
        last_seq = self._before_first(reader)
        return open_orders(reader, last_seq).events() if last_seq else []

    def _before_first(self, reader: JournalReader) -> int:
        """The last event before those in the range; where there are none, the last one at all that
        is not behind it."""
        wanted = self._wanted
        if not wanted.since and wanted.until >= FOREVER:
            files = reader.files()
            deleted = files[0].first_seq - 1 if files else 0
            return min(max(wanted.after_seq, deleted), self._last_seq)
        first = self._first(reader, wanted.since, wanted.until)
        if first is None and wanted.until < FOREVER:
            # What came at or before the end of the time.
            later = self._first(reader, wanted.until + 1, FOREVER)
            return self._last_seq if later is None else later.seq - 1
        return self._last_seq if first is None else first.seq - 1

    def _first(self, reader: JournalReader, since: int, until: int) -> AnyEvent | None:
        wanted = msgspec.structs.replace(self._wanted, since=since, until=until)
        for part in reader.read(
            wanted.after_seq, self._last_seq, since=since, until=until, chunk_bytes=1
        ):
            try:
                events = decode_events(part.events) if isinstance(part, Batch) else []
            except msgspec.DecodeError:
                continue
            for event in events:
                if event.seq <= self._last_seq and wanted.fits(event):
                    return event
        return None
