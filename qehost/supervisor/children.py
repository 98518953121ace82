"""The supervisor's children: a connection process for each account, and the host processes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from multiprocessing.connection import Connection, Pipe

from qehost.errors import Error
from qehost.processes.child import Child
from qehost.processes.control import Attach, ConnectionTask, HostTask
from qehost.storage.cursor_file import StoredCursors
from qehost.storage.cursors import known_cursors
from qehost.storage.progress import HookCall, ProgressMemory
from qehost.storage.state_folder import StateFolder

__all__ = ["ConnectionChild", "HostChild", "connect"]

log = logging.getLogger("qehost.supervisor")


class ConnectionChild(Child):
    task: ConnectionTask

    def __init__(self, task: ConnectionTask) -> None:
        super().__init__("connection", task.account, "qehost.connection.process", task)
        self.failing = False
        """It gave up, was refused or dies again and again, and has not been connected since."""
        self.released = False
        """The process was told to open its stream."""

    def start(self, now: float, *arguments: object, pipes: Sequence[Connection] = ()) -> None:
        self.released = False
        super().start(now, *arguments, pipes=pipes)


class HostChild(Child):
    task: HostTask

    def __init__(self, task: HostTask) -> None:
        super().__init__("host", task.name, "qehost.host.process", task, loads_plugins=True)
        self.released = False
        """The process was told to start its plugins."""
        self.loaded = False
        """A process has said which plugins it has, or has died before that."""
        self.ready = False
        """Its plugins are started."""
        self.plugins: list[str] = []
        """Those that were started, by the last process that got so far."""
        self.idle: list[str] = []
        """Those of the last process that implement no hook."""
        self.ready_since = 0.0
        """Epoch seconds: when its plugins were started."""
        self.problems: dict[str, str] = {}
        """Why plugins could not be loaded, by the last process that got so far."""
        self.hung = False
        """The process was killed because a call did not return."""
        self._memory: ProgressMemory | None = None

    @property
    def memory(self) -> ProgressMemory:
        """What all its processes share with the supervisor, one after the other.  Raises OSError
        where the system has no file left to give."""
        if self._memory is None:
            self._memory = ProgressMemory()
        return self._memory

    def start(self, now: float, *arguments: object, pipes: Sequence[Connection] = ()) -> None:
        self.released = self.ready = self.hung = False
        try:
            pipes = self.memory.handle(), *pipes
        except OSError as error:
            raise Error(f"the {self} can't be started: {error.strerror or error}") from error
        super().start(now, *arguments, pipes=pipes)

    def call(self) -> HookCall | None:
        """The call that its process is in, or has died in."""
        call = None if self._memory is None else self._memory.current()
        if call is not None and call.since < self.restarts.started_at:
            return None  # the process before this one died in it
        return call

    def cursors(self) -> dict[str, int]:
        """How far its head has come, by account.  Raises JournalError."""
        known = self.known()
        return {} if known is None else {a: c.done for a, c in known.heads().items()}

    def known(self) -> StoredCursors | None:
        """How far it and its plugins have come; None: nothing is known.  Raises JournalError."""
        return known_cursors(
            StateFolder(self.task.state_dir).progress_file(self.name),
            self.task.accounts,
            self._memory,
            self.task.wanted,
        )

    def reap(self) -> int:
        self.ready = False
        return super().reap()

    def close(self) -> None:
        """It is not started again."""
        if self._memory is not None:
            self._memory.close()
            self._memory = None


def connect(connection: ConnectionChild, host: HostChild) -> None:
    """Give both processes their ends of a new queue.

    A process that can't be given its end is killed: it would wait for events in vain.
    """
    if connection.control is None or host.control is None:
        return
    for child in (connection, host):
        if not child.has_room():
            log.error("the %s has not read its messages for long: killed", child)
            child.kill()
            return
    try:
        reader, writer = Pipe(duplex=False)
    except OSError as error:
        log.error("the %s gets no queue (%s): killed", host, error.strerror)
        host.kill()
        return
    host_has_it = host.control.send_queue(Attach(connection.name), reader)
    connection_has_it = connection.control.send_queue(Attach(host.name), writer)
    for child, has_it in ((host, host_has_it), (connection, connection_has_it)):
        if not has_it and not child.has_ended():
            log.error("the %s was not given its queue: killed", child)
            child.kill()
