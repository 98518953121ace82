"""Since when an account is listened to, and what is known of its orders from before that.

By this the pipeline tells whether an order that comes up for the first time is a new one.  An
earlier process listened, and what it knew is known; or how the orders stood was read before the
stream was opened (`Baseline`); or nothing is known of them.
"""

from __future__ import annotations

from qehost.connection.catch_up import Window
from qehost.events.first_sight import Known
from qehost.events.pipeline import Pipeline
from qehost.rest.clock import VenueClock

__all__ = ["Beginning"]


class Beginning:
    """`last_heard` is until when earlier processes heard the stream, 0 for never; `may_read` is
    whether REST can be asked.

    Times are the venue's, in epoch ns, unless they are monotonic.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        venue_clock: VenueClock,
        last_heard: int,
        *,
        may_read: bool = True,
    ) -> None:
        self._pipeline = pipeline
        self._clock = venue_clock
        self._since = 0
        self._known = Known.ALL
        self._was_heard = bool(last_heard)
        self._is_open = False
        self._opened_at = 0.0  # monotonic
        # As far as they are taken into account.
        self._set_back = venue_clock.set_back
        self._was_ahead = venue_clock.was_ahead
        if pipeline.clock_offset is not None:
            venue_clock.expect(pipeline.clock_offset / 1e9)
        if last_heard:
            self._begin(
                last_heard, Known.NONE if may_read and pipeline.lacks_baseline else Known.ALL
            )

    def opened(self, now: float) -> int:
        """A stream is open since then (monotonic).  Returns since when what is known of the orders
        may have changed; 0: nothing is known of them."""
        if self._is_open:
            return 0
        self._is_open, self._opened_at = True, now
        if self._since:
            return self._since
        self._begin(self._venue_time(now), Known.NONE)
        return 0

    def known_at(self, asked_at: int, inexact_by: int = 0) -> Window | None:
        """Plugins know how the orders stood then, or so many ns later.  Returns what the open
        stream did not hear since, if one is open."""
        if not self._is_open:
            self._begin(min(asked_at, self._since or asked_at), Known.RUNNING, inexact_by)
            return None
        opened_at = self._venue_time(self._opened_at)
        since = self._since if self._was_heard else opened_at
        self._begin(min(asked_at, since), Known.RUNNING, inexact_by)
        return Window(asked_at, opened_at) if asked_at < opened_at else None

    def impossible(self, since: int) -> None:
        """It was noted by a clock that was wrong; what happened since then is read again."""
        self._begin(since, self._known)

    def correct(self) -> None:
        """The venue's time was not what it was taken for."""
        # Until when what was told is not known was noted by this machine's clock.
        if ahead := self._clock.was_ahead - self._was_ahead:
            self._was_ahead = self._clock.was_ahead
            self._pipeline.extend_doubt(round(ahead * 1e9))
        if self._known is Known.NONE and self._is_open and not self._was_heard:
            self._begin(self._venue_time(self._opened_at), Known.NONE)
        elif self._since and self._clock.set_back > self._set_back:
            # Orders that are made from now on may bear earlier times than old ones.
            earlier = self._since - round((self._clock.set_back - self._set_back) * 1e9)
            self._pipeline.listens(earlier, self._known, certain_since=self._since)

    def _begin(self, since: int, known: Known, inexact_by: int = 0) -> None:
        self._since, self._known = since, known
        self._set_back = self._clock.set_back
        certain_since = 0 if self._was_heard else since + inexact_by
        self._pipeline.listens(since, known, certain_since=certain_since)

    def _venue_time(self, at: float) -> int:
        return int(self._clock.at(at) * 1e9)
