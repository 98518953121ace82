"""The orderly end: the connections close, the host processes deliver what they have, and what is
late is killed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from qehost.errors import JournalError
from qehost.events.plural import format_count
from qehost.processes.child import Child
from qehost.processes.control import Stop
from qehost.storage.journal.reader import JournalReader
from qehost.storage.state_folder import StateFolder
from qehost.supervisor.children import ConnectionChild, HostChild
from qehost.supervisor.watchdog import Watchdog

__all__ = ["DRAINED_BY", "Shutdown"]

log = logging.getLogger("qehost.supervisor")

CLOSE = 2.0
"""Seconds that a connection has at most for closing its WebSocket."""
CLOSED_BY, DRAINED_BY, KILLED_BY = 0.3, 0.85, 0.95
"""Of the drain time-out: when connections, hosts, and what is left of them have to be through."""
KILL_EVERY = 1.0
"""Seconds until what was killed and still runs is killed once more."""


class Shutdown:
    """`drain_timeout` is in seconds; `now` is on the monotonic clock."""

    def __init__(self, folder: StateFolder, drain_timeout: float) -> None:
        self._folder = folder
        self._drain_timeout = drain_timeout
        self._undelivered: dict[str, int] = {}
        self.reason = ""
        self.exit_code = 0
        self.kill_at: float | None = None
        """When what still runs is killed; None: the end has not begun."""
        self.killed = False

    @property
    def begun(self) -> bool:
        return self.kill_at is not None

    def begin(
        self,
        reason: str,
        exit_code: int,
        now: float,
        connections: Iterable[ConnectionChild],
        hosts: Iterable[HostChild],
    ) -> None:
        log.info("stopping: %s", reason)
        self.reason = reason
        self.exit_code = exit_code
        self.kill_at = now + self._drain_timeout * KILLED_BY
        for connection in connections:
            connection.send(Stop(reason, min(CLOSE, self._drain_timeout * CLOSED_BY)))
        for host in hosts:
            # It needs to be through before its time is up, to report what is left.
            host.send(Stop(reason, self._drain_timeout * DRAINED_BY))

    def drained(self, host: str, undelivered: int) -> None:
        """A host process is through, and left so many events."""
        self._undelivered[host] = undelivered

    def keep_time(
        self, now: float, children: Iterable[Child], watchdogs: Mapping[HostChild, Watchdog]
    ) -> None:
        """Kill what is late."""
        if self.kill_at is None or now < self.kill_at:
            return
        for child in children:
            if not child.running:
                continue
            doing = ""
            if isinstance(child, HostChild) and child in watchdogs:
                doing = watchdogs[child].doing()
            if child.name in self._undelivered:
                # Python waits for the threads of plugins that are no daemons.
                doing = "; its plugins were through, so one of their threads did not end"
            log.error(
                "the %s did not end within the drain time-out of %g s%s: killed",
                child,
                self._drain_timeout,
                doing,
            )
            child.kill()
        self.killed = True
        self.kill_at = now + KILL_EVERY

    def report_undelivered(self, hosts: Iterable[HostChild], accounts: Iterable[str]) -> None:
        """Log for each host process which number of events the next start will deliver."""
        for host in hosts:
            left = self._undelivered.get(host.name)
            if left is None:
                left = self._behind(host, accounts)  # it did not live to report it
            if left:
                log.warning(
                    "%s: %s not delivered in time; what is left stands in the journal and is "
                    "delivered at the next start",
                    host,
                    format_count(left, "event was", "events were"),
                )

    def _behind(self, host: HostChild, accounts: Iterable[str]) -> int:
        """How many events stand in the journals that one of its plugins has not had."""
        left = 0
        try:
            known = host.known()
            for account in accounts:
                _, cursor = (known and known.furthest_behind(account)) or ("", 0)
                with JournalReader(self._folder.journal(account)) as journal:
                    left += max(0, journal.last_seq() - cursor)
        except JournalError as error:
            log.error("%s", error)
        return left
