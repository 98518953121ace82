"""What a host process is at, read from its marks: for the status, and to end it where it hangs."""

from __future__ import annotations

import logging

from qehost.control import HostTask
from qehost.errors import JournalError
from qehost.host.cursors import Call, MarksView
from qehost.journal.reader import JournalReader
from qehost.state import StateFolder
from qehost.supervision.calls import CallWatch
from qehost.supervision.child import Child
from qehost.supervision.deaths import where

__all__ = ["Watcher"]

log = logging.getLogger("qehost.supervisor")

QUIET = 5
"""So many looks without a word, of which there is one a second, prove nothing yet."""


class Watcher:
    """For one host process, over all its restarts."""

    def __init__(self, host: Child, folder: StateFolder) -> None:
        assert isinstance(host.task, HostTask)
        limits = host.task.host
        self._host = host
        self._folder = folder
        self._marks = MarksView(folder.marks(host.name))
        self._watch = CallWatch(limits.slow_call, limits.hang_timeout)
        self._hang = limits.hang_timeout

    def look(self, now: float) -> Call | None:
        """The call that is going on.  One that is slow is told, and one that hangs is ended.

        To be called once a second: so a process is noticed, too, that stands still outside a call.
        """
        call = self._current()
        self._look_for_life(call)
        found = self._watch.look(call, now)
        if found is None or call is None:
            return call
        about = f" with event {call.seq} of account {call.account}" if call.seq else ""
        if found.what == "slow":
            log.warning(
                "plugin %s: %s%s has been running for %.1f s, and the plugins in its process wait",
                call.plugin,
                call.hook,
                about,
                found.took,
            )
        elif not self._host.hung:
            log.error(
                "plugin %s: %s%s did not return within %.1f s (host.hang_timeout): "
                "killing its process",
                call.plugin,
                call.hook,
                about,
                found.took,
            )
            self._host.hung = True
            self._host.kill()
        return call

    def _look_for_life(self, call: Call | None) -> None:
        """End a process that says nothing and is in no call."""
        host = self._host
        host.quiet = host.quiet + 1 if host.ready and call is None else 0
        if self._hang and host.quiet >= max(self._hang, QUIET):
            log.error(
                "the %s has not said anything for %d s, and is in no call (host.hang_timeout): "
                "killing it. It was stopped by a signal, or a thread of one of its plugins holds "
                "Python's interpreter lock: %s",
                host,
                host.quiet,
                ", ".join(host.plugins),
            )
            host.quiet = 0
            host.kill()

    def doing(self) -> str:
        """`, in on_order of plugin audit with event 7 of account main`, or ""."""
        return where(self._current())

    def undelivered(self, accounts: list[str]) -> int:
        """How many events stand in the journals behind its cursors."""
        left = 0
        try:
            cursors = self._marks.cursors()
            for account in accounts:
                with JournalReader(self._folder.journal(account)) as journal:
                    left += max(0, journal.last_seq() - cursors.get(account, 0))
        except JournalError as error:
            log.error("%s", error)
        return left

    def _current(self) -> Call | None:
        if not self._host.running:
            return None
        try:
            call = self._marks.current()
        except JournalError:
            return None  # The host tells of it.
        if call is not None and call.since < self._host.restarts.started_at:
            return None  # The process before this one died in it.
        return call
