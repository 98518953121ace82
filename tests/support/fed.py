"""What a pipeline makes of texts, as it arrives at the other end."""

from __future__ import annotations

from collections.abc import Sequence

from qehost.events.codec import decode_events, encode_events
from qehost.events.pipeline import Pipeline
from qehost.messages import AnyEvent

__all__ = ["fed"]


def fed(pipeline: Pipeline, texts: Sequence[str], received_at: int) -> list[AnyEvent]:
    """The events of these texts, through the bytes that travel between the processes."""
    return decode_events(encode_events(pipeline.feed(texts, received_at)))
