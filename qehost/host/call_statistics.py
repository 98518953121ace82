"""What the calls of each plugin took and how many raised; what is slow or fails goes to the log,
once and then counted."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from qehost.errors import HookError
from qehost.events.plural import format_count
from qehost.host.latency_histogram import BUCKETS, bucket, summarize
from qehost.processes.log_throttle import LogThrottle
from qehost.storage.status import PluginStatistics

__all__ = ["CallStatistics"]

logger = logging.getLogger("qehost.host")


class CallStatistics:
    """`plugins` are their names, by their numbers; a call is slow from `slow_call` seconds on."""

    def __init__(self, plugins: Sequence[str], slow_call: float) -> None:
        self._plugins = plugins
        self._slow = int(slow_call * 1e9)
        self._errors = [0] * len(plugins)
        self._slowest = [0] * len(plugins)
        self._suspended = [0] * len(plugins)
        self.histograms = [[0] * BUCKETS for _ in plugins]
        """By plugin; the dispatcher counts short calls there itself."""
        self._failing: LogThrottle[tuple[str, str, str]] = LogThrottle()
        self._slowing: LogThrottle[tuple[str, str]] = LogThrottle()

    def note_long(self, plugin: int, hook: str, took: int) -> None:
        """A call that was not short took so many nanoseconds."""
        self.histograms[plugin][bucket(took)] += 1
        self._slowest[plugin] = max(took, self._slowest[plugin])
        self.note_slow(plugin, hook, took)

    def note_slow(self, plugin: int, hook: str, took: int) -> None:
        """For so many nanoseconds nothing else was done in the process."""
        # Opening and closing connections and files may take longer.
        if took > self._slow and hook not in ("on_start", "on_stop"):
            key = self._plugins[plugin], hook
            if self._slowing.allow(key, time.monotonic()):
                logger.warning(
                    "plugin %s: %s took %.3f s, and %s",
                    *key,
                    took / 1e9,
                    'the plugins in its process waited; process = "NAME" in its settings gives it '
                    "a process of its own"
                    if len(self._plugins) > 1
                    else "its next events waited",
                )

    def note_suspended(self, plugin: int) -> None:
        """A call goes on in the plugin's lane, and is made again when it has ended: it is one."""
        self._suspended[plugin] += 1

    def note_failure(self, plugin: int, failure: HookError, error: BaseException) -> None:
        """A call has raised."""
        self._errors[plugin] += 1
        key = failure.plugin, failure.hook, type(error).__name__
        if self._failing.allow(key, time.monotonic()):
            logger.error("%s", failure, exc_info=error)

    def log_repeats(self, *, all_of_them: bool = False) -> None:
        """What happened again since it was logged: to be called once a second, and at the end."""
        if all_of_them:
            self._log_repeats(self._failing.remaining(), self._slowing.remaining())
        else:
            clock = time.monotonic()
            self._log_repeats(self._failing.due(clock), self._slowing.due(clock))

    def of(self, plugin: int, *, active: bool) -> PluginStatistics:
        found = summarize(
            self._plugins[plugin],
            self.histograms[plugin],
            self._slowest[plugin],
            self._errors[plugin],
            active,
        )
        if suspended := self._suspended[plugin]:
            return replace(found, calls=max(0, found.calls - suspended))
        return found

    @staticmethod
    def _log_repeats(
        failing: Iterable[tuple[tuple[str, str, str], int]],
        slowing: Iterable[tuple[tuple[str, str], int]],
    ) -> None:
        for (plugin, hook, error), count in failing:
            more = format_count(count, "more time")
            logger.error("plugin %s: %s raised %s %s", plugin, hook, error, more)
        for (plugin, hook), count in slowing:
            more = format_count(count, "more time")
            logger.warning("plugin %s: %s was slow %s", plugin, hook, more)
