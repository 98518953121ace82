"""Watches the hook calls of a host process, by what it records, and ends one that hangs."""

from __future__ import annotations

import logging
from typing import Literal, NamedTuple

from qehost.storage.progress import HookCall
from qehost.supervisor.children import HostChild
from qehost.supervisor.crash_report import about_event, where

__all__ = ["CallTimer", "Overdue", "Watchdog"]

log = logging.getLogger("qehost.supervisor")

SLOW_START = 10.0
"""Seconds that importing a plugin, on_start and on_stop may take before they count as slow."""
REPEAT_AFTER = 30.0
"""Seconds between two reports of one plugin and hook, at the least."""
LONGEST_STEP = 5.0
"""Seconds that one look adds to a call's time at most: the plugin is not to blame for time in which
the supervisor or the whole machine stood still."""
SHORTEST_SILENCE = 5.0
"""Seconds.  A host process sends a status each second; a shorter silence proves nothing."""


class Overdue(NamedTuple):
    """`slow`: this call has been going on for `took` seconds; `hung`: it has had its time."""

    what: Literal["slow", "hung"]
    call: HookCall
    took: float


class CallTimer:
    """Which calls of a host process take too long.  No I/O; the clock is passed in.

    A call is reported when it takes longer than `slow` seconds, then again each time it has taken
    twice as long; `hang` is how long it may take at all (0: for ever).
    """

    def __init__(self, slow: float, hang: float) -> None:
        self._slow = slow
        self._hang = hang
        self._call: HookCall | None = None
        self._seen = 0.0
        self._looked_at = 0.0
        self._report_at = 0.0
        self._reported: dict[tuple[str, str], float] = {}

    def look(self, call: HookCall | None, now: float) -> Overdue | None:
        """To be called about once a second.  `call` is the one that is going on; `now` is on the
        monotonic clock."""
        step, self._looked_at = min(now - self._looked_at, LONGEST_STEP), now
        if call is None:
            self._call = None
            return None
        took = now - call.since
        if call != self._call:
            self._call = call
            self._seen = min(took, LONGEST_STEP)
            self._report_at = self._first_report(call, now)
        else:
            self._seen += step
        if self._hang and self._seen >= self._hang:
            return Overdue("hung", call, took)
        if took < self._report_at:
            return None
        self._report_at = 2 * took
        self._reported[call.plugin, call.hook] = now
        return Overdue("slow", call, took)

    def _first_report(self, call: HookCall, now: float) -> float:
        """How long a call may take until it is reported."""
        after = self._slow
        if call.hook in ("import", "on_start", "on_stop"):
            after = max(after, SLOW_START)
        reported = self._reported.get((call.plugin, call.hook))
        # A plugin that is slow at each event is not reported for each.
        return after if reported is None else max(after, reported + REPEAT_AFTER - now)


class Watchdog:
    """For one host process, over all its restarts."""

    def __init__(self, host: HostChild) -> None:
        limits = host.task.host
        self._host = host
        self._timer = CallTimer(limits.slow_call, limits.hang_timeout)
        self._hang = limits.hang_timeout

    def look(self, now: float) -> HookCall | None:
        """The call that is going on.  A slow one is reported; a process that hangs is killed.

        To be called once a second.
        """
        call = self._current()
        self._end_silence(call)
        overdue = self._timer.look(call, now)
        if overdue is None or call is None:
            return call
        if overdue.what == "slow":
            log.warning(
                "plugin %s: %s%s has been running for %.1f s, and %s",
                call.plugin,
                call.hook,
                about_event(call),
                overdue.took,
                "the plugins in its process wait"
                if len(self._host.task.wanted) > 1
                else "its next events wait",
            )
        elif not self._host.hung:
            log.error(
                "plugin %s: %s%s did not return within %.1f s (host.hang_timeout): "
                "killing its process",
                call.plugin,
                call.hook,
                about_event(call),
                overdue.took,
            )
            self._host.hung = True
            self._host.kill()
        return call

    def _end_silence(self, call: HookCall | None) -> None:
        """Kill a process that sends nothing and is in no call."""
        host = self._host
        if not host.ready or call is not None:
            host.silent_for = 0.0
        elif self._hang and host.silent_for >= max(self._hang, SHORTEST_SILENCE):
            log.error(
                "the %s has not said anything for %d s, and is in no call (host.hang_timeout): "
                "killing it. It was stopped by a signal, or a thread of one of its plugins holds "
                "Python's interpreter lock: %s",
                host,
                host.silent_for,
                ", ".join(host.plugins),
            )
            host.kill()

    def doing(self) -> str:
        """`, in on_order of plugin audit with event 7 of account main`, or ""."""
        return where(self._current())

    def _current(self) -> HookCall | None:
        return self._host.call() if self._host.running else None
