"""What comes in over the stream, on its way to events."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qehost.connection.frames import Item, Pong
from qehost.errors import DecodeError
from qehost.pipeline import Pipeline
from qehost.records import Record

__all__ = ["Intake"]


class Intake:
    """For one account, over all its connections.  `emit` takes the records of events."""

    def __init__(self, pipeline: Pipeline, emit: Callable[[Sequence[Record]], None]) -> None:
        self._pipeline = pipeline
        self._emit = emit
        self.last_message = 0.0
        """Epoch seconds, 0 for never; known messages that come again count, too."""
        self.last_pong = 0.0
        """Epoch seconds, 0 for never; of either kind of heartbeat."""

    def take(self, items: Sequence[Item], received_at: int) -> bool:
        """Make events of them; whether there was a message among them.  `received_at`: epoch ns."""
        texts = [item for item in items if type(item) is str]
        records = self._pipeline.feed(texts, received_at)
        if len(texts) != len(items):
            records += self._others(items, received_at)
        messages = len(texts)
        if "pong" in texts:
            self.last_pong = received_at / 1e9
            messages -= texts.count("pong")
        if messages:
            self.last_message = received_at / 1e9
        if records:
            self._emit(records)
        return messages > 0

    def _others(self, items: Sequence[Item], received_at: int) -> list[Record]:
        """Pongs, and binary messages, of which the protocol knows none."""
        errors: list[Record] = []
        for item in items:
            if isinstance(item, Pong):
                self.last_pong = received_at / 1e9
            elif isinstance(item, bytes):
                text = item.decode("utf-8", "backslashreplace")
                error = DecodeError("a binary message; the venue's protocol has text only", text)
                errors.append(self._pipeline.problem(error, received_at, text))
        return errors
