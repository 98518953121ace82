"""The program's logger, whose handlers and filters may raise."""

from __future__ import annotations

import logging
import sys
import threading
from typing import Any

__all__ = ["SafeLogger"]


class SafeLogger(logging.LoggerAdapter[Any]):
    """A logger that never raises: with a line of the log a thread of the service would end.

    `logging` hides only what a handler's own `handleError` sees.  A filter with a fault, or a
    handler that sends lines to a chat that can't be reached, raises where the line was written.
    """

    def log(self, level: int, msg: object, *args: Any, **options: Any) -> None:
        try:
            self.logger.log(level, msg, *args, **options)
        # SystemExit, too: in a thread of ours it would end nothing but the service.
        except BaseException as error:
            ours = threading.current_thread() is not threading.main_thread()
            if not (ours or isinstance(error, Exception)):
                raise  # Ctrl-C
            _say(error)


def _say(error: BaseException) -> None:
    """As `logging` does with what a handler raises, if in one line."""
    if logging.raiseExceptions and sys.stderr is not None:
        try:
            sys.stderr.write(f"qehost: a line could not be logged: {error!r}\n")
        except Exception:  # noqa: BLE001 - nobody is left to tell, and nothing depends on it
            return
