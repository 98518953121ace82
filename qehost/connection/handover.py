"""What was read over REST, on its way to the plugins beside the stream."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from qehost.events.codec import Record
from qehost.events.pipeline import Pipeline
from qehost.events.readings import Reading
from qehost.events.rest_objects import decode_rest
from qehost.messages import ErrorEvent

__all__ = ["SLICE", "Handover"]

SLICE = 500
"""Objects of which the events are journalled and handed over at a time: it takes milliseconds."""


class Handover:
    """Made in a thread, where everything is decoded; then the loop calls `step` until all is done.

    `reading` was taken when REST was asked.
    """

    def __init__(
        self, master_orders: Iterable[str], orders: Iterable[str], reading: Reading
    ) -> None:
        self.events = 0
        """How many it has brought so far.  That an object can't be read counts for none: it says
        nothing about what the stream has brought."""
        self._left = deque(decode_rest(master_orders, orders))
        self._reading = reading

    def step(self, pipeline: Pipeline, emit: Callable[[Sequence[Record]], None]) -> bool:
        """A part of it: a large gap in one piece would hold up the socket.  True: that was all."""
        some = [self._left.popleft() for _ in range(min(SLICE, len(self._left)))]
        if events := pipeline.catch_up(some, time.time_ns(), self._reading):
            self.events += sum(not isinstance(event, ErrorEvent) for event in events)
            emit(events)
        return not self._left
