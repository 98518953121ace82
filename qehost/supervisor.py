"""The supervisor: starts the connection and host processes, watches, restarts and drains them.

It holds no socket of the venue and runs no plugin, so there is little that could stop it.  One
thread, one loop: it waits for the children's messages, for their deaths and for signals, and once a
second it looks at the calls that go on and writes the status.  The parts stand in `supervision`.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import wait

from qehost.config import seconds
from qehost.control import (
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
    Stop,
    StopRequest,
)
from qehost.errors import Error, ProcessDied
from qehost.journal.high_water import read_high_water
from qehost.state import StateFolder
from qehost.supervision.child import Child, link
from qehost.supervision.deaths import Deaths, heard, where
from qehost.supervision.reload import Reread
from qehost.supervision.reloads import Reloads
from qehost.supervision.reporter import Reporter
from qehost.supervision.signals import Signals
from qehost.supervision.upkeep import Upkeep
from qehost.supervision.watcher import Watcher

__all__ = ["GAVE_UP", "Supervisor"]

log = logging.getLogger("qehost.supervisor")

GAVE_UP = 5
# A connection process that dies this often without having lived for a minute, or heard anything of
# the venue, can't live at all.
HOPELESS = 5
TICK = 1.0
# So many ticks without a word, of which there should be one a second, and it stands still.
QUIET = 30
# Of the drain time-out: when connections, hosts, and what is left of them have to be through.
CLOSED_BY, DRAINED_BY, KILLED_BY = 0.3, 0.85, 0.95


class Supervisor:
    """Runs until a signal, `duration`, a plugin's request, or until it has to give up.

    `run` returns the exit code; `signals` are caught already.  Times are seconds.
    """

    def __init__(
        self,
        connections: list[ConnectionTask],
        hosts: list[HostTask],
        *,
        drain_timeout: float,
        signals: Signals,
        duration: float | None = None,
        reread: Callable[[], Reread] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.connections = {
            t.account: Child("connection", t.account, "qehost.connection.process", t)
            for t in connections
        }
        self.hosts = {t.name: Child("host", t.name, "qehost.host.process", t) for t in hosts}
        self.folder = folder = StateFolder(connections[0].state_dir)
        self.drain_timeout = drain_timeout
        self.duration = duration
        self.clock = clock
        self.exit_code = 0
        self._reporter = Reporter(folder, self.connections.values(), self.hosts.values())
        journal = connections[0].journal
        self._upkeep = Upkeep(
            folder,
            list(self.connections),
            list(self.hosts),
            keep=seconds(journal.keep),
            keep_bytes=journal.keep_bytes,
        )
        self._deaths: dict[str, Deaths] = {}
        self._watchers: dict[str, Watcher] = {}
        self._watch_hosts()
        self._reloads = Reloads(
            reread,
            self.hosts,
            folder,
            self._reporter,
            replaced=self._hosts_replaced,
            drain_timeout=drain_timeout,
        )
        self._left: dict[str, int] = {}
        self._reason = ""
        self._tick_at = clock()
        self._stop_by: float | None = None
        self._killed = False
        self._signals = signals

    @property
    def _children(self) -> list[Child]:
        return [*self.connections.values(), *self.hosts.values(), *self._reloads.children]

    def run(self) -> int:
        self._signals.heeded = True
        self._upkeep.start()
        try:
            now = self.clock()
            end = None if self.duration is None else now + self.duration
            for child in (*self.hosts.values(), *self.connections.values()):
                self._start(child)
            while any(c.running or c.start_at is not None for c in self._children):
                self._heed_signals()
                now = self.clock()
                if end is not None and now >= end:
                    end = None
                    self.stop(f"--duration of {self.duration:g} s reached")
                self._keep_time(now)
                self._wait(end)
        finally:
            self._end_at_once()
            self._upkeep.stop()
        self._say_what_is_left()
        self._reporter.write({}, ended=self._reason)
        self._reporter.close()
        return self.exit_code

    def stop(self, reason: str, exit_code: int = 0) -> None:
        """Begin to end: the connections close, the hosts drain, all within `drain_timeout`."""
        if self._stop_by is not None:
            return
        log.info("stopping: %s", reason)
        self._reason = reason
        self.exit_code = exit_code
        self._stop_by = self.clock() + self.drain_timeout * KILLED_BY
        self._reloads.abandon(f"stopping: {reason}")
        for child in self._children:
            child.start_at = None
        for connection in self.connections.values():
            connection.send(Stop(reason, min(2.0, self.drain_timeout * CLOSED_BY)))
        for host in self.hosts.values():
            # The host needs to be through before its time is up, to say what was left.
            host.send(Stop(reason, self.drain_timeout * DRAINED_BY))

    # --- children ------------------------------------------------------------------------

    def _start(self, child: Child) -> None:
        now = self.clock()
        if child.kind == "connection":
            child.last_seq = read_high_water(self.folder.journal(child.name))
        try:
            child.start(now)
        except Error as error:
            self._start_again(child, str(error), now)
            return
        if child.kind == "host":
            self._give_queues(child)
            if not self._held_back(child):
                child.send(Go())
        else:
            for host in self.hosts.values():
                link(child, host)

    def _give_queues(self, host: Child) -> None:
        for connection in self.connections.values():
            link(connection, host)

    def _ended(self, child: Child) -> None:
        hung, started_at = child.hung, child.restarts.started_at
        code = child.buried()
        self._reporter.forget(child)
        now = self.clock()
        died = str(ProcessDied(f"{child.kind} ({child.name})", code))
        if self._reloads.current is not None and self._reloads.current.took_leave(
            child, died, code
        ):
            return
        progressed = False
        # The marks of a process that did not start its plugins are those of another one.
        had_marks = child.kind == "host" and not self._held_back(child)
        if had_marks and (code or self._stop_by is None):
            found = self._deaths[child.name].died(code, started_at, now, hung=hung)
            died += where(found.call)
            progressed = found.progressed
        elif child.kind == "connection":
            progressed = child.heard or heard(self.folder, child.name, child.last_seq)
        if self._stop_by is not None:
            if code and not self._killed:
                log.error("%s", died)
            return
        self._start_again(child, died, now, progressed=progressed)

    def _start_again(self, child: Child, how: str, now: float, *, progressed: bool = False) -> None:
        """After a while.  `how` says why: it died, or could not even be started."""
        delay = child.restarts.died(now, progressed=progressed)
        hopeless = child.kind == "connection" and child.restarts.in_a_row >= HOPELESS
        if hopeless and not (child.was_ready and self._others_live(child)):
            log.critical(
                "%s, for the %dth time in a row: giving up. The lines above say why it died",
                how,
                child.restarts.in_a_row,
            )
            self.stop("a connection process can't live", GAVE_UP)
            return
        log.error("%s; starting it again in %.1f s", how, delay)
        child.start_at = now + delay

    def _others_live(self, connection: Child) -> bool:
        """This one can't live for now.  Whether there is another one, for which it is worth to go
        on."""
        connection.failing = True
        return not all(each.failing for each in self.connections.values())

    def _keep_time(self, now: float) -> None:
        for child in self._children:
            if child.start_at is not None and now >= child.start_at:
                self._start(child)
        if now >= self._tick_at:
            # From now on: seconds in which the machine slept are not made up for.
            self._tick_at = now + TICK
            calls = {name: watcher.look(now) for name, watcher in self._watchers.items()}
            self._reporter.write(calls)
            for connection in self.connections.values():
                self._look_after(connection)
        self._reloads.keep_time(now)
        if self._stop_by is not None and now >= self._stop_by:
            self._kill_what_is_left()
            # Killed processes show up as ended; don't kill them again in the meantime.
            self._stop_by = now + 1.0

    def _look_after(self, connection: Child) -> None:
        """End a connection process that stands still: it would miss everything from now on."""
        connection.quiet += 1
        if connection.running and connection.quiet >= QUIET:
            connection.quiet = 0
            log.error("the %s has not said anything for %d s: killed", connection, QUIET)
            connection.kill()

    def _kill_what_is_left(self) -> None:
        for child in self._children:
            if not child.running:
                continue
            watcher = self._watchers.get(child.name) if child.kind == "host" else None
            doing = watcher.doing() if watcher is not None else ""
            if child.name in self._left:
                # Python waits for the threads of plugins that are no daemons.
                doing = "; its plugins were through, so one of their threads did not end"
            log.error(
                "the %s did not end within the drain time-out of %g s%s: killed",
                child,
                self.drain_timeout,
                doing,
            )
            child.kill()
        self._killed = True

    def _say_what_is_left(self) -> None:
        for name, host in self.hosts.items():
            left = self._left.get(name)
            if left is None:
                # It did not live to say so.
                left = self._watchers[name].undelivered(list(self.connections))
            if left:
                log.warning(
                    "%s: %d events were not delivered in time; they stand in the journal and are "
                    "delivered at the next start",
                    host,
                    left,
                )

    def _end_at_once(self) -> None:
        for child in self._children:
            child.kill()
        for child in self._children:
            if child.running:
                child.buried()

    # --- the loop ------------------------------------------------------------------------

    def _wait(self, end: float | None) -> None:
        wake = self._signals.wake
        sources: dict[object, Child] = {}
        for child in self._children:
            if child.process is not None and child.control is not None:
                sources[child.process.sentinel] = child
                if not child.silent:
                    sources[child.control.connection] = child
        times = (self._tick_at, end, self._stop_by, *(c.start_at for c in self._children))
        timeout = max(0.0, min(t for t in times if t is not None) - self.clock())
        ready = wait([wake, *sources], timeout)  # type: ignore[list-item]
        if wake in ready:
            wake.recv(4096)
        for child in self._children:
            if child.control is not None and child.control.connection in ready:
                self._read(child)
        # Not by the sentinels alone, which a fork of a process that died holds open.
        for child in self._children:
            if child.has_ended():
                # What it said before it died.
                self._read(child)
                self._ended(child)

    def _read(self, child: Child) -> None:
        while child.control is not None and child.control.poll():
            try:
                message = child.control.receive()
            except EOFError:
                child.silent = True
                return
            child.quiet = 0
            self._handle(child, message)

    def _handle(self, child: Child, message: ControlMessage) -> None:
        match message:
            case ConnectionStatus():
                child.was_ready = True
                child.heard = message.last_message > 0
                if message.state == "connected":
                    child.failing = False
                self._reporter.note(child, message)
            case HostStatus():
                self._reporter.note(child, message)
            case Loaded():
                if self._reloads.current is not None:
                    self._reloads.current.loaded(child, message, self.clock())
            case Ready(plugins, problems):
                child.ready = child.was_ready = True
                child.plugins = plugins
                for problem in problems:
                    log.error("%s", problem)
                if plugins:
                    log.info("%s runs %s", child, ", ".join(plugins))
                else:
                    log.warning(
                        "%s runs no plugin, so what is received goes into the journal and nowhere "
                        "else: `qehost plugins` shows what is installed",
                        child,
                    )
                if self._reloads.current is not None:
                    self._reloads.current.ready()
            case Refused(text, exit_code):
                reload = self._reloads.current
                if reload is not None and reload.refused(child, text):
                    return
                log.critical("%s", text)
                # What has worked before is tried again, and the others go on meanwhile.
                if not child.was_ready:
                    self.stop(f"the {child} can't go on", exit_code)
                elif child.kind == "connection" and not self._others_live(child):
                    self.stop(f"the {child} can't go on", GAVE_UP)
            case StopRequest(reason):
                self.stop(reason)
            case Ended(undelivered):
                if self.hosts.get(child.name) is child:
                    self._left[child.name] = undelivered
            case _:
                raise AssertionError(f"{child} sent {message}")

    # --- reloading ------------------------------------------------------------------------

    def _held_back(self, host: Child) -> bool:
        """Whether it waits for another process, which has its plugins still."""
        return self._reloads.current is not None and self._reloads.current.holds_back(host)

    def _hosts_replaced(self) -> None:
        self._watch_hosts()
        for host in self.hosts.values():
            self._give_queues(host)

    def _watch_hosts(self) -> None:
        self._watchers = {name: Watcher(host, self.folder) for name, host in self.hosts.items()}
        for name in self.hosts:
            self._deaths.setdefault(name, Deaths(name, self.folder))
        self._upkeep.watch(list(self.hosts))

    # --- signals -------------------------------------------------------------------------

    def _heed_signals(self) -> None:
        stops = self._signals.stops
        if self._signals.reload:
            self._signals.reload = False
            self._reloads.wanted = self._stop_by is None
        if not stops:
            return
        number = stops[0]
        if self._stop_by is None:
            stops.pop(0)
            self.stop(f"stopped by {signal.Signals(number).name}")
        if stops:
            log.warning("%s again: ending at once", signal.Signals(stops[0]).name)
            self._end_at_once()
            self.exit_code = 128 + stops[0]
            stops.clear()
