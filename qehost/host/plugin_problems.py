"""What plugins say is wrong with their work, until they say that it is over."""

from __future__ import annotations

import logging
import threading
import time

from qehost.secret import redact
from qehost.storage.status import PluginProblem

__all__ = ["PluginProblems"]

LONGEST_KEY = 100
LONGEST_TEXT = 1000
MOST = 50
"""Problems of one plugin: the status is written once a second."""


class PluginProblems:
    """The problems of the plugins of one process.  Any thread may call it."""

    def __init__(self) -> None:
        self._problems: dict[tuple[str, str], PluginProblem] = {}
        self._lock = threading.Lock()

    def note(self, plugin: str, key: str, text: str) -> None:
        """There is this problem, or with `""` there is none of this key any more."""
        name = plugin, redact(str(key))[:LONGEST_KEY]
        text = redact(str(text))[:LONGEST_TEXT]
        log = logging.getLogger(f"qehost.plugin.{plugin}")
        with self._lock:
            before = self._problems.get(name)
            if text == (before.text if before is not None else ""):
                return
            if not text:
                del self._problems[name]
            else:
                since = before.since if before is not None else time.time()
                self._problems[name] = PluginProblem(*name, text, since)
                own = [each for each in self._problems if each[0] == plugin]
                if len(own) > MOST:
                    del self._problems[own[0]]
        if text:
            log.warning("%s: %s", name[1], text)
        else:
            log.info("%s: no longer a problem", name[1])

    def all(self) -> list[PluginProblem]:
        """The oldest first."""
        with self._lock:
            return list(self._problems.values())
