"""Events of one account that wait for a full batch.  No I/O; the clock is passed in.

They stand in the journal.  Those that came last are kept in memory, too, as far as there is room,
so that they need not be read again, and so that a disk which takes nothing costs none of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice, takewhile

from qehost.messages import AnyEvent

__all__ = ["Collector"]

TIMES = 10_000
"""Slices of which it is remembered when they came."""


class Collector:
    """A batch is due when `max_events` wait, or when the first of them has waited `max_wait`
    seconds.  Times are on the monotonic clock.

    Events that the plugin does not want are passed over with those that it does: they make no batch
    full.  `wants` tells them apart; None: it wants all.
    """

    def __init__(
        self,
        max_events: int,
        max_wait: float,
        wants: Callable[[AnyEvent], bool] | None = None,
    ) -> None:
        self.max_events = max_events
        self.wants = wants
        self._max_wait = max_wait
        self._events: deque[AnyEvent] = deque()
        """Those that it wants."""
        self._known_to = 0
        """They are all that there are after those that were delivered, up to this event."""
        self._times: deque[tuple[int, float]] = deque()
        """The last event of a slice, and when it came."""

    def add(self, events: Sequence[AnyEvent], last: int, done: int, now: float) -> None:
        """Events up to `last` came, of which these can be had from here; the plugin has had those
        up to `done`."""
        self._forget(done)
        fresh = [event for event in events if event.seq > self._known_to]
        follow = bool(fresh) and fresh[0].seq == self._known_to + 1
        wanted = fresh if self.wants is None else [each for each in fresh if self.wants(each)]
        # A slice of which nothing is wanted needs no time beside that of another one.
        if len(self._times) < TIMES and (wanted or not follow or not self._times):
            self._times.append((last, now))
        if follow and len(self._events) < 2 * self.max_events:
            self._events.extend(wanted)
            self._known_to = fresh[-1].seq

    def due(self, done: int, newest: int, now: float) -> float:
        """When those after `done`, up to `newest`, make a batch."""
        self._forget(done)
        # What is not known may all be wanted.
        if len(self._events) + max(0, newest - self._known_to) >= self.max_events:
            return now
        # The first that is wanted counts; without one, only the cursor is behind.
        while self._events and self._times and self._times[0][0] < self._events[0].seq:
            self._times.popleft()
        if not self._times:
            # They came before this process.
            self._times.append((newest, now))
        return self._times[0][1] + self._max_wait

    def take(self, done: int, newest: int) -> tuple[list[AnyEvent], int]:
        """The next batch of those after `done`, up to `newest`, and the event up to which there is
        no other one that it wants: `done` where the batch can't be had from here."""
        self._forget(done)
        known = takewhile(lambda event: event.seq <= newest, self._events)
        batch = list(islice(known, self.max_events))
        last = min(self._known_to, newest)
        if len(batch) == self.max_events:
            last = batch[-1].seq
        return batch, last

    def _forget(self, done: int) -> None:
        self._known_to = max(self._known_to, done)
        while self._times and self._times[0][0] <= done:
            self._times.popleft()
        while self._events and self._events[0].seq <= done:
            self._events.popleft()
