"""What the stream did not bring: read over REST in the background, and handed on like the rest.

There are three reasons to read: the stream was not heard for a while, it is to be compared with
REST every so often (`catch_up_interval`), or it says nothing and might be mute (`mute_after`).

After a gap REST is read at once, and a second time shortly after.  At some venues a stream begins
a moment after its handshake, and at some REST learns of a change a moment after it was pushed:
between the two a change could fall through.  So both looks ask for the orders that are open and on
no list, and what was not found either time is told as not covered.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import NamedTuple

from qehost.config.settings import ConnectionSettings
from qehost.connection.background import BackgroundCalls
from qehost.connection.beginning import Beginning
from qehost.connection.catch_up import CatchUp, Pause, Read, ReadResult, Window
from qehost.connection.handover import Handover
from qehost.connection.order_names import name_some
from qehost.connection.stale_stream import Doubt, StaleStreamDetector
from qehost.connection.window_reader import read_window
from qehost.errors import GapError
from qehost.events.codec import Record
from qehost.events.pipeline import Pipeline
from qehost.events.plural import format_count
from qehost.rest import API

__all__ = ["Recovery"]

log = logging.getLogger("qehost.connection")

LONGEST_GAP = 7 * 86_400
"""Seconds.  What lies further back is history, not something that was just missed."""
SECOND_LOOK = 5.0
"""Seconds after a connection has opened.  REST is not further behind the stream than that."""
LONGEST_SECOND_LOOK = 90_000
"""Seconds that the second look goes back at most: a gap of a moment looks like one of a day where
the venue's clock was set forward in it."""
NEVER = float("inf")


class Look(IntEnum):
    """What is read beside the lists; the greater one has the lesser one's, too."""

    COMPARISON = 0
    """Nothing."""
    FIRST = 1
    """The open orders that are not on the lists."""
    SECOND = 2
    """The same, and which of them can't be found is told."""


class Recovery:
    """For one account.  `emit` takes events, `tell` an error for the log and for `on_error`."""

    def __init__(
        self,
        api: API,
        settings: ConnectionSettings,
        pipeline: Pipeline,
        emit: Callable[[Sequence[Record]], None],
        tell: Callable[[GapError | None], None],
        background: BackgroundCalls,
        beginning: Beginning,
    ) -> None:
        self._api = api
        self._settings = settings
        self._pipeline = pipeline
        self._emit = emit
        self._tell = tell
        self._background = background
        self._beginning = beginning
        self._gaps = CatchUp(can_read=api.has_credentials)
        self._read_at = NEVER
        self._look = Look.COMPARISON  # the next one
        self._second_look_at = NEVER
        self._is_open = False
        self._to_look_twice = 0  # how often there was a reason to
        self._looked_first = 0  # the last of these of which the first look is done
        self._look_again_since = 0  # what the second look is to read, also if the stream has ended
        self._uncovered: Window | None = None  # what the first looks were about
        self._not_found: frozenset[str] = frozenset()  # open orders, at the last first look
        self._named: set[str] = set()  # open orders that could not be found, as `on_error` knows
        self._unread = ""  # what was told last of a window that could not be read
        self._corrected = 0.0  # how much of the clock's `jumped` the times here take into account
        # Texts of the pipeline with lower numbers had come then; REST is not behind these any more.
        self._came_before, self._came_until = pipeline.next_text, time.monotonic()
        self._came_until -= max(0.0, time.time() - pipeline.received_at / 1e9)
        self._settled = 0
        self._open_since = 0
        self._compared_until = 0
        self._compare_at = NEVER
        self._stale: StaleStreamDetector | None = None
        self._delivery: _Delivery | None = None

    def opened(self, since: int, now: float, at: int) -> None:
        """A stream is open since `at` that was not heard since `since`.

        Both are the venue's time in epoch ns; `since` is 0 for never.
        """
        self._open_since = self._compared_until = at
        self._is_open = True
        settings = self._settings
        self._stop_watching()
        self._gap(_earlier(since, self._look_again_since), at)
        if not self._api.has_credentials:
            return
        self._compare_at = now + (settings.catch_up_interval or NEVER)
        if since:
            self._look_twice(since, now)
        if settings.mute_after:
            self._stale = StaleStreamDetector(settings.mute_after, settings.pong_timeout, now)

    def missed(self, window: Window, now: float) -> None:
        """The stream that is open was not heard then."""
        self._gap(window.since, window.until)
        self._look_twice(window.since, now)

    @property
    def unread_since(self) -> int:
        """Since when REST is still to be asked, epoch ns; 0: it need not be."""
        return _earlier(self._gaps.since, self._look_again_since)

    def correct(self, jumped: float) -> None:
        """The clock's `jumped` has grown: the times here may have been wrong by the difference."""
        off_by = round((jumped - self._corrected) * 1e9)
        self._corrected = jumped
        self._open_since -= off_by
        self._compared_until -= off_by
        self._look_again_since -= off_by if self._look_again_since else 0
        self._gaps.correct(off_by)

    def closed(self, now: float) -> None:
        """The stream is not listened to any more."""
        self._is_open = False
        self._stop_watching()
        self._came_before, self._came_until = self._pipeline.next_text, now

    def _stop_watching(self) -> None:
        self._compare_at = self._second_look_at = NEVER
        self._stale = None

    def heard(self, now: float) -> None:
        """The stream brought a message."""
        if self._stale is not None:
            self._stale.heard(now)

    def next_deadline(self) -> float:
        """When `keep_time` should be called at the latest (monotonic seconds)."""
        if self._delivery is not None:
            return 0.0
        stale = NEVER if self._stale is None else self._stale.next_deadline()
        return min(self._read_at, self._compare_at, self._second_look_at, stale)

    def keep_time(self, now: float) -> bool:
        """Do what is due; True: the stream has turned out to be mute."""
        delivery = self._delivery
        if delivery is not None and delivery.handover.step(self._pipeline, self._emit):
            self._delivery = None
            self._done(delivery, now)
        doubt = None if self._stale is None else self._stale.due(now)
        if now >= self._second_look_at:
            self._second_look_at, self._look = NEVER, Look.SECOND
            self._compared_until = _earlier(self._compared_until, self._look_again_since)
            self._look_again_since = 0
            self._compare(now)
        elif now >= self._compare_at or doubt is Doubt.ASK:
            self._compare(now)
        match self._gaps.next(now):
            case Pause(until):
                self._read_at = until
            case Read(window):
                self._read_at = NEVER
                self._settle(now)
                self._read(window, now)
        return doubt is Doubt.MUTE

    def _read(self, window: Window, now: float) -> None:
        about_now, corrected = window.since >= self._open_since, self._corrected
        reading = self._pipeline.reading(window.since, settled=self._settled)
        # It costs calls for each of them: not for a comparison, where master orders tell enough.
        look, self._look = self._look, Look.COMPARISON
        twice = self._to_look_twice
        if look is Look.SECOND and self._looked_first < twice:
            # REST did not answer until now, or took that long: without a first look the second one
            # could name nothing.
            look = Look.FIRST
            self._plan_second_look(window.since, now)
        open_ = self._pipeline.unfinished() if look else None

        def delivery(found: ReadResult) -> _Delivery:
            # By the time as it was measured meanwhile.
            measured = reading.measured(found.window.since, found.window.until)
            handover = Handover(found.master_orders, found.orders, measured)
            return _Delivery(found, handover, about_now, look, twice)

        self._background.run(
            "catch-up",
            lambda: delivery(read_window(self._api, window, corrected, open_)),
            self._begin,
            lambda error: self._begin(delivery(ReadResult(window, [], [], error))),
        )

    def _settle(self, now: float) -> None:
        if now >= self._came_until + SECOND_LOOK:
            self._settled = self._came_before
            self._came_before, self._came_until = self._pipeline.next_text, now

    def _look_twice(self, since: int, now: float) -> None:
        self._look = max(self._look, Look.FIRST)
        self._to_look_twice += 1
        self._plan_second_look(since, now)

    def _plan_second_look(self, since: int, now: float) -> None:
        self._second_look_at = now + SECOND_LOOK if self._is_open else NEVER
        since = max(since, self._open_since - LONGEST_SECOND_LOOK * 10**9)
        since = min(since, self._open_since)
        self._look_again_since = _earlier(self._look_again_since, since)

    def _compare(self, now: float) -> None:
        self._compare_at = now + (self._settings.catch_up_interval or NEVER)
        at = round(self._api.venue_clock.now() * 1e9)
        self._gap(self._compared_until, at)
        self._compared_until = at

    def _gap(self, since: int, until: int) -> None:
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
        if delivery.found.was_impossible:
            self._beginning.impossible(delivery.found.window.since)

    def _done(self, delivery: _Delivery, now: float) -> None:
        found, events = delivery.found, delivery.handover.events
        if events:
            log.info(
                "read over REST what the stream had not brought: %s of %s",
                format_count(events, "event"),
                found.window,
            )
        if found.was_impossible:
            # A clock was set back, or was wrong when an earlier process ran.
            self._tell(
                GapError(
                    "by what was noted, the stream was heard later than it is now, so a clock was "
                    f"wrong: what happened from {found.window} is read again. What happened before "
                    "may have been missed: look at the venue's own history"
                )
            )
        if found.failure is not None:
            self._look = max(self._look, delivery.look)
        elif delivery.look:
            self._tell(self._not_covered(delivery))
        told = self._gaps.done(found, now)
        self._tell(told)
        if found.failure is not None:
            self._unread = str(told)
        elif not self._gaps.since:
            self._pipeline.notices.settle_gap(self._unread)
        self._read_at = now  # whatever comes next, `keep_time` asks for it
        # What was read of the time before this stream opened says nothing about this stream.
        if self._stale is not None and delivery.about_now and (events or not found.failure):
            self._stale.answered(now, bool(events))

    def _not_covered(self, delivery: _Delivery) -> GapError | None:
        """What to tell the user of open orders that were asked for and not found."""
        found, look = delivery.found, delivery.look
        window = found.window if self._uncovered is None else found.window | self._uncovered
        self._uncovered = None
        if look is Look.FIRST:
            self._looked_first = delivery.twice
            self._uncovered, self._not_found = window, frozenset(found.not_covered)
            return None
        # REST may list late what the stream brought between the two.
        unnamed = self._not_found - self._named
        news = [name for name in found.not_covered if name in unnamed]
        if not news:
            return None
        self._named.update(news)
        return GapError(
            f"whether they changed from {window} can't be read, because the venue does not "
            f"list them or there are too many: {name_some(news)}; look at the venue's own history"
        )


class _Delivery(NamedTuple):
    """What was read, on its way.

    `about_now`: whether it is about the time since the stream opened.  `twice`: the last reason to
    look twice that there was when it was asked for.
    """

    found: ReadResult
    handover: Handover
    about_now: bool
    look: Look
    twice: int


def _earlier(a: int, b: int) -> int:
    """The earlier of two times; 0 is none."""
    return min(a, b) if a and b else a or b
