"""One child process, over all its restarts."""

from __future__ import annotations

import logging
import multiprocessing
import time
from multiprocessing.context import SpawnProcess

from qehost import children
from qehost.control import Attach, ConnectionTask, Control, ControlMessage, HostTask
from qehost.errors import Error
from qehost.restarts import Restarts

__all__ = ["Child", "link"]

log = logging.getLogger("qehost.supervisor")


class Child:
    """Times are seconds on the monotonic clock, but `since` (epoch): when it began or ended."""

    def __init__(self, kind: str, name: str, module: str, task: ConnectionTask | HostTask) -> None:
        self.kind = kind
        self.name = name
        self.module = module
        self.task = task
        self.restarts = Restarts()
        self.start_at: float | None = None
        self.process: SpawnProcess | None = None
        self.control: Control | None = None
        self.since = 0.0
        self.ready = False
        """A host process whose plugins are started."""
        self.was_ready = False
        """It worked once: a host's plugins were started, a connection's loop ran."""
        self.failing = False
        """A connection process that gave up, was refused or keeps dying, and has not been connected
        since."""
        self.heard = False
        """A connection process to which the venue has sent something."""
        self.plugins: list[str] = []
        """Those of a host process that were started."""
        self.last_seq = 0
        """Of a connection process: the last event when it was started."""
        self.quiet = 0
        """Ticks since it said something."""
        self.silent = False
        """Its end of the control pipe is closed."""
        self.hung = False
        """It was killed because a call did not end."""

    def __str__(self) -> str:
        return f"{self.kind} process {self.name}"

    @property
    def running(self) -> bool:
        return self.process is not None

    @property
    def pid(self) -> int:
        """0 where there is no process."""
        return (self.process.pid or 0) if self.process is not None else 0

    def start(self, now: float) -> None:
        """Raises Error where the system has no process or no file left to give."""
        self.start_at = None
        self.restarts.started(now)
        try:
            ours, theirs = multiprocessing.Pipe()
        except OSError as error:
            raise self._not_started(error) from error
        try:
            self.process = children.start(
                f"{self.kind}-{self.name}", self.module, self.task, theirs
            )
        except OSError as error:
            ours.close()
            raise self._not_started(error) from error
        finally:
            # Only the child may hold its end: otherwise its death would not show as an end of file.
            theirs.close()
        self.control = Control(ours)
        self.since = time.time()
        self.quiet = 0
        self.ready = self.silent = self.hung = self.heard = False

    def _not_started(self, error: OSError) -> Error:
        return Error(f"the {self} can't be started: {error.strerror or error}")

    def takes(self) -> bool:
        """Whether it reads what is sent to it."""
        return self.control is not None and self.control.takes()

    def send(self, message: ControlMessage) -> None:
        """Send, unless that would have to wait: one that reads nothing would not heed it either."""
        if self.control is not None and self.control.takes():
            self.control.send(message)

    def has_ended(self) -> bool:
        """Whether its process is there no more.

        Asked of the kernel: the sentinel stays open as long as a fork of the process does.
        """
        return self.process is not None and self.process.exitcode is not None

    def buried(self) -> int:
        """Take leave of a process that has ended; its exit code."""
        assert self.process is not None
        assert self.control is not None
        self.process.join()
        code = self.process.exitcode or 0
        self.process.close()
        self.control.close()
        self.process = self.control = None
        self.since = time.time()
        self.ready = False
        return code

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()


def link(connection: Child, host: Child) -> None:
    """Give both processes their ends of a new queue.  One that can't be given its end is killed:
    without it, it would stand there for nothing."""
    if connection.control is None or host.control is None:
        return
    for child in (connection, host):
        if not child.takes():
            log.error("the %s has not read its messages for long: killed", child)
            child.kill()
            return
    try:
        reader, writer = multiprocessing.Pipe(duplex=False)
    except OSError as error:
        log.error("the %s gets no queue (%s): killed", host, error.strerror)
        host.kill()
        return
    given = host.control.send_queue(Attach(connection.name), reader)
    taken = connection.control.send_queue(Attach(host.name), writer)
    for child, has_it in ((host, given), (connection, taken)):
        if not has_it and not child.has_ended():
            log.error("the %s was not given its queue: killed", child)
            child.kill()
