"""Writes the failures of plugins as dead letters, and reads those that are to be delivered again.

It never raises.  What it can't write it keeps, and says so: the plugin gets no more events until it
is written, and its position stays before them.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections import Counter
from collections.abc import Callable, Collection, Set
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

from qehost.errors import JournalError
from qehost.events.codec import encode_events
from qehost.events.plural import format_count
from qehost.host.descriptor_reserve import DescriptorReserve
from qehost.messages import Event
from qehost.secret import redact
from qehost.storage.dead_letters import DeadLetter, DeadLetters

__all__ = ["DeadLetterWriter"]

log = logging.getLogger("qehost.host")

RETRY_EVERY = 5.0
"""Seconds after a failure until the file is tried again."""
REMIND = 60.0
"""Seconds between two log lines about it."""
BUSY_TIMEOUT = 0.5
"""Seconds to wait while another process writes: the plugins wait, too."""
NO_PLUGINS: Set[str] = frozenset()

Result = TypeVar("Result")


class _Failure(NamedTuple):
    plugin: str
    hook: str
    account: str
    seq: int
    event: bytes
    detail: str


class DeadLetterWriter:
    """For one host process, `process`; `path` is `StateFolder.dead_letters_file`.

    The file is open from the start: a plugin may use up all descriptors later, or fill the disk.
    """

    def __init__(self, process: str, path: Path) -> None:
        self._process = process
        self._path = path
        self._letters: DeadLetters | None = None
        self._file: tuple[int, int] | None = None
        self._waiting: list[_Failure] = []
        self._dropped: Counter[str] = Counter()
        self._retry_at = self._remind_at = 0.0
        # An exception in on_batch is noted once for each event.
        self._last: tuple[BaseException, str] | None = None
        self.reserve = DescriptorReserve()
        self.problem = ""
        """Why the failures that wait could not be written."""
        self._try(lambda letters: None)

    def note(self, plugin: str, hook: str, event: Event | None, error: BaseException) -> None:
        """Keep the failure of a hook.  Without an event there is nothing to deliver again."""
        if event is None:
            return
        if self._last is None or self._last[0] is not error:
            self._last = error, _traceback(error)
        self._waiting.append(
            _Failure(plugin, hook, event.account, event.seq, encode_events([event]), self._last[1])
        )

    def write(self) -> Set[str]:
        """Write the failures, before the cursor moves past those events.

        Returns the plugins of those that can't be written now; they are kept for the next time.
        """
        self._last = None
        if not self._waiting:
            return NO_PLUGINS
        if self._try(self._write_all) is not None:
            self._waiting.clear()
        return {failure.plugin for failure in self._waiting}

    def _write_all(self, letters: DeadLetters) -> bool:
        dropped: Counter[str] = Counter()
        with letters.together():
            for failure in self._waiting:
                kept = letters.add(
                    account=failure.account,
                    plugin=failure.plugin,
                    process=self._process,
                    seq=failure.seq,
                    hook=failure.hook,
                    cause="raised",
                    detail=failure.detail,
                    event=failure.event,
                )
                if not kept:
                    dropped[failure.plugin] += 1
        self._dropped += dropped
        return True

    def dropped(self) -> dict[str, int]:
        """The failures for which there was no room since the last time, by plugin."""
        dropped, self._dropped = self._dropped, Counter()
        return dict(dropped)

    def take(self, plugins: Collection[str]) -> DeadLetter | None:
        """The next letter that is to be delivered again to one of these plugins.

        One at a time: if the process dies of it, the others are still delivered later.
        """
        found = self._try(lambda letters: letters.take(plugins, limit=1)) if plugins else None
        return found[0] if found else None

    def delivered(self, letter: DeadLetter) -> None:
        self._try(lambda letters: letters.delivered(letter.id))

    def put_back(self, letter: DeadLetter) -> None:
        """It is to be taken once more."""
        self._try(lambda letters: letters.mark([letter.id]))

    def quarantined(self, account: str, after_seq: int) -> dict[int, set[str]]:
        """The events that killed a process: `seq` → the plugins that don't get them again."""
        found: dict[int, set[str]] = {}
        for plugin, seq in self._try(lambda x: x.quarantined(account, after_seq)) or ():
            found.setdefault(seq, set()).add(plugin)
        return found

    def close(self) -> None:
        self._retry_at = 0.0
        if self.write():
            log.error(
                "%s of plugins could not be recorded. Their events come again at the next start, "
                "marked as redelivered",
                format_count(len(self._waiting), "failure"),
            )
        self._close()
        self.reserve.close()

    def _try(self, action: Callable[[DeadLetters], Result]) -> Result | None:
        """What it returns; None where it failed, or failed a moment ago."""
        if time.monotonic() < self._retry_at:
            return None
        try:
            try:
                return action(self._opened())
            except JournalError:
                with self.reserve.lent():
                    return action(self._opened())
        except JournalError as error:
            now = time.monotonic()
            if str(error) != self.problem or now >= self._remind_at:
                log.error("%s; trying again every %g seconds", error, RETRY_EVERY)
                self._remind_at = now + REMIND
            self.problem = str(error)
            self._retry_at = now + RETRY_EVERY
            # When it is opened again, a damaged file is set aside.
            self._close()
            return None

    def _opened(self) -> DeadLetters:
        if self._letters is not None and _file(self._path) != self._file:
            self._close()  # it was deleted
        if self._letters is None:
            self._letters = DeadLetters(self._path, busy_timeout=BUSY_TIMEOUT)
            self._file = _file(self._path)
        return self._letters

    def _close(self) -> None:
        if self._letters is not None:
            with suppress(JournalError):
                self._letters.close()
            self._letters = None


def _file(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _traceback(error: BaseException) -> str:
    try:
        return redact("".join(traceback.format_exception(error)))
    except BaseException:  # noqa: BLE001 — the exception is the plugin's, and so is its __str__
        return type(error).__name__
