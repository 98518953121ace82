"""What the stream did not bring: read over REST in the background, and handed on like the rest.

There are three reasons to read: the stream was not heard for a while, it is to be compared with
REST every so often (`catch_up_interval`), or it says nothing and might be mute (`mute_after`).

After a gap REST is read at once, and a second time shortly after.  At some venues a stream begins
a moment after its handshake, and at some REST learns of a change a moment after it was pushed:
between the two a change could fall through.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence

from qehost.connection.catch_up import CatchUp, Found, Read, Wait, Window, read_window
from qehost.connection.errands import Errands
from qehost.connection.session import Doubt, MuteWatch
from qehost.errors import GapError
from qehost.messages import ErrorEvent
from qehost.pipeline import FromRest, Pipeline, arranged
from qehost.records import Record
from qehost.rest import API
from qehost.settings import ConnectionSettings

__all__ = ["Recovery"]

log = logging.getLogger("qehost.connection")

LONGEST_GAP = 7 * 86_400
"""Seconds.  What lies further back is history, not something that was just missed."""
SECOND_LOOK = 5.0
"""Seconds after a connection has opened."""
SLICE = 500
"""Objects of which the events are journalled and handed over at a time: it takes milliseconds."""

NEVER = float("inf")


class Recovery:
    """For one account.  `emit` takes events, `tell` an error for the log and for `on_error`."""

    def __init__(
        self,
        api: API,
        settings: ConnectionSettings,
        pipeline: Pipeline,
        emit: Callable[[Sequence[Record]], None],
        tell: Callable[[GapError | None], None],
        errands: Errands,
    ) -> None:
        self._api = api
        self._settings = settings
        self._pipeline = pipeline
        self._emit = emit
        self._tell = tell
        self._errands = errands
        self._gaps = CatchUp(can_read=api.has_credentials)
        self._read_at = NEVER
        self._open_since = 0
        self._compared_until = 0
        self._compare_at = NEVER
        self._mute: MuteWatch | None = None
        self._delivery: _Delivery | None = None

    def opened(self, since: int, now: float, at: int) -> None:
        """A stream is open since `at` that was not heard since `since`: epoch ns, 0 for never."""
        self._open_since = self._compared_until = at
        settings = self._settings
        self.closed()
        self._gap(since, at)
        if not self._api.has_credentials:
            return
        second_look = SECOND_LOOK if since else NEVER
        self._compare_at = now + min(second_look, settings.catch_up_interval or NEVER)
        if settings.mute_after:
            self._mute = MuteWatch(settings.mute_after, settings.pong_timeout, now)

    @property
    def unread_since(self) -> int:
        """Since when REST is still to be asked, epoch ns; 0: it need not be."""
        return self._gaps.since

    def closed(self) -> None:
        """The stream is not watched any more."""
        self._compare_at = NEVER
        self._mute = None

    def heard(self, now: float) -> None:
        """The stream brought a message."""
        if self._mute is not None:
            self._mute.heard(now)

    def next_deadline(self) -> float:
        """When `keep_time` should be called at the latest (monotonic seconds)."""
        if self._delivery is not None:
            return 0.0
        mute = NEVER if self._mute is None else self._mute.next_deadline()
        return min(self._read_at, self._compare_at, mute)

    def keep_time(self, now: float) -> bool:
        """Do what is due; True: the stream has turned out to be mute."""
        if self._delivery is not None:
            self._hand_on(self._delivery, now)
        doubt = None if self._mute is None else self._mute.due(now)
        if now >= self._compare_at or doubt is Doubt.ASK:
            self._compare(now)
        match self._gaps.next(now):
            case Wait(until):
                self._read_at = until
            case Read(window):
                self._read_at = NEVER
                self._errands.run(
                    "catch-up",
                    lambda: _Delivery(read_window(self._api, window)),
                    self._begin,
                    lambda error: self._begin(_Delivery(Found(window, [], [], error))),
                )
        return doubt is Doubt.MUTE

    def _compare(self, now: float) -> None:
        self._compare_at = now + (self._settings.catch_up_interval or NEVER)
        at = time.time_ns()
        self._gap(self._compared_until, at)
        self._compared_until = at

    def _gap(self, since: int, until: int) -> None:
        since = min(since, until)  # the clock may have been set back in between
        earliest = until - LONGEST_GAP * 10**9
        if 0 < since < earliest:
            self._tell(
                GapError(
                    f"what happened from {Window(since, earliest)} was missed and is not read "
                    "again, because it is too long ago: look at the venue's own history"
                )
            )
            since = earliest
        self._tell(self._gaps.add(since, until))

    def _begin(self, delivery: _Delivery) -> None:
        self._delivery = delivery

    def _hand_on(self, delivery: _Delivery, now: float) -> None:
        """A part of what was read: a large gap in one piece would hold up the socket."""
        if events := self._pipeline.catch_up(delivery.some(), time.time_ns()):
            # That an object can't be read says nothing about what the stream has brought.
            delivery.events += sum(not isinstance(event, ErrorEvent) for event in events)
            self._emit(events)
        if not delivery.left:
            self._delivery = None
            self._done(delivery.found, delivery.events, now)

    def _done(self, found: Found, events: int, now: float) -> None:
        if events:
            log.info(
                "%d events of %s that the stream had not brought were read over REST",
                events,
                found.window,
            )
        self._tell(self._gaps.done(found, now))
        self._read_at = now  # whatever comes next, `keep_time` asks for it
        # What was read of the time before this stream opened says nothing about this stream.
        about_now = found.window.since >= self._open_since and (events or not found.failure)
        if self._mute is not None and about_now:
            self._mute.answered(now, bool(events))


class _Delivery:
    """What was read, on its way; `events` counts those that it has brought so far."""

    def __init__(self, found: Found) -> None:
        self.found = found
        self.left = deque(arranged(found.master_orders, found.orders))
        self.events = 0

    def some(self) -> list[FromRest]:
        """The next objects, which are then no longer left."""
        return [self.left.popleft() for _ in range(min(SLICE, len(self.left)))]
