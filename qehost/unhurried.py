"""Text output that nobody waits for.

A terminal stands still at Ctrl-S or while somebody selects text, a pipe when its reader does, and
whoever writes to it then waits.  A connection process that waits so answers no pings, and others
share its terminal: the plugins may have filled it.
"""

from __future__ import annotations

import atexit
import os
import queue
import threading
import time
from typing import TextIO

__all__ = ["Unhurried"]

FAREWELL = 1.0
"""Seconds that the end of the process may be held up by what is still to be written."""


class Unhurried:
    """Writes to `target` from a thread of its own; holds `limit` texts at most, then drops them."""

    def __init__(self, target: TextIO, limit: int = 1000) -> None:
        self._fd = target.fileno()
        self._texts: queue.Queue[str] = queue.Queue(limit)
        self._dropped = 0
        threading.Thread(target=self._run, name="qehost-log", daemon=True).start()
        atexit.register(self._drain)

    def write(self, text: str) -> None:
        """Returns at once."""
        try:
            self._texts.put_nowait(text)
        except queue.Full:
            self._dropped += 1

    def flush(self) -> None:
        """Nothing: each text is flushed when it is written."""

    def _run(self) -> None:
        while True:
            text = self._texts.get()
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                text += f"{dropped} log lines were dropped: nobody read them\n"
            try:
                # Not through the file object: a thread that hangs in there holds a lock that the
                # end of the interpreter wants.
                data = memoryview(text.encode("utf-8", "backslashreplace"))
                while data:
                    data = data[os.write(self._fd, data) :]
            except OSError:
                pass  # nobody is there to read it
            finally:
                self._texts.task_done()

    def _drain(self) -> None:
        deadline = time.monotonic() + FAREWELL
        while self._texts.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(0.005)
