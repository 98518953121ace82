"""What earlier processes left in the journal: what was delivered, and until when they listened."""

from __future__ import annotations

from collections.abc import Iterable

from qehost.connection.catch_up import OVERLAP
from qehost.connection.memory import Memory, read_memory
from qehost.journal import Batch, Journal, JournalReader
from qehost.messages import ConnectedEvent, DisconnectedEvent
from qehost.pipeline import Pipeline
from qehost.records import Record, Texts, decode_records

__all__ = ["Listening", "restore"]

REMEMBER = 20_000
"""Events by which duplicates are recognised."""
REMEMBER_AT_MOST = 100_000
"""Where so many come in the time by which windows overlap."""


class Listening:
    """Until when the stream was heard, by the records of earlier processes in their order.

    The time of the last event would not do: a run that could not connect tells so, for hours.
    """

    def __init__(self, memory: Memory | None = None) -> None:
        self._heard = 0
        self._memory = memory or Memory()
        self._unread_since = self._memory.unread_since

    def note(self, records: Iterable[Record]) -> None:
        for record in records:
            if isinstance(record, Texts):
                self._heard = record.received_at
            elif isinstance(record, ConnectedEvent):
                self._heard = record.received_at
                since = record.message.down_since
                # Of an earlier gap the memory says whether it was read to its end.
                if since and record.seq > self._memory.seq:
                    self._unread_since = min(since, self._unread_since or since)
            elif isinstance(record, DisconnectedEvent):
                self._heard = record.message.last_heard or record.received_at
            elif record.origin == "stream" and record.raw:
                self._heard = record.received_at

    @property
    def until(self) -> int:
        """Epoch ns, 0 for never.

        It is the beginning of the first gap that may not have been read to its end: the process may
        have been stopped in the middle, and what is read twice is delivered once.
        """
        return self._unread_since or self._heard


def restore(account: str, journal: Journal) -> tuple[Pipeline, int]:
    """A pipeline that knows what was delivered, and until when the stream was heard (epoch ns)."""
    memory = read_memory(journal.folder)
    pipeline, listening = Pipeline(account), Listening(memory)
    adopted = False
    with JournalReader(journal.folder) as reader:
        for batch in _newest(reader):
            if not adopted and batch.last_seq > memory.seq:
                pipeline.adopt(memory.open_orders)
                adopted = True
            records = decode_records(batch.events)
            pipeline.restore(records)
            listening.note(records)
    if not adopted:
        pipeline.adopt(memory.open_orders)
    # The journal also counts events that it could not hold.
    pipeline.next_seq = max(journal.last_seq() + 1, pipeline.next_seq)
    return pipeline, listening.until


def _newest(reader: JournalReader) -> list[Batch]:
    batches = reader.tail(REMEMBER)
    # What is read again reaches back by the overlap before what was heard last; the clocks may
    # differ by about as much.
    if batches and batches[0].first_at > batches[-1].last_at - 2 * OVERLAP * 1e9:
        batches = reader.tail(REMEMBER_AT_MOST)
    return batches
