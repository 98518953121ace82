"""Execution quality in the log: of the day so far at an interval, and at the end.

It has no hook that is called with events.  The figures are made from the journal, by a thread that
works through what came since the last time, so an event costs the host nothing for this plugin, and
a start in the afternoon tells the whole day.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from qehost.errors import Error

from qehost_stats import settings
from qehost_stats.figures import OrderFigures
from qehost_stats.lines import summary
from qehost_stats.reading import Reader

if TYPE_CHECKING:
    from qehost.hookspecs import Context

__all__ = ["Stats"]

AT_THE_END = 3.0
"""Seconds that `on_stop` reads for at most: all plugins together have ten."""
_DAY = 86_400


class Stats:
    """Tells how well master orders were worked."""

    Config = settings.Config

    def __init__(self, config: settings.Config) -> None:
        self._config = config
        self._stopped = threading.Event()
        self._due = threading.Event()
        self._thread: threading.Thread | None = None
        self._readers: dict[str, Reader] = {}
        self._day = 0
        self._next = 0.0

    def on_start(self, context: Context) -> None:
        self._context = context
        if not self._config.every:
            return
        self._next = time.time() + self._config.every
        self._thread = threading.Thread(target=self._work, name="qehost-stats", daemon=True)
        self._thread.start()

    def on_tick(self, now: float) -> None:
        if self._config.every and now >= self._next:
            self._next = now + self._config.every
            self._due.set()

    def on_stop(self, reason: str) -> None:
        until = time.monotonic() + AT_THE_END
        self._stopped.set()
        self._due.set()
        if self._thread is not None:
            self._thread.join(AT_THE_END)
            if self._thread.is_alive():
                return
        if self._config.at_end:
            self._tell(until, is_last=True)

    # --- in the thread ----------------------------------------------------------------------------

    def _work(self) -> None:
        while True:
            self._due.wait()
            self._due.clear()
            if self._stopped.is_set():
                return
            self._tell(float("inf"))

    def _tell(self, until: float, *, is_last: bool = False) -> None:
        """Read what came since the last time, and write the lines; by `until` (monotonic) what was
        read by then."""
        logger = self._context.logger
        now = time.time()
        day = int(now) // _DAY * _DAY
        if day != self._day:
            self._readers, self._day = {}, day
        orders: list[OrderFigures] = []
        behind = 0
        for account in self._context.accounts:
            try:
                is_whole = self._read(account, until, is_last)
            except (Error, OSError) as error:
                self._context.problem(account, f"the journal can't be read: {error}")
                continue
            if is_whole is None:
                return
            self._context.problem(account, "")
            reader = self._readers[account]
            if not is_whole:
                behind = min(behind or reader.as_of, reader.as_of)
            orders += reader.orders()
        begun = datetime.fromtimestamp(self._day, UTC).strftime("%Y-%m-%d")
        for line in summary(orders, begun, behind):
            logger.info("%s", line)

    def _read(self, account: str, until: float, is_last: bool) -> bool | None:
        """Whether it was read to the end; None where the plugin was stopped meanwhile."""
        reader = self._readers.get(account)
        if reader is None:
            reader = self._readers[account] = Reader(self._day * 1000)
            history = self._context.history(account, since=float(self._day))
        else:
            history = self._context.history(account, after_seq=reader.seq)
        begun = time.monotonic()
        for _ in reader.feed(history):
            if self._stopped.is_set() and not is_last:
                return None
            now = time.monotonic()
            if now > until:
                return False
            if not is_last:
                # Not more than half of the interpreter's time: hooks of other plugins want it, too.
                self._stopped.wait(now - begun)
            begun = time.monotonic()
        return True
