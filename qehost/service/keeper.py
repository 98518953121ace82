"""Keeps the connection process of one service alive, and ends it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection as Pipe
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess

import msgspec

from qehost import children
from qehost.control import ConnectionStatus, ConnectionTask, Control, Refused, Stop
from qehost.errors import ProcessDied
from qehost.queue import BatchReader
from qehost.restarts import Restarts
from qehost.service.child import Line
from qehost.service.inbox import Begun, Died, Inbox
from qehost.service.logger import Guarded
from qehost.service.presence import Presence

__all__ = ["Keeper"]

CLOSE_WITHIN = 2.0
"""Seconds for closing the WebSocket in good order."""

LOOK_EVERY = 1.0
"""Seconds between two looks whether the process is still there."""

_line = msgspec.msgpack.Decoder(Line).decode


class Keeper:
    """A thread of its own, so that handlers that take long hold up neither the stream nor its end.

    It also is what starts the process: on Linux that ends with the thread that started it, and a
    program may call `connect` in a thread that is soon over.

    `failed` is called if the thread ends without an order to.
    """

    def __init__(
        self,
        task: ConnectionTask,
        inbox: Inbox,
        presence: Presence,
        log: Callable[[], Guarded],
        failed: Callable[[], None],
    ) -> None:
        self._thread = threading.Thread(target=self._run, name="qehost-keeper", daemon=True)
        self._task = task
        self._inbox = inbox
        self._presence = presence
        self._log = log
        self._failed = failed
        self._lock = threading.Lock()
        self._order: Stop | None = None
        self._replacing = False
        self._generation = 0
        self._bell, self._ring = multiprocessing.Pipe(duplex=False)
        self._child: _Child | None = None

    def start(self) -> None:
        children.prepare()
        self._thread.start()

    def replace(self, task: ConnectionTask, generation: int) -> None:
        """Go on with a process that has this task, and begins this generation."""
        with self._lock:
            self._task, self._generation = task, generation
            self._replacing = True
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
            self._let_go()  # it could not be started
            return
        self._thread.join(timeout)
        if self._thread.is_alive():
            child = self._child
            if child is not None:
                child.kill()
            self._thread.join(1.0)

    def _is_to_end(self) -> bool:
        return self._order is not None

    def _wake(self) -> None:
        with suppress(OSError):  # it has ended
            self._ring.send_bytes(b"")

    def _let_go(self) -> None:
        self._bell.close()
        self._ring.close()

    # --- the thread ----------------------------------------------------------------------

    def _run(self) -> None:
        # Starting a process changes the signals that this thread blocks, and when it unblocks one
        # it can take it away from the main thread, whose sleep would then not be interrupted.
        signal.pthread_sigmask(signal.SIG_BLOCK, children.SIGNALS)
        try:
            self._keep_alive()
        except BaseException:  # noqa: BLE001 - whatever it was, the service must not pass for alive
            self._log().critical("the connection is given up: connect again", exc_info=True)
            if self._child is not None:
                self._child.kill()
            self._presence.process_ended()
        finally:
            self._let_go()
            if not self._is_to_end():
                self._failed()

    def _keep_alive(self) -> None:
        restarts = Restarts()
        newest: list[bytes] = []
        while not self._is_to_end():
            restarts.started(time.monotonic())
            try:
                reason = self._attend(newest)
            except Exception as error:  # noqa: BLE001 - it is tried again, whatever it was
                self._log().exception("the connection process could not be attended to")
                reason = f"the connection process could not be attended to: {error!r}"
            if self._child is not None:
                self._child.bury()
                self._child = None
            self._presence.process_ended()
            if self._is_to_end():
                self._inbox.detach(None)
                break
            if not reason:
                newest = self._inbox.detach(None)
                continue
            delay = restarts.died(time.monotonic())
            newest = self._inbox.detach(
                Died(f"{reason.rstrip('.')}. It is started again in {delay:.1f} s")
            )
            self._pause(delay)

    def _attend(self, newest: list[bytes]) -> str:
        """Start the process and see to it until it has ended; why it did, `""`: by order."""
        with self._lock:
            task, self._replacing = self._task, False
            begun = Begun(self._generation)
        child = self._child = _Child(task, newest)
        self._inbox.attach(child.events, begun)
        refused = ""
        kill_at: float | None = None
        while True:
            ready = wait([self._bell, *child.sources()], LOOK_EVERY if kill_at is None else 0.1)
            if self._bell in ready:
                self._bell.recv_bytes()
            if child.lines is not None and child.lines.connection in ready:
                self._pass_on_lines(child)
            if child.control.connection in ready:
                refused = self._listen(child) or refused
            with self._lock:
                order = self._order
                if order is None and self._replacing:
                    order = Stop("there is another listen key", CLOSE_WITHIN)
            if order is not None and kill_at is None:
                kill_at = time.monotonic() + order.timeout + 0.5
                child.control.send(order)
            elif kill_at is not None and time.monotonic() >= kill_at:
                child.kill()
                kill_at += 1.0
            if child.has_ended(ready):
                break
        refused = self._listen(child) or refused
        self._pass_on_lines(child)
        if kill_at is not None:
            return ""
        code = child.exit_code()
        return refused or str(ProcessDied("connection", code))

    def _listen(self, child: _Child) -> str:
        """Take what the process says of itself; why it could not start."""
        refused = ""
        while child.control.poll():
            try:
                message = child.control.receive()
            except EOFError:
                child.ended = True
                break
            match message:
                case ConnectionStatus(state=state, last_seq=last_seq):
                    self._presence.note_status(last_seq, state == "connected")
                case Refused(text=text):
                    refused = text
        return refused

    def _pass_on_lines(self, child: _Child) -> None:
        lines = child.lines
        if lines is None:
            return
        try:
            while lines.connection.poll():
                for data in lines.read():
                    if isinstance(data, int):
                        continue  # what was left out of the log is told nowhere
                    line = _line(data)
                    self._log().log(line.level, "%s", line.text)
        except (EOFError, OSError):
            lines.close()
            child.lines = None

    def _pause(self, delay: float) -> None:
        deadline = time.monotonic() + delay
        while (left := deadline - time.monotonic()) > 0:
            with self._lock:
                if self._order is not None or self._replacing:
                    return
            if self._bell.poll(left):
                self._bell.recv_bytes()


class _Child:
    """One connection process and the pipes to it."""

    def __init__(self, task: ConnectionTask, newest: list[bytes]) -> None:
        ours, control = multiprocessing.Pipe()
        events_in, events = multiprocessing.Pipe(duplex=False)
        lines_in, lines = multiprocessing.Pipe(duplex=False)
        self.control = Control(ours)
        self.events = BatchReader(events_in)
        self.lines: BatchReader | None = BatchReader(lines_in)
        self.ended = False
        try:
            self.process: SpawnProcess = children.start(
                f"qehost-connection-{task.account}",
                "qehost.service.child",
                *(task, newest, _hidden(), control, events, lines),
            )
        except BaseException:
            self.events.close()
            self._close()
            raise
        finally:
            # Only the child may hold its ends: otherwise its death would not show.
            for pipe in (control, events, lines):
                pipe.close()

    def sources(self) -> list[Pipe | int]:
        lines = [] if self.lines is None else [self.lines.connection]
        return [self.control.connection, self.process.sentinel, *lines]

    def has_ended(self, ready: Sequence[object] = ()) -> bool:
        """Whether it is there no more.  `ready` are those of the sources that are.

        A fork that the program made while this was started holds its pipes open, so the kernel is
        asked, too; but that may have told somebody else, who waits for every child.
        """
        return self.ended or self.process.sentinel in ready or self.process.exitcode is not None

    def exit_code(self) -> int:
        self.process.join(1.0)
        return self.process.exitcode or 0

    def kill(self) -> None:
        with suppress(OSError, ValueError):
            self.process.kill()

    def bury(self) -> None:
        self.process.join(0.5)
        if self.process.exitcode is None and not wait([self.process.sentinel], 0):
            # It has closed its pipes, but does not end.
            self.kill()
            self.process.join(0.5)
        with suppress(ValueError):
            self.process.close()
        self._close()

    def _close(self) -> None:
        self.control.close()
        if self.lines is not None:
            self.lines.close()
            self.lines = None


def _hidden() -> list[str]:
    """The folders of the import path in which a program's own modules stand."""
    own = {os.getcwd()}
    if script := getattr(sys.modules.get("__main__"), "__file__", None):
        own.add(os.path.dirname(os.path.abspath(script)))
    # Unless qehost itself lives there.
    own.discard(os.path.dirname(os.path.dirname(os.path.abspath(children.__file__))))
    return sorted(own)
