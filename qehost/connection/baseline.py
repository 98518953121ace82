"""How an account's orders stood before its stream is listened to for the first time.

What was filled by then is no fill.  So before the stream is opened, what runs is read over REST:
the master orders, and those of their child orders that may go on.
"""

from __future__ import annotations

import contextlib
import logging
import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

from qehost.connection.background import BackgroundCalls
from qehost.connection.catch_up import FAILED, REJECTED
from qehost.connection.handover import Handover
from qehost.connection.order_names import name_some
from qehost.connection.rest_failure import delay_after, words_of
from qehost.errors import Error, GapError, IncompleteList, TransportError
from qehost.events.codec import Record
from qehost.events.pipeline import Pipeline
from qehost.events.readings import Reading
from qehost.events.states import FINAL
from qehost.network.backoff import Backoff
from qehost.rest import API

__all__ = ["Baseline", "BaselineResult", "read_baseline"]

log = logging.getLogger("qehost.connection")

MOST_PAGES = 60
NEVER = float("inf")
UNKNOWN = (
    "how the orders stood before the stream was opened could not be read yet, so what was filled "
    "of them by then may be unknown"
)


class BaselineResult(NamedTuple):
    """The JSON texts of the venue's V2 objects.  `not_read` are the running master orders whose
    child orders were not all read.

    `asked_at` is the venue's time in epoch s, by a clock that was corrected by `jumped` until then
    and may be wrong by `inexact`.
    """

    asked_at: float
    jumped: float
    inexact: float
    master_orders: list[str]
    orders: list[str]
    not_read: list[str]


def read_baseline(api: API) -> BaselineResult:
    """Read it, in `MOST_PAGES` pages at most.  Runs in a thread; to end it, close the API.

    Raises what a call raises.
    """
    clock = api.venue_clock
    # Where that fails, so will the lists.
    with contextlib.suppress(Error):
        clock.measure()
    asked_at, jumped, inexact = clock.now(), clock.jumped, clock.inexact
    left = MOST_PAGES
    texts: list[str] = []
    running: list[str] = []
    not_read: list[str] = []
    try:
        for page in api.master_order_pages(status="NEW", max_pages=left):
            left -= 1
            texts += page.raw
            running += [str(item.get("masterOrderId") or "") for item in page.items]
    except IncompleteList:
        not_read.append("further ones")
    orders: list[str] = []
    for master_id in filter(None, running):
        if left <= 0:
            not_read.append(master_id)
            continue
        try:
            for page in api.order_fill_pages(masterOrderId=master_id, max_pages=left):
                left -= 1
                open_ = [str(item.get("status")) not in FINAL for item in page.items]
                orders += [text for text, is_open in zip(page.raw, open_, strict=True) if is_open]
                # The newest come first; an older one is open less and less often.
                if not any(open_):
                    break
        except IncompleteList:
            not_read.append(master_id)
    return BaselineResult(asked_at, jumped, inexact, texts, orders, not_read)


class Baseline:
    """Reads it, as often as it takes, and hands it on.  `tell` takes an error for `on_error`.

    Times are seconds on the monotonic clock.
    """

    def __init__(
        self,
        api: API,
        pipeline: Pipeline,
        emit: Callable[[Sequence[Record]], None],
        tell: Callable[[GapError | None], None],
        background: BackgroundCalls,
        now: float,
    ) -> None:
        self.asked_at = 0
        """Plugins know how the orders stood at this time of the venue, epoch ns; 0: they don't."""
        self.inexact_by = 0
        """ns by which it may have been later: the venue's clock is only known so exactly, or what
        is known of it was corrected."""
        self._api = api
        self._pipeline = pipeline
        self._emit = emit
        self._tell = tell
        self._background = background
        self._ask_at = now
        self._failures = Backoff(FAILED, random.Random())
        self._found: tuple[BaselineResult, Handover] | None = None
        self._failure: Exception | None = None
        self._why = "it takes longer than usual"
        self._was_out_of_reach = False
        self._is_late = False

    def next_deadline(self) -> float:
        """When `keep_time` should be called at the latest."""
        return 0.0 if self._found or self._failure else self._ask_at

    def keep_time(self, now: float) -> bool:
        """Do what is due; True: everything has just been handed on."""
        if self._failure is not None:
            self._again(self._failure, now)
        if self._found is not None:
            found, handover = self._found
            if handover.step(self._pipeline, self._emit):
                self._found = None
                self._done(found)
                return True
        elif now >= self._ask_at:
            self._ask_at = NEVER
            self._ask(self._pipeline.reading(is_baseline=True))
        return False

    def opened(self, now: float) -> None:
        """The stream is open, and plugins don't know how the orders stood."""
        self._is_late = True
        if self._was_out_of_reach and self._ask_at < NEVER:
            self._ask_at = now  # the venue is back, and may have been away for long
        self._tell(GapError(f"{UNKNOWN} ({self._why}); it is read later"))

    def _ask(self, reading: Reading) -> None:
        def read() -> tuple[BaselineResult, Handover]:
            found = read_baseline(self._api)
            measured = reading.measured(0, int(found.asked_at * 1e9))
            return found, Handover(found.master_orders, found.orders, measured)

        self._background.run("baseline", read, self._take, self._fail)

    def _take(self, found: tuple[BaselineResult, Handover]) -> None:
        self._found = found

    def _fail(self, error: Exception) -> None:
        self._failure = error

    def _again(self, error: Exception, now: float) -> None:
        self._failure = None
        delay = delay_after(error, self._failures, FAILED, REJECTED)
        self._ask_at = now + delay
        self._was_out_of_reach = isinstance(error, TransportError)
        self._why = words_of(error).rstrip(".")
        text = f"{UNKNOWN} ({self._why}); it is tried again in {delay:.0f} s"
        if self._is_late:
            self._tell(GapError(text))
        else:
            log.warning("%s", text)

    def _done(self, found: BaselineResult) -> None:
        off_by = self._api.venue_clock.jumped - found.jumped + found.inexact
        self.asked_at = int((found.asked_at - off_by) * 1e9)
        self.inexact_by = int(2 * off_by * 1e9)
        if found.not_read:
            self._tell(
                GapError(
                    "how the child orders stood before the stream was opened was not read of all "
                    f"running master orders, because there are too many: "
                    f"{name_some(found.not_read)}; look at the venue's own history"
                )
            )
