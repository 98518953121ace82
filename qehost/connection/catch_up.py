"""Which windows of time are still to be read over REST.  No I/O, no clock.

`CatchUp` keeps them, `read_window` reads one in a thread, and `Recovery` brings the two together::

    error = catch_up.add(since_ns, until_ns)      # after a reconnect: subscribe first, then this
    match catch_up.next(now):
        case Read(window):  run read_window(api, window) in a thread; then, back in the loop,
                            give found.master_orders and found.orders to Pipeline.catch_up, and
                            catch_up.done(found, now), whose error, if any, is for on_error
        case Pause(until):   ask again then
"""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import TypeAlias

import msgspec
from msgspec.structs import replace

from qehost.connection.rest_failure import delay_after, words_of
from qehost.errors import GapError
from qehost.network.backoff import Backoff, Pace

__all__ = ["CatchUp", "Pause", "Read", "ReadResult", "Window"]

MAX_PAGES = 200
"""Of one list, in one window: 20,000 objects.  A gap with more of them is not worth the calls."""

NEVER = float("inf")
FAILED = Pace(2.0, 120.0)
"""How soon a window is tried again."""
REJECTED = Pace(60.0, 1_800.0)
"""The same where the venue does not accept the credentials."""


class Window(msgspec.Struct, frozen=True):
    """From when to when (epoch ns, the venue's time) the stream was not heard."""

    since: int
    until: int

    def earlier(self, off_by: int) -> Window:
        """The window if its times were noted by a clock that was off by so many ns."""
        return Window(self.since - off_by, self.until)

    def moments(self) -> tuple[datetime, datetime]:
        """Its begin and its end."""
        return (
            datetime.fromtimestamp(self.since / 1e9, UTC),
            datetime.fromtimestamp(self.until / 1e9, UTC),
        )

    def __or__(self, other: Window) -> Window:
        return Window(min(self.since, other.since), max(self.until, other.until))

    def __str__(self) -> str:
        since, until = self.moments()
        end = f"{until:%H:%M:%S}" if since.date() == until.date() else f"{until:%Y-%m-%d %H:%M:%S}"
        return f"{since:%Y-%m-%d %H:%M:%S} to {end} UTC"


class ReadResult(msgspec.Struct, frozen=True):
    """What was read: the JSON texts of the venue's V2 objects, as far as that went.

    `window` is what was asked for, by the venue's time as it was measured for that;
    `was_impossible`: the one before began later than now, so that a wide one took its place.
    `failure` is why it went no further; `beyond` names the lists that were too long, `short` those
    of which the venue counts more than it gave, `not_covered` the open orders that were not found.
    """

    window: Window
    master_orders: list[str]
    orders: list[str]
    failure: Exception | None = None
    where: str = ""
    beyond: str = ""
    short: str = ""
    was_impossible: bool = False
    not_covered: tuple[str, ...] = ()


class Read(msgspec.Struct, frozen=True):
    """Read this window now."""

    window: Window


class Pause(msgspec.Struct, frozen=True):
    """Nothing to do before `until`; infinity where only a call can change that."""

    until: float


Step: TypeAlias = Read | Pause


class CatchUp:
    """The windows of one account that are still to be read.  Times are monotonic, in seconds.

    `can_read`: whether there are credentials.
    """

    def __init__(self, *, can_read: bool, rng: random.Random | None = None) -> None:
        self._can_read = can_read
        self._pending: Window | None = None
        self._reading: Window | None = None
        self._not_before = 0.0
        self._failures = Backoff(FAILED, rng or random.Random())
        self.since = 0
        """The beginning of what is still to be read, epoch ns; 0: nothing is."""

    def add(self, since_ns: int, until_ns: int) -> GapError | None:
        """The stream was not heard between these two times.  Returns what to tell the user.

        Windows that wait are read as one: what lies between them is known already, and known
        changes are not told twice.  A `since_ns` of 0 is no gap: nothing was ever heard.
        """
        if since_ns <= 0:
            return None
        window = Window(since_ns, until_ns)
        if not self._can_read:
            window = Window(min(window.since, until_ns), until_ns)
            return GapError(
                f"what happened from {window} may have been missed, and without credentials it "
                "can't be read again: set api_key and api_secret (QEHOST_API_KEY, "
                "QEHOST_API_SECRET), and look at the venue's own history for this time"
            )
        self._pending = window if self._pending is None else self._pending | window
        self._note_since()
        return None

    def correct(self, off_by: int) -> None:
        """The times of the windows so far may have been noted by a clock that was off by so many
        ns: they begin so much earlier."""
        if self._pending is not None:
            self._pending = self._pending.earlier(off_by)
        if self._reading is not None:
            self._reading = self._reading.earlier(off_by)
        self._note_since()

    def next(self, now: float) -> Step:
        """What to do now."""
        if self._pending is None or self._reading is not None:
            return Pause(NEVER)
        if now < self._not_before:
            return Pause(self._not_before)
        self._reading, self._pending = self._pending, None
        return Read(self._reading)

    def done(self, found: ReadResult, now: float) -> GapError | None:
        """A window was read, or a part of it.  Returns what to tell the user."""
        if self._reading is not None and not found.was_impossible:
            # It may have been corrected meanwhile.
            found = replace(found, window=found.window | self._reading)
        self._reading = None
        told = self._judged(found, now)
        self._note_since()
        return told

    def _judged(self, found: ReadResult, now: float) -> GapError | None:
        count = len(found.master_orders) + len(found.orders)
        if found.failure is None:
            self._failures.succeeded()
            self._not_before = now
            if not (found.beyond or found.short):
                return None
            why = [f"there are more than {MAX_PAGES} pages of {found.beyond}"] * bool(found.beyond)
            why += [f"the venue counts more {found.short} than it gave"] * bool(found.short)
            return GapError(
                f"what happened from {found.window} was read again in part only: "
                f"{'; '.join(why)}. {count} objects were read; look at the venue's own history for "
                "the rest"
            )
        self._pending = found.window if self._pending is None else self._pending | found.window
        delay = delay_after(found.failure, self._failures, FAILED, REJECTED)
        self._not_before = now + delay
        return GapError(
            f"what happened from {found.window} could not be read again ({found.where}: "
            f"{words_of(found.failure)}). {count} objects were read before that; the whole is "
            f"tried again in {delay:.0f} s"
        )

    def _note_since(self) -> None:
        windows = [window for window in (self._pending, self._reading) if window is not None]
        self.since = min((window.since for window in windows), default=0)
