"""What earlier processes left in the journal: what was delivered, and until when they listened."""

from __future__ import annotations

from collections.abc import Iterable

from qehost.connection.catch_up import OVERLAP
from qehost.journal import Batch, Journal, JournalReader
from qehost.messages import AnyEvent, ConnectedEvent, DisconnectedEvent, ErrorEvent
from qehost.pipeline import Pipeline
from qehost.queue import decode_events

__all__ = ["Listening", "restore"]

REMEMBER = 20_000
"""Events by which duplicates are recognised."""
REMEMBER_AT_MOST = 100_000
"""Where so many come in the time by which windows overlap."""

SETTLED = 300 * 10**9
"""Nanoseconds after a reconnect, or after a gap was told, in which it may not have been read."""


class Listening:
    """Until when the stream was heard, by the events of earlier processes in their order.

    The time of the last event would not do: a run that could not connect tells so, for hours.
    """

    def __init__(self) -> None:
        self._heard = 0
        self._gap_since = 0
        self._gap_told = 0

    def note(self, events: Iterable[AnyEvent]) -> None:
        for event in events:
            if isinstance(event, ConnectedEvent):
                self._heard = self._gap_told = event.received_at
                self._gap_since = event.message.down_since
            elif isinstance(event, DisconnectedEvent):
                self._heard = event.message.last_heard or event.received_at
            elif isinstance(event, ErrorEvent) and event.message.code == "gap":
                self._gap_told = event.received_at
            elif event.origin == "stream" and event.raw:
                self._heard = event.received_at

    @property
    def until(self) -> int:
        """Epoch ns, 0 for never.

        It is the beginning of the last gap, if that may not have been read to its end: the process
        may have been stopped in the middle, and what is read twice is delivered once.
        """
        if self._gap_since and self._heard - self._gap_told < SETTLED:
            return self._gap_since
        return self._heard


def restore(account: str, journal: Journal) -> tuple[Pipeline, int]:
    """A pipeline that knows what was delivered, and until when the stream was heard (epoch ns)."""
    pipeline, listening = Pipeline(account), Listening()
    with JournalReader(journal.folder) as reader:
        for batch in _newest(reader):
            events = decode_events(batch.events)
            pipeline.restore(events)
            listening.note(events)
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
