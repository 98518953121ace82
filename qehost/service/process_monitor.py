"""Keeps the connection process of one service running, and ends it."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Pipe, wait

from qehost.errors import Error, ProcessDied
from qehost.processes.bootstrap import SIGNALS
from qehost.processes.child import LOOK_EVERY, Child
from qehost.processes.control import ConnectionStatus, ConnectionTask, LogLine, Refused, Stop
from qehost.processes.queue import BatchReader
from qehost.service.connection_state import StreamState
from qehost.service.inbox import Begun, Died, Inbox
from qehost.service.logger import SafeLogger

__all__ = ["ProcessMonitor"]

CLOSE_WITHIN = 2.0
"""Seconds for closing the WebSocket in good order."""
KILL_AFTER = 0.5
"""Seconds beyond its time after which a process that was told to end is killed."""
KILL_EVERY = 1.0
"""Seconds until one that was killed and still runs is killed once more."""


class ProcessMonitor:
    """A thread of its own, so that handlers that take long hold up neither the stream nor its end.

    It also is what starts the process: on Linux that ends with the thread that started it, and a
    program may call `connect` in a thread that is soon over.

    `failed` is called if the thread ends without an order to.
    """

    def __init__(
        self,
        task: ConnectionTask,
        inbox: Inbox,
        state: StreamState,
        log: Callable[[], SafeLogger],
        failed: Callable[[], None],
    ) -> None:
        self._thread = threading.Thread(target=self._run, name="qehost-monitor", daemon=True)
        self._child = Child("connection", task.account, "qehost.service.connection_process", task)
        self._inbox = inbox
        self._state = state
        self._log = log
        self._failed = failed
        self._newest: list[bytes] = []
        """The batches that came last from the process before."""
        self._why = ""
        """Why the process ends, where that is known before it has ended."""
        self._kill_at: float | None = None
        """When it is killed if it has not ended by then; None: it is not told to end."""
        self._lock = threading.Lock()
        self._order: Stop | None = None
        self._replacement: tuple[ConnectionTask, int] | None = None
        self._generation = 0
        # Written to in order to wake the thread.
        self._wakeup, self._waker = socket.socketpair()
        for end in (self._wakeup, self._waker):
            end.setblocking(False)

    def start(self) -> None:
        self._thread.start()

    def replace(self, task: ConnectionTask, generation: int) -> None:
        """Go on with a process that has this task, and begins this generation."""
        with self._lock:
            self._replacement = task, generation
        self._wake()

    def stop(self, timeout: float) -> None:
        """End the process, by force after `timeout` seconds; it is gone when this returns."""
        with self._lock:
            if self._order is None:
                self._order = Stop("closed by this program", min(timeout, CLOSE_WITHIN))
        self._wake()
        if threading.current_thread() is self._thread:
            return  # a handler of the program's logger
        if self._thread.ident is None:
            self._close()  # it could not be started
            return
        self._thread.join(timeout)
        if self._thread.is_alive():
            self._child.kill()
            self._thread.join(1.0)

    def _wake(self) -> None:
        with suppress(OSError):  # the thread has ended, or is woken already
            self._waker.send(b"\0")

    def _close(self) -> None:
        self._wakeup.close()
        self._waker.close()

    # --- the thread ----------------------------------------------------------------------

    def _run(self) -> None:
        # A start blocks them for a moment.  The thread that unblocks one that has come meanwhile
        # may take it from the main thread, whose sleep would then not be interrupted.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        child = self._child
        child.start_at = time.monotonic()
        try:
            while child.running or child.start_at is not None:
                try:
                    self._turn()
                except Exception as error:  # noqa: BLE001 - it is tried again, whatever it was
                    self._log().exception("the connection process could not be attended to")
                    child.kill()
                    self._ended(f"the connection process could not be attended to: {error!r}")
        except BaseException:  # noqa: BLE001 - whatever it was, the service must not pass for alive
            self._log().critical("the connection is given up: connect again", exc_info=True)
            child.kill()
            self._state.process_ended()
        finally:
            self._close()
            if self._order is None:
                self._failed()

    def _turn(self) -> None:
        child, now = self._child, time.monotonic()
        self._obey(now)
        if not child.running:
            if child.start_at is None:
                return  # it is not to be started again
            if now >= child.start_at:
                self._start(now)
        due = (child.start_at, self._kill_at, now + LOOK_EVERY)
        timeout = min(at for at in due if at is not None) - now
        if self._wakeup in wait([self._wakeup, *child.sources()], max(0.0, timeout)):
            self._wakeup.recv(4096)
        # Asked before its messages are read, so that none of one that has ended is left.
        ended = child.has_ended()
        child.keep_time(time.monotonic())
        for message in child.messages():
            match message:
                case LogLine(level=level, text=text):
                    self._log().log(level, "%s", text)
                case ConnectionStatus(state=state, last_seq=last_seq):
                    self._state.note_status(last_seq, state == "connected")
                case Refused(text=text):
                    self._why = text
        if ended:
            self._ended()
        elif child.stands_still:
            self._why = f"the connection process sent nothing for {child.silent_for:.0f} s: killed"
            child.kill()

    def _obey(self, now: float) -> None:
        """Stop the process if it is to end, or to be replaced."""
        child = self._child
        with self._lock:
            order = self._order
            if order is None and self._replacement is not None:
                order = Stop("there is another listen key", CLOSE_WITHIN)
        if order is None:
            return
        if not child.running:
            child.start_at = now if self._order is None else None
        elif self._kill_at is None:
            child.send(order)
            self._kill_at = now + order.timeout + KILL_AFTER
        elif now >= self._kill_at:
            child.kill()
            self._kill_at = now + KILL_EVERY

    def _start(self, now: float) -> None:
        with self._lock:
            if self._replacement is not None:
                self._child.task, self._generation = self._replacement
                self._replacement = None
        self._why = ""
        try:
            reader, writer = Pipe(duplex=False)
            try:
                self._child.start(now, self._newest, pipes=[writer])
            except Error:
                reader.close()
                raise
        except (Error, OSError) as error:
            self._ended(str(error))
        else:
            self._inbox.attach(BatchReader(reader), Begun(self._generation))

    def _ended(self, why: str = "") -> None:
        """The process has ended, or could not be started: start it again, unless it is to end."""
        child = self._child
        code = child.reap() if child.running else 0
        self._state.process_ended()
        now = time.monotonic()
        if self._kill_at is not None:
            self._kill_at = None
            child.start_at = now if self._order is None else None
            self._newest = self._inbox.detach(None)
            return
        why = why or self._why or str(ProcessDied("connection", code))
        delay = child.start_again(now)
        died = Died(f"{why.rstrip('.')}. It is started again in {delay:.1f} s")
        self._newest = self._inbox.detach(died)
