"""What earlier processes left in the journal: what was delivered, and until when they listened."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from qehost.connection.window_reader import OVERLAP
from qehost.events.codec import RawBatch, Record, decode_records, last_seq
from qehost.events.pipeline import Pipeline
from qehost.messages import ConnectedEvent, DisconnectedEvent
from qehost.storage.boot_id import boot_id, booted_at
from qehost.storage.checkpoint import Checkpoint, is_copy, read_checkpoint
from qehost.storage.journal import Batch, Damage, Journal, JournalReader
from qehost.storage.journal.layout import span
from qehost.storage.journal.query import FOREVER

__all__ = ["Listening", "restore"]

log = logging.getLogger("qehost.connection")

REMEMBER = 20_000
"""Events by which duplicates are recognised."""
REMEMBER_AT_MOST = 100_000
"""Where so many come in the time by which the windows of REST overlap."""


class Listening:
    """Until when the stream was heard, by the records of earlier processes in their order.

    The time of the last event would not do: a run that can't connect makes error events for hours.
    """

    def __init__(self, checkpoint: Checkpoint | None = None) -> None:
        self._checkpoint = checkpoint or Checkpoint()
        self._heard = self._checkpoint.heard_until
        self._unread_since = self._checkpoint.unread_since
        self._clock_offset = self._checkpoint.clock_offset

    def note(self, records: Iterable[Record]) -> None:
        for record in records:
            if self._checkpoint.heard_until and last_seq(record) <= self._checkpoint.seq:
                continue
            if isinstance(record, RawBatch):
                self._heard = record.received_at + self._clock_offset
            elif isinstance(record, ConnectedEvent):
                self._heard = record.message.up_at
                # What came before it, the checkpoint knows better: the offset, and whether a gap
                # was read to its end.
                if record.seq > self._checkpoint.seq:
                    self._clock_offset = record.message.up_at - record.received_at
                    if since := record.message.down_since:
                        self._unread_since = min(since, self._unread_since or since)
            elif isinstance(record, DisconnectedEvent):
                self._heard = record.message.last_heard or self._heard
            elif record.origin == "stream" and record.raw:
                self._heard = record.received_at + self._clock_offset

    @property
    def until(self) -> int:
        """The venue's time in epoch ns, 0 for never.

        It is the beginning of the first gap that may not have been read to its end: the process may
        have been stopped in the middle, and what is read twice is delivered once.
        """
        return self._unread_since or self._heard

    def venue_time(self, at: int) -> int:
        """What the venue's clock showed when this machine's showed `at`, as far as is known."""
        return at + self._clock_offset


def restore(account: str, journal: Journal) -> tuple[Pipeline, int]:
    """A pipeline that knows what was delivered, and until when the stream was heard (the venue's
    time in epoch ns)."""
    checkpoint = read_checkpoint(journal.folder)
    restoration = _Restoration(account, journal, checkpoint)
    with JournalReader(journal.folder) as reader:
        after_seq = min(_remembered_after(reader), checkpoint.seq or FOREVER)
        for item in reader.read(after_seq):
            restoration.take(item)
    restoration.end()
    return restoration.pipeline, restoration.listening.until


class _Restoration:
    """Takes the end of the journal, and at its place in there the checkpoint.

    What neither of them has, though it was told, makes a time doubtful.
    """

    def __init__(self, account: str, journal: Journal, checkpoint: Checkpoint) -> None:
        self.pipeline = Pipeline(account)
        self.listening = Listening(checkpoint)
        self._journal = journal
        self._checkpoint = checkpoint
        self._known = -1  # the last event up to which all is known; -1: the checkpoint comes first
        self._damage = ""  # why the next ones are not

    def take(self, item: Batch | Damage) -> None:
        if item.last_seq > self._checkpoint.seq:
            self._adopt()
        if isinstance(item, Damage):
            self._take_damage(item.first_seq, item.last_seq, str(item.error))
            return
        try:
            records = decode_records(item.events)
        except msgspec.DecodeError as error:
            text = f"journal {self._journal.folder}: what stands there can't be decoded ({error})"
            self._take_damage(item.first_seq, item.last_seq, text)
            return
        if 0 <= self._known < item.first_seq - 1:
            self._doubt(item.first_seq - 1, item.first_at)
        self.pipeline.restore(records)
        self.listening.note(records)
        if self._known >= 0:
            self._known = item.last_seq

    def end(self) -> None:
        """Nothing more can be read."""
        self._adopt()
        journal, checkpoint = self._journal, self._checkpoint
        # The journal also counts events that it could not hold.
        last_seq = max(journal.last_seq(), self.pipeline.next_seq - 1, self._known)
        self.pipeline.next_seq = last_seq + 1
        if self._known < last_seq:
            self._doubt(last_seq, journal.left_at or time.time_ns())
        if is_copy(journal.folder, checkpoint):
            self._doubt_all(
                f"journal {journal.folder}: it was copied or restored from a copy, and more may "
                "have been told than it has",
                time.time_ns(),
            )
        elif journal.durability == "process" and self._was_cut_off(last_seq):
            self._doubt_all(
                f"journal {journal.folder}: the machine was started anew without an orderly stop, "
                "and the last second before that may be missing",
                booted_at(),
            )

    def _adopt(self) -> None:
        if self._known < 0:
            self._known = self._checkpoint.seq
            self.pipeline.adopt(self._checkpoint.orders)
            if self._checkpoint.heard_until:
                self.pipeline.clock_offset = self._checkpoint.clock_offset

    def _was_cut_off(self, last_seq: int) -> bool:
        checkpoint = self._checkpoint
        ended = checkpoint.is_end and checkpoint.seq == last_seq
        return not ended and bool(checkpoint.boot) and boot_id() not in ("", checkpoint.boot)

    def _take_damage(self, first_seq: int, last_seq: int, text: str) -> None:
        if self._known < 0:
            log.warning(
                "%s: %s can't be read. All that was told of orders by then stands in the "
                "checkpoint, too: nothing follows",
                text,
                span(first_seq, last_seq),
            )
        elif not self._damage:
            self._damage = text

    def _doubt(self, last_seq: int, until: int) -> None:
        """Events up to this one are missing; the next one, or a sign of life, came `until`."""
        why = self._damage or f"journal {self._journal.folder}: it has a gap"
        self._damage = ""
        self._doubt_all(
            f"{why}: what {span(self._known + 1, last_seq)} told of orders is not known", until
        )

    def _doubt_all(self, why: str, until: int) -> None:
        until = self.listening.venue_time(until)
        log.warning(
            "%s. What is told of orders that were made before %s UTC is marked as redelivered "
            "where it may have been told before",
            why,
            datetime.fromtimestamp(until / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S"),
        )
        self.pipeline.doubt(until)


def _remembered_after(reader: JournalReader) -> int:
    """The event behind which everything is read again."""
    count = last_at = after_seq = 0
    for batch in reader.read(newest_first=True):
        if isinstance(batch, Damage):
            continue
        count += batch.last_seq - batch.first_seq + 1
        last_at = last_at or batch.last_at
        after_seq = batch.first_seq - 1
        # What is read again over REST reaches back by the overlap before what was heard last; the
        # clocks may differ by about as much.
        reaches_back = batch.first_at <= last_at - 2 * OVERLAP * 1e9
        if count >= (REMEMBER if reaches_back else REMEMBER_AT_MOST):
            break
    return after_seq
