"""The supervisor: starts the connection and host processes, watches, restarts and drains them.

It holds no socket of the venue and runs no plugin, so there is little that could stop it.  One
thread, one loop: it waits for the children's messages, for their deaths and for signals, and once a
second it looks at the calls that go on and writes the status.  The parts stand in `supervision`.
"""

from __future__ import annotations

import logging
import multiprocessing
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from types import FrameType

from qehost.config import seconds
from qehost.control import (
    Attach,
    ConnectionStatus,
    ConnectionTask,
    ControlMessage,
    Ended,
    HostStatus,
    HostTask,
    Ready,
    Refused,
    Stop,
    StopRequest,
)
from qehost.errors import JournalError, ProcessDied
from qehost.host.cursors import Marks
from qehost.journal_reader import JournalReader, read_high_water
from qehost.state import StateFolder
from qehost.supervision.boot import started_anew
from qehost.supervision.child import Child
from qehost.supervision.deaths import Deaths, where
from qehost.supervision.reporter import Reporter
from qehost.supervision.upkeep import Upkeep
from qehost.supervision.watcher import Watcher

__all__ = ["GAVE_UP", "Supervisor", "place_cursors"]

log = logging.getLogger("qehost.supervisor")

GAVE_UP = 5
# A connection process that dies this often without having lived for a minute can't live at all.
HOPELESS = 5
TICK = 1.0
# So many ticks without a word, of which there should be one a second, and it stands still.
QUIET = 30
# Of the drain time-out: when connections, hosts, and what is left of them have to be through.
CLOSED_BY, DRAINED_BY, KILLED_BY = 0.3, 0.85, 0.95


class Supervisor:
    """Runs until a signal, `duration`, a plugin's request, or until it has to give up.

    `run` returns the exit code.  Times are seconds.
    """

    def __init__(
        self,
        connections: list[ConnectionTask],
        hosts: list[HostTask],
        *,
        drain_timeout: float,
        duration: float | None = None,
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
        self._deaths = {name: Deaths(name, folder) for name in self.hosts}
        limits = hosts[0].host
        self._watchers = {
            name: Watcher(host, folder, limits.slow_call, limits.hang_timeout)
            for name, host in self.hosts.items()
        }
        self._reporter = Reporter(folder, self.connections.values(), self.hosts.values())
        journal = connections[0].journal
        self._upkeep = Upkeep(
            folder,
            list(self.connections),
            list(self.hosts),
            keep=seconds(journal.keep),
            keep_bytes=journal.keep_bytes,
        )
        self._left: dict[str, int] = {}
        self._reason = ""
        self._tick_at = clock()
        self._stop_by: float | None = None
        self._killed = False
        self._signals: list[int] = []

    @property
    def _children(self) -> list[Child]:
        return [*self.connections.values(), *self.hosts.values()]

    def run(self) -> int:
        with self._catching_signals() as wake:
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
                    self._wait(wake, end)
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
        for child in self._children:
            child.start_at = None
        for connection in self.connections.values():
            connection.send(Stop(reason, min(2.0, self.drain_timeout * CLOSED_BY)))
        for host in self.hosts.values():
            # The host needs to be through before its time is up, to say what was left.
            host.send(Stop(reason, self.drain_timeout * DRAINED_BY))

    # --- children ------------------------------------------------------------------------

    def _start(self, child: Child) -> None:
        child.start(self.clock())
        if child.kind == "host":
            for connection in self.connections.values():
                _link(connection, child)
        else:
            for host in self.hosts.values():
                _link(child, host)

    def _ended(self, child: Child) -> None:
        hung, started_at = child.hung, child.restarts.started_at
        code = child.buried()
        self._reporter.forget(child)
        now = self.clock()
        died = str(ProcessDied(f"{child.kind} ({child.name})", code))
        progressed = False
        if child.kind == "host" and (code or self._stop_by is None):
            found = self._deaths[child.name].died(code, started_at, now, hung=hung)
            died += where(found.call)
            progressed = found.progressed
        elif child.kind == "connection":
            last_seq = read_high_water(self.folder.journal(child.name))
            progressed, child.last_seq = last_seq > child.last_seq, last_seq
        if self._stop_by is not None:
            if code and not self._killed:
                log.error("%s", died)
            return
        delay = child.restarts.died(now, progressed=progressed)
        if child.kind == "connection" and child.restarts.in_a_row >= HOPELESS:
            log.critical(
                "%s, for the %dth time in a row: giving up. The lines above say why it died",
                died,
                HOPELESS,
            )
            self.stop("a connection process can't live", GAVE_UP)
            return
        log.error("%s; starting it again in %.1f s", died, delay)
        child.start_at = now + delay

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
            doing = self._watchers[child.name].doing() if child.kind == "host" else ""
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

    def _wait(self, wake: socket.socket, end: float | None) -> None:
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
            case ConnectionStatus() | HostStatus():
                self._reporter.note(child, message)
            case Ready(plugins, problems):
                child.ready = child.was_ready = True
                for problem in problems:
                    log.error("%s", problem)
                log.info("%s runs %s", child, ", ".join(plugins) or "no plugin")
            case Refused(text, exit_code):
                log.critical("%s", text)
                if child.was_ready:
                    # It has worked before: the stream goes on without it until it does again.
                    return
                self.stop(f"the {child} can't go on", exit_code)
            case StopRequest(reason):
                self.stop(reason)
            case Ended(undelivered):
                if child.kind == "host":
                    self._left[child.name] = undelivered
            case _:
                raise AssertionError(f"{child} sent {message}")

    # --- signals -------------------------------------------------------------------------

    @contextmanager
    def _catching_signals(self) -> Iterator[socket.socket]:
        """SIGINT and SIGTERM wake the loop by a byte on a socket."""
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setblocking(False)

        def note(number: int, _frame: FrameType | None) -> None:
            self._signals.append(number)

        before = {s: signal.signal(s, note) for s in (signal.SIGINT, signal.SIGTERM)}
        wakeup = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        try:
            yield ours
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            ours.close()
            theirs.close()

    def _heed_signals(self) -> None:
        if not self._signals:
            return
        number = self._signals[0]
        if self._stop_by is None:
            self._signals.pop(0)
            self.stop(f"stopped by {signal.Signals(number).name}")
        if self._signals:
            log.warning("%s again: ending at once", signal.Signals(self._signals[0]).name)
            self._end_at_once()
            self.exit_code = 128 + self._signals[0]
            self._signals.clear()


def place_cursors(folder: StateFolder, host: str, accounts: list[str]) -> None:
    """Let a host process that is new begin at the end of the journal: called before any event.

    Were it left to the process itself, it would miss what is received until it gets there.

    After a power cut the cursor may be older than what the plugins got: then everything behind it
    counts as handed over before.
    """
    try:
        marks = Marks.open(folder.marks(host), (), (), accounts)
        anew = started_anew(folder.marks(host).with_name("boot"))
        for account in accounts:
            with JournalReader(folder.journal(account)) as journal:
                last_seq = journal.last_seq()
            if marks.cursor(account) is None:
                marks.advance(account, last_seq)
            elif anew:
                marks.hand(account, max(last_seq, marks.handed(account)))
        marks.close()
    except JournalError as error:
        log.error("%s", error)


def _link(connection: Child, host: Child) -> None:
    """Give both processes their ends of a new queue."""
    if connection.control is None or host.control is None:
        return
    for child in (connection, host):
        if not child.takes():
            log.error("the %s has not read its messages for long: killed", child)
            child.kill()
            return
    reader, writer = multiprocessing.Pipe(duplex=False)
    host.control.send_queue(Attach(connection.name), reader)
    connection.control.send_queue(Attach(host.name), writer)
