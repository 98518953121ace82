"""Whether the stream is open, as far as is known in the program."""

from __future__ import annotations

__all__ = ["StreamState"]


class StreamState:
    """Of two sources: the process's status, which comes at once, also while a handler runs; and the
    events, when the program handles them.  The one that knows the later event is right.

    Its methods are called by several threads: each replaces one value by another.
    """

    def __init__(self) -> None:
        self._status = (0, False)
        self._event = (0, False)

    @property
    def connected(self) -> bool:
        status, event = self._status, self._event
        return event[1] if event[0] > status[0] else status[1]

    def note_status(self, last_seq: int, connected: bool) -> None:
        """The process said so when event `last_seq` was its newest."""
        self._status = last_seq, connected

    def note_event(self, seq: int, connected: bool) -> None:
        """Event `seq`, which says so, is about to be delivered; 0: it is not one of the process."""
        if seq > self._event[0]:
            self._event = seq, connected

    def process_ended(self) -> None:
        self._status = max(self._status[0], self._event[0]), False
