"""What comes in over the stream is made into events."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qehost.connection.frames import Item, Pong
from qehost.events.codec import Record
from qehost.events.pipeline import Pipeline

__all__ = ["Receiver"]


class Receiver:
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
        if len(texts) != len(items):
            texts = self._sorted_out(items, received_at)
        records = self._pipeline.feed(texts, received_at)
        messages = len(texts)
        if "pong" in texts:
            self.last_pong = received_at / 1e9
            messages -= texts.count("pong")
        if messages:
            self.last_message = received_at / 1e9
        if records:
            self._emit(records)
        return messages > 0

    def _sorted_out(self, items: Sequence[Item], received_at: int) -> list[str]:
        """The messages, text and binary, in their order.

        The protocol knows text only, but a gateway on the way may send the same JSON as binary.
        What is not UTF-8 is no JSON either, and so becomes the error of a text that can't be read.
        """
        texts: list[str] = []
        for item in items:
            if isinstance(item, Pong):
                self.last_pong = received_at / 1e9
            elif isinstance(item, str):
                texts.append(item)
            elif isinstance(item, bytes):
                texts.append(item.decode("utf-8", "backslashreplace"))
        return texts
