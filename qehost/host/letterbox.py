"""Between the dispatcher and the dead letters: what plugins could not take goes in, what the user
wants delivered again comes out.

Nothing here raises: a full disk costs the record of a failure, not the events of other plugins.
"""

from __future__ import annotations

import logging
import os
import time
import traceback
from collections import deque
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from qehost.errors import JournalError
from qehost.host.dead_letters import DeadLetter, DeadLetters
from qehost.messages import Event
from qehost.records import encode_events

__all__ = ["LetterBox"]

log = logging.getLogger("qehost.host")

LIMIT = 1_000
"""Failures that wait to be written, at most: they only wait while that is not possible."""
RETRY_EVERY = 5.0
# Seconds that another process's write is waited for: the plugins wait, too.
BUSY = 0.5


class _Failure(NamedTuple):
    plugin: str
    hook: str
    account: str
    seq: int
    event: bytes
    detail: str


class LetterBox:
    """For one host process, `process`; `path` is `StateFolder.dead_letters_file`."""

    def __init__(self, process: str, path: Path) -> None:
        self._process = process
        self._path = path
        self._letters: DeadLetters | None = None
        self._waiting: deque[_Failure] = deque()
        self._lost = 0
        self._retry_at = 0.0
        # A raise in on_batch is told once for each event.
        self._last: tuple[BaseException, str] | None = None

    def note(self, plugin: str, hook: str, event: Event | None, error: BaseException) -> None:
        """A hook raised.  Outside of any event there is nothing to deliver again."""
        if event is None:
            return
        if len(self._waiting) >= LIMIT:
            self._lost += 1
            return
        if self._last is None or self._last[0] is not error:
            self._last = error, _traceback(error)
        self._waiting.append(
            _Failure(plugin, hook, event.account, event.seq, encode_events([event]), self._last[1])
        )

    def write(self) -> None:
        """Write what was noted; to be called before the cursor moves past those events."""
        self._last = None
        if not self._waiting or time.monotonic() < self._retry_at:
            return
        try:
            letters = self._opened()
            while self._waiting:
                found = self._waiting[0]
                letters.add(
                    account=found.account,
                    plugin=found.plugin,
                    process=self._process,
                    seq=found.seq,
                    hook=found.hook,
                    cause="raised",
                    detail=found.detail,
                    event=found.event,
                )
                self._waiting.popleft()
        except JournalError as error:
            self._failed(error)
        if self._lost and not self._waiting:
            log.error(
                "%d failures of plugins were not recorded as dead letters, since those could not "
                "be written",
                self._lost,
            )
            self._lost = 0

    def take(self, plugins: Collection[str]) -> DeadLetter | None:
        """The next letter that one of these plugins is to get again.

        One at a time: should the process die of it, the others are still to be delivered.
        """
        if not os.path.exists(self._path) or time.monotonic() < self._retry_at:
            return None
        try:
            return next(iter(self._opened().take(plugins, limit=1)), None)
        except JournalError as error:
            self._failed(error)
            return None

    def delivered(self, letter: DeadLetter) -> None:
        try:
            self._opened().delivered(letter.id)
        except JournalError as error:
            self._failed(error)

    def quarantined(self, account: str, after_seq: int) -> dict[int, set[str]]:
        """The events that killed a process: `seq` → the plugins that they pass over."""
        found: dict[int, set[str]] = {}
        if os.path.exists(self._path):
            try:
                for plugin, seq in self._opened().quarantined(account, after_seq):
                    found.setdefault(seq, set()).add(plugin)
            except JournalError as error:
                self._failed(error)
        return found

    def close(self) -> None:
        self.write()
        if self._waiting:
            log.error("%d failures of plugins could not be recorded", len(self._waiting))
        if self._letters is not None:
            self._letters.close()

    def _opened(self) -> DeadLetters:
        if self._letters is None:
            self._letters = DeadLetters(self._path, busy_timeout=BUSY)
        return self._letters

    def _failed(self, error: JournalError) -> None:
        log.error("%s; trying again in %g seconds", error, RETRY_EVERY)
        self._retry_at = time.monotonic() + RETRY_EVERY
        # Opened anew, a damaged file is set aside.
        if self._letters is not None:
            self._letters.close()
            self._letters = None


def _traceback(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error))
    except BaseException:  # noqa: BLE001 — the exception is the plugin's, and so is its __str__
        return type(error).__name__
