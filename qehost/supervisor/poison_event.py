"""When a host process dies in a call: whether the event killed it.

An event that kills the process of one plugin would do so for ever, since it is delivered again each
time.  After three deaths it is set aside for that plugin.  An event that was being handled when the
process was killed from outside must not be.

A segmentation fault, `os._exit` or an endless loop is the call's own doing.  SIGKILL may be (the
kernel kills what takes all the memory) or may come from outside.  Time distinguishes them: what an
event does to a process, it does about equally long into each call; a kill from outside comes at any
time.
"""

from __future__ import annotations

import signal
from typing import NamedTuple

__all__ = ["Death", "Poison"]

# What a process does not do to itself, as a rule.
FROM_OUTSIDE = frozenset(
    (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
)


class Death(NamedTuple):
    """A host process that ended in a call.

    `exit_code` as multiprocessing has it: −N for signal N.  `elapsed` is the time from the start of
    the call to the end of the process, in seconds.  `hung`: the supervisor ended it, because the
    call did not.
    """

    plugin: str
    account: str
    seq: int
    exit_code: int
    elapsed: float
    hung: bool = False


class Poison:
    """Counts the deaths in a row of one host process.  No I/O and no clock."""

    def __init__(self, limit: int = 3, limit_from_outside: int = 6) -> None:
        """`limit` deaths in a row on one event of one plugin condemn the event.

        `limit_from_outside` holds for deaths by a signal that may come from outside, unless all of
        them came equally long into the call: the event may not be their cause, but the plugin must
        get past it some day.
        """
        self._limit = limit
        self._limit_from_outside = limit_from_outside
        self._row: list[Death] = []

    def died(self, death: Death | None) -> bool:
        """The process has died; None: not in a call about an event.

        True: the event is to be set aside for this plugin.  The count then begins anew, so a dead
        letter that could not be stored is asked for again after as many deaths.
        """
        if death is None:
            self._row.clear()
            return False
        if self._row and _event(self._row[0]) != _event(death):
            self._row.clear()
        self._row.append(death)
        if len(self._row) < self._needed():
            return False
        self._row.clear()
        return True

    @property
    def in_a_row(self) -> int:
        """How many deaths there were in a row on the last event."""
        return len(self._row)

    def _needed(self) -> int:
        outside = [d for d in self._row if -d.exit_code in FROM_OUTSIDE and not d.hung]
        if not outside:
            return self._limit
        times = [death.elapsed for death in outside]
        alike = max(times) - min(times) <= 0.05 + 0.1 * max(times)
        own = len(self._row) - len(outside)
        if alike or own >= self._limit:
            return self._limit
        return self._limit_from_outside


def _event(death: Death) -> tuple[str, str, int]:
    return death.plugin, death.account, death.seq
