"""Reading again over REST what the stream may not have brought.

`CatchUp` keeps the windows of time that are still to be read; it does no I/O and reads no clock.
`read_window` reads one, in a thread.  The connection's loop brings the two together::

    error = catch_up.add(since_ns, until_ns)      # after a reconnect: subscribe first, then this
    match catch_up.next(now):
        case Read(window):  run read_window(api, window) in a thread; then, back in the loop,
                            hand found.master_orders and found.orders to Pipeline.catch_up, and
                            catch_up.done(found, now), whose error, if any, goes to on_error
        case Wait(until):   ask again then

To end a read that is under way, close the API.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import msgspec

from qehost.errors import Error, GapError, IncompleteList, RestError
from qehost.rest import API, Page
from qehost.rest.pieces import fields, plain
from qehost.times import epoch_ms

__all__ = ["CatchUp", "Found", "Read", "Wait", "Window", "read_window"]

OVERLAP = 60.0
"""Seconds by which a window is read longer at both ends: clocks differ, and the stream's last
message may be older than the changes that came with it."""

# The venue does not say whether `startTime` means the creation of an order or its last change.  So
# it is asked for everything that was created so long before the window, in seconds, and what did
# not change since is left out here.
MASTER_ORDER_LIFE = 3 * 86_400.0
ORDER_LIFE = 900.0

MAX_PAGES = 200
"""Of one list, in one window: 20,000 objects.  A gap with more of them is not worth the calls."""

LEAVE_ALONE = (418, 429)
"""The HTTP statuses that are about all calls, not about the one."""

NEVER = float("inf")
FIRST_DELAY = 2.0  # seconds before a window is tried again; doubles up to:
MAX_DELAY = 120.0
REJECTED_DELAY = 60.0  # where the venue does not accept the credentials, doubles up to:
MAX_REJECTED_DELAY = 1_800.0


class Window(msgspec.Struct, frozen=True):
    """From when to when (epoch ns) the stream was not heard."""

    since: int
    until: int

    def __or__(self, other: Window) -> Window:
        return Window(min(self.since, other.since), max(self.until, other.until))

    def __str__(self) -> str:
        since, until = (_moment(ns) for ns in (self.since, self.until))
        end = f"{until:%H:%M:%S}" if since.date() == until.date() else f"{until:%Y-%m-%d %H:%M:%S}"
        return f"{since:%Y-%m-%d %H:%M:%S} to {end} UTC"


class Found(msgspec.Struct, frozen=True):
    """What was read: the JSON texts of the venue's V2 objects, as far as that went.

    `failure` is why it went no further; `beyond` names the lists that were too long, `short` those
    of which the venue counts more than it gave.
    """

    window: Window
    master_orders: list[str]
    orders: list[str]
    failure: Exception | None = None
    where: str = ""
    beyond: str = ""
    short: str = ""


class Read(msgspec.Struct, frozen=True):
    """Read this window now."""

    window: Window


class Wait(msgspec.Struct, frozen=True):
    """Nothing to do before `until`; infinity where only a call can change that."""

    until: float


Step: TypeAlias = Read | Wait


class CatchUp:
    """The windows of one account that are still to be read.  Times are monotonic, in seconds.

    `can_read`: whether there are credentials.
    """

    def __init__(self, *, can_read: bool, rng: random.Random | None = None) -> None:
        self._can_read = can_read
        self._rng = rng or random.Random()
        self._pending: Window | None = None
        self._reading: Window | None = None
        self._not_before = 0.0
        self._failures = 0
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
            return GapError(
                f"what happened from {window} may have been missed, and without credentials it "
                "can't be read again: set api_key and api_secret (QEHOST_API_KEY, "
                "QEHOST_API_SECRET), and look at the venue's own history for this time"
            )
        self._pending = window if self._pending is None else self._pending | window
        self._note_since()
        return None

    def next(self, now: float) -> Step:
        """What to do now."""
        if self._pending is None or self._reading is not None:
            return Wait(NEVER)
        if now < self._not_before:
            return Wait(self._not_before)
        self._reading, self._pending = self._pending, None
        return Read(self._reading)

    def done(self, found: Found, now: float) -> GapError | None:
        """A window was read, or not wholly.  Returns what to tell the user."""
        self._reading = None
        told = self._judged(found, now)
        self._note_since()
        return told

    def _judged(self, found: Found, now: float) -> GapError | None:
        count = len(found.master_orders) + len(found.orders)
        if found.failure is None:
            self._failures = 0
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
        delay = self._delay(found.failure)
        self._failures += 1
        self._not_before = now + delay
        return GapError(
            f"what happened from {found.window} could not be read again ({found.where}: "
            f"{_words(found.failure)}). {count} objects were read before that; the whole is tried "
            f"again in {delay:.0f} s"
        )

    def _note_since(self) -> None:
        windows = [window for window in (self._pending, self._reading) if window is not None]
        self.since = min((window.since for window in windows), default=0)

    def _delay(self, failure: Exception) -> float:
        first, most = FIRST_DELAY, MAX_DELAY
        asked = None
        if isinstance(failure, RestError):
            asked = failure.retry_after
            if failure.status_code in (401, 403):
                first, most = REJECTED_DELAY, MAX_REJECTED_DELAY
        delay = min(most, first * 2.0 ** min(self._failures, 20)) * self._rng.uniform(0.5, 1.0)
        return max(delay, asked or 0.0)


def read_window(api: API, window: Window) -> Found:
    """Read what changed in a window: first what runs, then what has ended, then child orders.

    In this order, an order that ends meanwhile is in the second list.  Never raises: a list that
    can't be read does not keep the others from it, and the first failure is in the result.
    """
    master_orders: list[str] = []
    orders: list[str] = []
    # The window was measured by this machine's clock, and the venue compares with its own.
    offset = api.clock_offset()
    since = _moment(window.since) + timedelta(seconds=offset - OVERLAP)
    until = _moment(window.until) + timedelta(seconds=offset + OVERLAP)
    lists: list[tuple[str, Iterator[Page], list[str]]] = [
        (
            "running master orders",
            api.master_order_pages(max_pages=MAX_PAGES, status="NEW"),
            master_orders,
        ),
        (
            "ended master orders",
            api.master_order_pages(
                max_pages=MAX_PAGES,
                status="COMPLETED",
                start_time=since - timedelta(seconds=MASTER_ORDER_LIFE),
                end_time=until,
            ),
            master_orders,
        ),
        (
            "order fills",
            api.order_fill_pages(
                max_pages=MAX_PAGES,
                start_time=since - timedelta(seconds=ORDER_LIFE),
                end_time=until,
            ),
            orders,
        ),
    ]
    failure: Exception | None = None
    failed = ""
    beyond: list[str] = []
    short: list[str] = []
    for where, pages, texts in lists:
        try:
            for page in pages:
                texts += _changed(page, since)
        except IncompleteList as cut:
            (beyond if cut.too_long else short).append(where)
        # Whatever it was, the rest of the program goes on, and what was read is not lost.
        except Exception as error:  # noqa: BLE001
            if failure is None:
                failure, failed = error, where
            if isinstance(error, RestError) and error.status_code in LEAVE_ALONE:
                break
    return Found(
        window,
        master_orders,
        orders,
        failure,
        failed,
        beyond=" and of ".join(beyond),
        short=" and ".join(short),
    )


def _changed(page: Page, since: datetime) -> list[str]:
    """The texts of what changed since then, or may have."""
    earliest = since.timestamp() * 1000
    return [text for text in page.raw if (_updated_ms(text) or earliest) >= earliest]


def _updated_ms(text: str) -> int:
    """Epoch ms; 0 where the venue did not say, or in a way that can't be read."""
    try:
        return epoch_ms(plain(fields(text).get("updatedAt", "")))
    except ValueError:
        return 0


def _moment(ns: int) -> datetime:
    return datetime.fromtimestamp(ns / 1e9, UTC)


def _words(failure: Exception) -> str:
    # Anything else than our own errors may hold a secret in its text.
    return str(failure) if isinstance(failure, Error) else type(failure).__name__
