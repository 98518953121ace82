"""One life of a service, from `connect` to `close`."""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections.abc import Callable
from contextlib import ExitStack

from qehost.processes.control import ConnectionTask
from qehost.service.connection_state import StreamState
from qehost.service.delivery_thread import DeliveryThread, EventReceiver
from qehost.service.inbox import Inbox
from qehost.service.logger import SafeLogger
from qehost.service.position import in_folder, in_memory
from qehost.service.process_monitor import ProcessMonitor

__all__ = ["Session"]

END_WITHIN = 3.0
"""Seconds that the connection process has to end in."""
HANDLER_WITHIN = 5.0
"""Seconds that `close` waits for a handler that is running."""
AT_EXIT_WITHIN = 0.5
"""The same as END_WITHIN, for a program that has come to its end."""


class Session:
    """`after` is the session before this one, in whose last handler this one may be begun.

    Raises JournalError if the state folder can't be used.
    """

    def __init__(
        self,
        task: ConnectionTask,
        log: Callable[[], SafeLogger],
        after: Session | None = None,
    ) -> None:
        self.task = task
        self._generation = 0
        self._pid = os.getpid()
        self._log = log
        with ExitStack() as undo:
            place = (
                in_folder(task.state_dir, task.account, task.journal)
                if task.state_dir
                else in_memory(task.account)
            )
            undo.callback(place.close)
            inbox = Inbox()
            undo.callback(inbox.close)
            self._place = place
            self._state = StreamState()
            self._state.note_status(place.before, False)
            self._monitor = ProcessMonitor(task, inbox, self._state, log, self._abandoned)
            undo.callback(self._monitor.stop, END_WITHIN)
            self._delivery = DeliveryThread(
                task.account,
                inbox,
                place,
                self._state,
                log,
                self._abandoned,
                None if after is None else after.thread,
            )
            undo.pop_all()

    @property
    def thread(self) -> threading.Thread:
        """In which handlers are called."""
        return self._delivery.thread

    @property
    def position(self) -> int:
        """The last event that the program has handled."""
        return self._place.position.cursor

    @property
    def alive(self) -> bool:
        """Whether nobody has closed it, in this process."""
        return not self._delivery.stopped.is_set() and self._pid == os.getpid()

    @property
    def connected(self) -> bool:
        return self.alive and self._state.connected

    def start(self, receiver: EventReceiver) -> None:
        """Whatever is raised, nothing has been started then."""
        try:
            self._delivery.start(receiver)
            self._monitor.start()
        except BaseException:
            self._delivery.silence()
            self._delivery.stop(HANDLER_WITHIN)
            self._monitor.stop(END_WITHIN)
            raise
        _running.add(self)

    def stopped(self) -> bool:
        return self._delivery.stopped.is_set()

    def replace(self, task: ConnectionTask) -> None:
        """Go on with this task, which has another listen key."""
        self.task = task
        self._generation += 1
        self._delivery.generation = self._generation
        self._monitor.replace(task, self._generation)

    def close(self) -> None:
        """End everything.  Waits, but never for ever, and not for the handler that calls this."""
        if self._pid != os.getpid():
            return  # a fork of the program: the connection is its parent's
        self._delivery.stopped.set()
        self._monitor.stop(END_WITHIN)
        if not self._delivery.stop(HANDLER_WITHIN):
            self._log().warning(
                "closed, but a handler is still running after %g s; no other will be called",
                HANDLER_WITHIN,
            )
        _running.discard(self)

    def end(self) -> None:
        """At the end of the program: only the process, and quickly; no handler is called."""
        if self._pid == os.getpid():
            self._delivery.silence()
            self._monitor.stop(AT_EXIT_WITHIN)

    def _abandoned(self) -> None:
        """One side can't go on, or is gone; called in the thread that found out."""
        self._delivery.stopped.set()
        threading.Thread(target=self.close, name="qehost-close", daemon=True).start()


_running: weakref.WeakSet[Session] = weakref.WeakSet()


@atexit.register
def _end_all() -> None:
    for session in list(_running):
        session.end()
