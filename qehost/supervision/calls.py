"""A hook call that does not end: when to say so, and when it is over for its process.

No I/O; what is going on and the clock are passed in.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from qehost.host.cursors import Call

__all__ = ["CallWatch", "Finding"]

# Opening and closing may take their time (seconds).
PATIENCE_AT_START = 10.0
# Between two words about one plugin and hook, at the least (seconds).
QUIET = 30.0
# What one look adds to a call's time at most: if nobody looked, because the whole machine or the
# supervisor stood still, the plugin is not to blame.
LONGEST_STEP = 5.0


class Finding(NamedTuple):
    """`slow`: this call goes on for `took` seconds already; `hung`: it has had its time."""

    what: Literal["slow", "hung"]
    call: Call
    took: float


class CallWatch:
    """Looks at one host process, about once a second.

    A call is told when it takes longer than `slow` seconds, then again each time it has taken twice
    as long; `hang` is how long it may take at all (0: for ever).
    """

    def __init__(self, slow: float, hang: float) -> None:
        self._slow = slow
        self._hang = hang
        self._call: Call | None = None
        self._seen = 0.0
        self._looked_at = 0.0
        self._tell_at = 0.0
        self._told: dict[tuple[str, str], float] = {}

    def look(self, call: Call | None, now: float) -> Finding | None:
        """`call` is the one that is going on; `now` is on the monotonic clock."""
        step, self._looked_at = min(now - self._looked_at, LONGEST_STEP), now
        if call is None:
            self._call = None
            return None
        took = now - call.since
        if call != self._call:
            self._call = call
            self._seen = min(took, LONGEST_STEP)
            self._tell_at = self._first_word(call, now)
        else:
            self._seen += step
        if self._hang and self._seen >= self._hang:
            return Finding("hung", call, took)
        if took < self._tell_at:
            return None
        self._tell_at = 2 * took
        self._told[call.plugin, call.hook] = now
        return Finding("slow", call, took)

    def _first_word(self, call: Call, now: float) -> float:
        """How long a call may take until it is told."""
        at = self._slow
        if call.hook in ("import", "on_start", "on_stop"):
            at = max(at, PATIENCE_AT_START)
        told = self._told.get((call.plugin, call.hook))
        # A plugin that is slow at each event has been told already.
        return at if told is None else max(at, told + QUIET - now)
