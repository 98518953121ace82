"""The supervisor: starts the connection and host processes, watches them and restarts them.

It holds no socket of the venue and runs no plugin, so there is little that could stop it.  One
thread, one loop: it waits for the children's messages, for their ends and for signals, and once a
second it looks at the calls that go on and writes the status.  The parts stand beside this module.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable
from typing import Any

from qehost.config import parse_duration
from qehost.errors import Error, JournalError
from qehost.processes.child import LOOK_EVERY, Child
from qehost.processes.control import (
    ConnectionStatus,
    ConnectionTask,
    ControlMessage,
    Ended,
    Go,
    HostStatus,
    HostTask,
    Loaded,
    Ready,
    Refused,
    StopRequest,
)
from qehost.processes.spawn import running_children
from qehost.storage.folder_lock import FolderLock
from qehost.storage.state_folder import StateFolder
from qehost.supervisor.children import ConnectionChild, HostChild, connect
from qehost.supervisor.crash_report import Crashes, where
from qehost.supervisor.folder_guard import keep_folder
from qehost.supervisor.initial_cursors import place_cursors
from qehost.supervisor.orphans import bury_orphans
from qehost.supervisor.reload import Reread
from qehost.supervisor.reload_requests import Reloads
from qehost.supervisor.retention import Retention
from qehost.supervisor.service_manager import ServiceManager
from qehost.supervisor.shutdown import Shutdown
from qehost.supervisor.signals import Signals
from qehost.supervisor.source_watch import SourceWatch, watched
from qehost.supervisor.sources import Sources
from qehost.supervisor.status_report import StatusReporter
from qehost.supervisor.watchdog import Watchdog

__all__ = ["GAVE_UP", "Supervisor"]

log = logging.getLogger("qehost.supervisor")

INVALID_SETTINGS = 4
GAVE_UP = 5
HOPELESS = 5
"""A connection process that dies so often in a row, and got nothing done in between, can't live."""


class Supervisor:
    """Runs until a signal, `duration`, a plugin's request, or until it has to give up.

    `run` returns the exit code; `signals` are caught already, and `lock` is that of the state
    folder.  Times are seconds.
    """

    def __init__(
        self,
        connections: list[ConnectionTask],
        hosts: list[HostTask],
        *,
        drain_timeout: float,
        signals: Signals,
        manager: ServiceManager | None = None,
        lock: FolderLock | None = None,
        duration: float | None = None,
        reread: Callable[[], Reread] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.connections = {task.account: ConnectionChild(task) for task in connections}
        self.hosts = {task.name: HostChild(task) for task in hosts}
        self.folder = folder = StateFolder(connections[0].state_dir)
        self.duration = duration
        self.clock = clock
        self._signals = signals
        self._shutdown = Shutdown(folder, drain_timeout)
        self._manager = manager or ServiceManager({})
        self._reporter = StatusReporter(
            folder, self.connections.values(), self.hosts.values(), self._manager
        )
        journal = connections[0].journal
        self._retention = Retention(
            folder,
            list(self.connections),
            list(self.hosts),
            keep=parse_duration(journal.keep),
            keep_bytes=journal.keep_bytes,
        )
        self._crashes: dict[str, Crashes] = {}
        self._watchdogs: dict[HostChild, Watchdog] = {}
        self._watch_hosts()
        self._reloads = Reloads(
            reread,
            self.hosts,
            folder,
            self._reporter,
            replaced=self._hosts_replaced,
            drain_timeout=drain_timeout,
        )
        self._watch = SourceWatch(lambda: watched(self.hosts.values()), clock())
        self._look_at = clock()
        self._lock = lock
        self._sources = Sources()

    @property
    def _children(self) -> list[Child]:
        return [*self.connections.values(), *self.hosts.values(), *self._reloads.children]

    def run(self) -> int:
        self._signals.supervised = True
        place_cursors(self.folder, self.hosts.values())
        self._retention.start()
        try:
            now = self.clock()
            end = None if self.duration is None else now + self.duration
            for child in (*self.connections.values(), *self.hosts.values()):
                self._start(child)
            while any(c.running or c.start_at is not None for c in self._children):
                self._obey_signals()
                now = self.clock()
                if end is not None and now >= end:
                    end = None
                    self.stop(f"--duration of {self.duration:g} s reached")
                self._keep_time(now)
                self._wait(end)
        finally:
            self._end_at_once()
            self._retention.stop()
        self._shutdown.report_undelivered(self.hosts.values(), self.connections)
        self._reporter.write({}, ended=self._shutdown.reason)
        self._reporter.close()
        self._manager.close()
        self._sources.close()
        return self._shutdown.exit_code

    def stop(self, reason: str, exit_code: int = 0) -> None:
        """Begin to end: the connections close, the hosts drain, all within `drain_timeout`."""
        if self._shutdown.begun:
            return
        self._manager.stopping(reason)
        for child in self._children:
            child.start_at = None
        self._shutdown.begin(
            reason, exit_code, self.clock(), self.connections.values(), self.hosts.values()
        )
        self._reloads.abandon(f"stopping: {reason}")

    # --- starting and ending children ------------------------------------------------------

    def _start(self, child: Child) -> None:
        now = self.clock()
        try:
            child.start(now)
        except Error as error:
            self._start_again(child, str(error), now)
            return
        if isinstance(child, HostChild):
            self._give_queues(child)
            self._release_hosts()
        elif isinstance(child, ConnectionChild):
            for host in self.hosts.values():
                connect(child, host)
            self._release_connections()

    def _release_connections(self) -> None:
        """Let them open their streams, once no plugin's settings can end the start any more.

        Each does so by itself after a while: a plugin whose import hangs holds up no stream.
        """
        if not self._shutdown.begun and all(host.loaded for host in self.hosts.values()):
            for connection in self.connections.values():
                if connection.running and not connection.released:
                    connection.released = True
                    connection.send(Go())

    def _release_hosts(self) -> None:
        """Let those start their plugins for which nothing is to be waited for any more.

        Each connection process first takes the journal: as long as one of an earlier qehost has it,
        so may the host processes of that be at work, and events would be delivered twice.
        """
        if self._shutdown.begun:
            return
        if all(c.worked or c.failing or not c.running for c in self.connections.values()):
            for host in self.hosts.values():
                if host.running and not host.released and not self._held_back(host):
                    host.released = True
                    host.send(Go())

    def _give_queues(self, host: HostChild) -> None:
        for connection in self.connections.values():
            connect(connection, host)

    def _ended(self, child: Child) -> None:
        code = child.reap()
        self._reporter.forget(child)
        self._release_hosts()
        now = self.clock()
        died = str(child.died(code))
        reload, stopping = self._reloads.current, self._shutdown.begun
        if reload is not None and reload.ended(child, died, code):
            return
        if isinstance(child, HostChild) and not self._held_back(child) and (code or not stopping):
            crash = self._crashes[child.name].report(
                child.call(), self._cursors_of(child), code, now, hung=child.hung
            )
            child.progressed = crash.progressed
            died += where(crash.call)
        if not stopping:
            self._start_again(child, died, now)
        elif code and not self._shutdown.killed:
            log.error("%s", died)

    def _cursors_of(self, host: HostChild) -> dict[str, int]:
        try:
            return host.cursors()
        except JournalError as error:
            log.error("%s", error)
            return {}

    def _start_again(self, child: Child, why: str, now: float) -> None:
        """After a while, which is longer each time.  It has died, or could not even be started."""
        child.death = why
        delay = child.start_again(now)
        if isinstance(child, HostChild):
            child.loaded = True
            self._release_connections()
        in_a_row = child.restarts.in_a_row
        if (
            isinstance(child, ConnectionChild)
            and in_a_row >= HOPELESS
            and not (child.worked and self._others_work(child))
        ):
            log.critical(
                "%s, for the %dth time in a row: giving up. The lines above say why it died",
                why,
                in_a_row,
            )
            self.stop("a connection process can't live", GAVE_UP)
            return
        log.error("%s; starting it again in %.1f s", why, delay)

    def _others_work(self, connection: ConnectionChild) -> bool:
        """This one does not for now.  Whether there is another account for which to go on."""
        connection.failing = True
        return not all(each.failing for each in self.connections.values())

    def _end_at_once(self) -> None:
        for child in self._children:
            child.kill()
        for child in self._children:
            if child.running:
                child.reap()

    # --- the loop ----------------------------------------------------------------------------

    def _keep_time(self, now: float) -> None:
        self._manager.keep_time(now)
        for child in self._children:
            if child.start_at is not None and now >= child.start_at:
                self._start(child)
        if now >= self._look_at:
            # From now on: seconds in which the machine slept are not made up for.
            self._look_at = now + LOOK_EVERY
            self._look(now)
        if self._watch.is_due(now):
            self._reloads.wanted = not self._shutdown.begun
        self._reloads.keep_time(now)
        self._shutdown.keep_time(now, self._children, self._watchdogs)

    def _look(self, now: float) -> None:
        for child in self._children:
            child.keep_time(now)
        self._reporter.write({h.name: dog.look(now) for h, dog in self._watchdogs.items()})
        for connection in self.connections.values():
            if connection.stands_still:
                log.error(
                    "the %s has not said anything for %d s: killed",
                    connection,
                    connection.silent_for,
                )
                connection.kill()
        if not keep_folder(self.folder, self._lock):
            self.stop("another qehost works in the state folder now", GAVE_UP)
        bury_orphans(running_children())

    def _wait(self, end: float | None) -> None:
        wake = self._signals.wake
        children = self._children
        times = (
            self._look_at,
            self._manager.next_at,
            end,
            self._shutdown.kill_at,
            self._watch.next_at,
            *(child.start_at for child in children),
        )
        timeout = max(0.0, min(t for t in times if t is not None) - self.clock())
        owners: dict[Any, Child] = {
            source: child for child in children for source in child.sources()
        }
        self._sources.watch([wake, *owners])
        ready = self._sources.ready(timeout)
        if wake in ready:
            wake.recv(4096)
        senders = {owners[source] for source in ready if source in owners}
        for child in children:
            # Asked before its messages are read, so that none of one that has ended is left.
            ended = child.has_ended()
            if ended or child in senders:
                for message in child.messages():
                    self._take(child, message)
            if ended:
                self._ended(child)

    def _take(self, child: Child, message: ControlMessage) -> None:
        match child, message:
            case ConnectionChild(), ConnectionStatus():
                if message.state == "connected":
                    child.failing = False
                if self._reporter.note(child, message):
                    self._look_at = self.clock()  # the news is for everybody, now
                self._release_hosts()
            case HostChild(), HostStatus():
                self._reporter.note(child, message)
            case HostChild(), Loaded():
                self._loaded(child, message)
            case HostChild(), Ready():
                self._ready(child, message)
            case _, Refused():
                self._refused(child, message)
            case _, StopRequest(reason):
                self.stop(reason)
            case _, Ended(undelivered):
                if self.hosts.get(child.name) is child:
                    self._shutdown.drained(child.name, undelivered)
            case _:
                raise AssertionError(f"{child} sent {message}")

    def _loaded(self, host: HostChild, loaded: Loaded) -> None:
        host.idle, host.problems, host.loaded = loaded.idle, loaded.problems, True
        reload = self._reloads.current
        if reload is not None and reload.loaded(host, loaded, self.clock()):
            return
        # What has worked before is tried again, and the others go on meanwhile.
        if loaded.invalid and not host.worked:
            for plugin in loaded.invalid:
                log.critical("%s", loaded.problems[plugin])
            self.stop("the settings of a plugin are wrong", INVALID_SETTINGS)
        self._release_connections()

    def _ready(self, host: HostChild, ready: Ready) -> None:
        host.ready = True
        host.ready_since = time.time()
        host.plugins = ready.plugins
        for problem in (*ready.problems, *ready.waiting.values()):
            log.error("%s", problem)
        if ready.plugins:
            log.info("%s runs %s", host, ", ".join(ready.plugins))
        elif host.task.wanted:
            log.warning("%s runs none of its plugins: the lines above say why", host)
        elif not any(other.task.wanted for other in self.hosts.values()):
            log.warning(
                "%s runs no plugin, so what is received goes into the journal and nowhere "
                "else: `qehost plugins` shows what is installed",
                host,
            )
        if self._reloads.current is not None:
            self._reloads.current.ready(ready)

    def _refused(self, child: Child, refused: Refused) -> None:
        reload = self._reloads.current
        if reload is not None and reload.refused(child, refused.text):
            return
        log.critical("%s", refused.text)
        # What has worked before is tried again, and the others go on meanwhile.
        if not child.worked:
            self.stop(f"the {child} can't go on", refused.exit_code)
        elif isinstance(child, ConnectionChild) and not self._others_work(child):
            self.stop(f"the {child} can't go on", GAVE_UP)

    # --- reloading ---------------------------------------------------------------------------

    def _held_back(self, host: HostChild) -> bool:
        """Whether it waits for another process, which still runs its plugins."""
        return self._reloads.current is not None and self._reloads.current.holds_back(host)

    def _hosts_replaced(self) -> None:
        self._watch_hosts()
        for host in self.hosts.values():
            self._give_queues(host)

    def _watch_hosts(self) -> None:
        self._watchdogs = {host: Watchdog(host) for host in self.hosts.values()}
        for name in self.hosts:
            self._crashes.setdefault(name, Crashes(name, self.folder))
        self._retention.watch(list(self.hosts))

    # --- signals -----------------------------------------------------------------------------

    def _obey_signals(self) -> None:
        stops = self._signals.stops
        if self._signals.reload:
            self._signals.reload = False
            self._reloads.wanted = not self._shutdown.begun
        if not stops:
            return
        if not self._shutdown.begun:
            self.stop(f"stopped by {signal.Signals(stops.pop(0)).name}")
        if stops:
            log.warning("%s again: ending at once", signal.Signals(stops[0]).name)
            self._end_at_once()
            self._shutdown.exit_code = 128 + stops[0]
            stops.clear()
