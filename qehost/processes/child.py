"""The keeper of one child process, over all its restarts.

It starts the process, takes its messages, notices that it has ended or stands still, and says when
it is to be started again.  What follows from a message or an end is the owner's to decide.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any

from qehost.errors import Error, ProcessDied
from qehost.processes import spawn
from qehost.processes.backoff import Restarts
from qehost.processes.control import ConnectionStatus, Control, ControlMessage, Ready

__all__ = ["LOOK_EVERY", "SILENT_AFTER", "START_WITHIN", "Child"]

LOOK_EVERY = 1.0
"""Seconds between two looks at a child: each sends a status about once a second."""
SILENT_AFTER = 30.0
"""Seconds without a message after which a connection process counts as standing still."""
START_WITHIN = 120.0
"""The same until its first message: on a machine that is busy, or from a slow disk, Python and the
end of the journal take a while to load, and the next process would take no less."""
LONGEST_STEP = 2 * LOOK_EVERY
"""Seconds that one look adds to a silence at most: the child is not to blame for time in which the
owner or the whole machine stood still."""


class Child:
    """`kind` and `name` make its title; `module` is what it runs, with `task` for its arguments.

    Times are seconds on the monotonic clock, except for `since`.
    """

    def __init__(
        self, kind: str, name: str, module: str, task: Any, *, loads_plugins: bool = False
    ) -> None:
        self.kind = kind
        self.name = name
        self.task = task
        self.restarts = Restarts()
        self.process: spawn.Process | None = None
        self.control: Control | None = None
        self.since = 0.0
        """Epoch seconds: when the process was started, or ended."""
        self.death = ""
        """How the last process ended, or why it could not be started."""
        self.start_at: float | None = None
        """When it is to be started again; None: it runs, or it is not to be."""
        self.worked = False
        """One of its processes ran: a connection's loop, or a host's plugins."""
        self.progressed = False
        """Whether the process got something done, so that its death does not count as one of a row:
        a connection process that was sent something by the venue has."""
        self._module = module
        self._loads_plugins = loads_plugins
        self.silent_for = 0.0
        """Seconds without a message."""
        self._looked_at = 0.0
        self._has_spoken = False
        self._at_end = False

    def __str__(self) -> str:
        return f"{self.kind} process {self.name}"

    @property
    def running(self) -> bool:
        """From the start until `reap`."""
        return self.process is not None

    @property
    def pid(self) -> int:
        """0 where there is no process."""
        return 0 if self.process is None else self.process.pid

    def start(self, now: float, *arguments: object, pipes: Sequence[Connection] = ()) -> None:
        """Start a process with the task, these arguments, the control pipe and `pipes`, which are
        closed here.

        Raises Error where the system has no process or no file left to give.
        """
        self.start_at = None
        self.restarts.started(now)
        self.progressed = self._at_end = self._has_spoken = False
        self.silent_for, self._looked_at = 0.0, now
        name, arguments = f"{self.kind}-{self.name}", (self.task, *arguments)
        try:
            self.process = spawn.start(
                name,
                self._module,
                arguments,
                pipes,
                loads_plugins=self._loads_plugins,
                keep_secrets=self._loads_plugins and self.task.host.keep_secrets,
            )
        except OSError as error:
            raise Error(f"the {self} can't be started: {error.strerror or error}") from error
        self.control = Control(self.process.pipe)
        self.since = time.time()

    # --- what it does ----------------------------------------------------------------------

    def sources(self) -> list[Connection]:
        """For `multiprocessing.connection.wait`: ready when it has sent something or has ended.

        Ask `has_ended` once a second all the same.
        """
        if self.process is None or self.control is None:
            return []
        return [self.process.lifeline, *(() if self._at_end else (self.control.connection,))]

    def messages(self) -> Iterator[ControlMessage]:
        """What it has sent."""
        while self.control is not None and not self._at_end and self.control.poll():
            try:
                message = self.control.receive()
            except EOFError:
                self._at_end = True
                return
            self.silent_for = 0.0
            self._has_spoken = True
            match message:
                case ConnectionStatus(last_message=last_message):
                    self.worked = True
                    self.progressed = last_message > 0
                case Ready():
                    self.worked = True
            yield message

    def keep_time(self, now: float) -> None:
        """To be called about once a second."""
        self.silent_for += min(now - self._looked_at, LONGEST_STEP)
        self._looked_at = now

    @property
    def stands_still(self) -> bool:
        """A connection process that sends nothing: it should be killed, as it misses everything."""
        limit = SILENT_AFTER if self._has_spoken else START_WITHIN
        return self.running and self.silent_for >= limit

    def has_ended(self) -> bool:
        """Asked of the kernel: a fork of the process may hold its pipes open."""
        return self.process is not None and self.process.exit_code is not None

    # --- what is done to it ------------------------------------------------------------------

    def has_room(self) -> bool:
        """Whether a message can be sent to it without waiting: it reads what it is sent."""
        return self.control is not None and self.control.has_room()

    def send(self, message: ControlMessage) -> None:
        """Send, unless that would have to wait: one that reads nothing would not obey either."""
        if self.control is not None and self.control.has_room():
            self.control.send(message)

    def kill(self) -> None:
        self.silent_for = 0.0
        if self.process is not None:
            self.process.kill()

    def reap(self) -> int:
        """Give back what a process that has ended takes, and wait for one that has not; its exit
        code."""
        assert self.process is not None
        code = self.process.wait() or 0
        self.process.close()
        self.process = self.control = None
        self.since = time.time()
        return code

    def died(self, exit_code: int) -> ProcessDied:
        """How it ended, for the log."""
        return ProcessDied(f"{self.kind} ({self.name})", exit_code)

    def start_again(self, now: float) -> float:
        """It has died, or could not be started: set `start_at`; the seconds until then."""
        delay = self.restarts.died(now, progressed=self.progressed)
        self.start_at = now + delay
        return delay
