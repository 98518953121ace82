"""The loggers of a child process: no line of the log raises where it is written, and qehost's own
lines come out as they should, whatever a plugin does to the logging.

`logging` hides only what a handler's own `handleError` sees.  A plugin's handler on the root logger
that sends lines to a chat which can't be reached, or a filter with a fault, raises where the line
was written: in our loops, and in the hooks of other plugins, which would get the blame.

A plugin may also set up the logging of its process: `basicConfig(force=True)` takes our handler
from the root logger, `dictConfig` switches all loggers off that it does not name, `logging.disable`
all there are.  That is for the plugin's loggers; those of qehost do not depend on it.
"""

from __future__ import annotations

import logging
import sys
import time
from typing import Any, ClassVar

__all__ = ["GuardedLogger"]

OWN = "qehost"
REMIND = 30.0
"""Seconds between two lines about it."""


class GuardedLogger(logging.Logger):
    """To be set by `logging.setLoggerClass` before any logger of the process is made."""

    output: ClassVar[logging.Handler | None] = None
    """Where qehost's own lines go, and to handlers on the logger `qehost` and those below it, but
    not to those on the root logger."""
    _told_at = -REMIND

    def __init__(self, name: str, level: int = logging.NOTSET) -> None:
        super().__init__(name, level)
        self._is_own = name == OWN or name.startswith(f"{OWN}.")

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - the standard library's name
        if self._is_own:
            return level >= self.getEffectiveLevel()
        return super().isEnabledFor(level)

    def handle(self, record: logging.LogRecord) -> None:
        try:
            if self._is_own and self.output is not None:
                self._handle_own(record, self.output)
            else:
                super().handle(record)
        # SystemExit, too.  Ctrl-C can't be it: children ignore SIGINT.
        except BaseException as error:  # noqa: BLE001
            _tell(error)

    def _handle_own(self, record: logging.LogRecord, output: logging.Handler) -> None:
        found: Any = self.filter(record)
        if not found:
            return
        if isinstance(found, logging.LogRecord):  # from Python 3.12 on a filter may replace it
            record = found
        output.handle(record)
        logger: logging.Logger | None = self
        while logger is not None and logger is not self.root:
            for handler in logger.handlers:
                if record.levelno >= handler.level:
                    handler.handle(record)
            logger = logger.parent if logger.propagate else None


def _tell(error: BaseException) -> None:
    now = time.monotonic()
    if sys.stderr is None or now < GuardedLogger._told_at + REMIND:
        return
    GuardedLogger._told_at = now
    try:
        sys.stderr.write(f"qehost: a line could not be logged: {error!r}\n")
    except BaseException:  # noqa: BLE001 — there is no other place to report it
        return
