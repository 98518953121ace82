"""The supervisor: starts the connection and host processes, watches, restarts and drains them.

It holds no socket of the venue and runs no plugin, so there is little that could stop it.  One
thread, one loop: it waits for the children's messages, for their deaths and for signals.
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
from multiprocessing.context import SpawnProcess
from types import FrameType

from qehost import children
from qehost.control import (
    Attach,
    ConnectionStatus,
    ConnectionTask,
    Control,
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
from qehost.journal_reader import JournalReader
from qehost.restarts import Restarts
from qehost.state import StateFolder

__all__ = ["GAVE_UP", "Supervisor", "place_cursors"]

log = logging.getLogger("qehost.supervisor")

GAVE_UP = 5
# A connection process that dies this often without having lived for a minute can't live at all.
HOPELESS = 5


class Child:
    """One child process, over all its restarts."""

    def __init__(self, kind: str, name: str, module: str, task: ConnectionTask | HostTask) -> None:
        self.kind = kind
        self.name = name
        self.module = module
        self.task = task
        self.restarts = Restarts()
        self.start_at: float | None = None
        self.process: SpawnProcess | None = None
        self.control: Control | None = None

    def __str__(self) -> str:
        return f"{self.kind} process {self.name}"

    @property
    def running(self) -> bool:
        return self.process is not None

    def start(self, now: float) -> None:
        ours, theirs = multiprocessing.Pipe()
        self.process = children.start(f"{self.kind}-{self.name}", self.module, self.task, theirs)
        # Only the child may hold its end: otherwise its death would not show as an end of file.
        theirs.close()
        self.control = Control(ours)
        self.start_at = None
        self.restarts.started(now)

    def send(self, message: ControlMessage) -> None:
        if self.control is not None:
            self.control.send(message)

    def buried(self) -> int:
        """Take leave of a process that has ended; its exit code."""
        assert self.process is not None
        assert self.control is not None
        self.process.join()
        code = self.process.exitcode or 0
        self.process.close()
        self.control.close()
        self.process = self.control = None
        return code

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()


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
        self.strict = any(t.strict for t in hosts)
        self.drain_timeout = drain_timeout
        self.duration = duration
        self.clock = clock
        self.exit_code = 0
        self.undelivered = 0
        self.status: dict[str, ConnectionStatus | HostStatus] = {}
        self._stop_by: float | None = None
        self._signals: list[int] = []

    @property
    def _children(self) -> list[Child]:
        return [*self.connections.values(), *self.hosts.values()]

    def run(self) -> int:
        with self._catching_signals() as wake:
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
        if self.undelivered:
            log.warning(
                "%d events were not delivered in time; they stand in the journal and are "
                "delivered at the next start",
                self.undelivered,
            )
        return self.exit_code

    def stop(self, reason: str, exit_code: int = 0) -> None:
        """Begin to end: the connections close, the hosts drain, all within `drain_timeout`."""
        if self._stop_by is not None:
            return
        log.info("stopping: %s", reason)
        self.exit_code = exit_code
        self._stop_by = self.clock() + self.drain_timeout
        for child in self._children:
            child.start_at = None
        for connection in self.connections.values():
            connection.send(Stop(reason, min(2.0, self.drain_timeout * 0.3)))
        for host in self.hosts.values():
            # The host needs to be through before its time is up, to say what was left.
            host.send(Stop(reason, self.drain_timeout * 0.9))

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
        code = child.buried()
        if self._stop_by is not None:
            if code:
                log.error("%s", ProcessDied(f"{child.kind} ({child.name})", code))
            return
        now = self.clock()
        delay = child.restarts.died(now)
        died = ProcessDied(f"{child.kind} ({child.name})", code)
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
        if self._stop_by is not None and now >= self._stop_by:
            for child in self._children:
                if child.running:
                    log.error(
                        "the %s did not end within the drain time-out of %g s: killed",
                        child,
                        self.drain_timeout,
                    )
                    child.kill()
            # Killed processes show up as ended; don't kill them again in the meantime.
            self._stop_by = now + 1.0

    def _end_at_once(self) -> None:
        for child in self._children:
            child.kill()
        for child in self._children:
            if child.running:
                child.buried()

    # --- the loop ------------------------------------------------------------------------

    def _wait(self, wake: socket.socket, end: float | None) -> None:
        running = [c for c in self._children if c.process is not None and c.control is not None]
        sources: dict[object, Child] = {}
        for child in running:
            assert child.process is not None
            assert child.control is not None
            sources[child.control.connection] = child
            sources[child.process.sentinel] = child
        times = [t for t in (end, self._stop_by, *(c.start_at for c in self._children)) if t]
        timeout = max(0.0, min(times) - self.clock()) if times else None
        ready = wait([wake, *sources], timeout)  # type: ignore[list-item]
        for source in ready:
            if source is wake:
                wake.recv(4096)
            elif isinstance(source, int):
                continue
            else:
                self._read(sources[source])
        # Deaths last: what a child said before it died has been read by now.
        for source in ready:
            if isinstance(source, int) and sources[source].running:
                self._read(sources[source])
                self._ended(sources[source])

    def _read(self, child: Child) -> None:
        while child.control is not None and child.control.poll():
            try:
                message = child.control.receive()
            except EOFError:
                return
            self._handle(child, message)

    def _handle(self, child: Child, message: ControlMessage) -> None:
        match message:
            case ConnectionStatus() | HostStatus():
                self.status[str(child)] = message
            case Ready(plugins, problems):
                for problem in problems:
                    log.error("%s", problem)
                log.info("%s runs %s", child, ", ".join(plugins) or "no plugin")
            case Refused(text, exit_code):
                log.critical("%s", text)
                self.stop(f"the {child} can't go on", exit_code)
            case StopRequest(reason):
                self.stop(reason)
            case Ended(undelivered):
                self.undelivered += undelivered
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
    """
    try:
        marks = Marks.open(folder.marks(host), (), (), accounts)
        for account in accounts:
            if marks.cursor(account) is None:
                with JournalReader(folder.journal(account)) as journal:
                    marks.advance(account, journal.last_seq())
        marks.close()
    except JournalError as error:
        log.error("%s", error)


def _link(connection: Child, host: Child) -> None:
    """Give both processes their ends of a new queue."""
    if connection.control is None or host.control is None:
        return
    reader, writer = multiprocessing.Pipe(duplex=False)
    host.control.send_queue(Attach(connection.name), reader)
    connection.control.send_queue(Attach(host.name), writer)
