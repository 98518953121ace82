"""One life of a service, from `connect` to `close`."""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections.abc import Callable
from contextlib import ExitStack

from qehost.control import ConnectionTask
from qehost.service.courier import Consumer, Courier
from qehost.service.inbox import Inbox
from qehost.service.keeper import Keeper
from qehost.service.logger import Guarded
from qehost.service.place import InJournal, InMemory
from qehost.service.presence import Presence

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
        log: Callable[[], Guarded],
        after: Session | None = None,
    ) -> None:
        self.task = task
        self._generation = 0
        self._pid = os.getpid()
        self._log = log
        with ExitStack() as undo:
            place = (
                InJournal(task.state_dir, task.account, task.journal)
                if task.state_dir
                else InMemory()
            )
            undo.callback(place.close)
            inbox = Inbox()
            undo.callback(inbox.close)
            self._presence = Presence()
            self._presence.note_status(place.before, False)
            self._keeper = Keeper(task, inbox, self._presence, log, self._abandoned)
            undo.callback(self._keeper.stop, END_WITHIN)
            self._courier = Courier(
                task.account,
                inbox,
                place,
                self._presence,
                log,
                self._abandoned,
                None if after is None else after.thread,
            )
            undo.pop_all()

    @property
    def thread(self) -> threading.Thread:
        """In which handlers are called."""
        return self._courier.thread

    @property
    def alive(self) -> bool:
        """Whether nobody has closed it, in this process."""
        return not self._courier.stopped.is_set() and self._pid == os.getpid()

    @property
    def connected(self) -> bool:
        return self.alive and self._presence.connected

    def start(self, consumer: Consumer) -> None:
        """Whatever is raised, nothing has been started then."""
        try:
            self._courier.start(consumer)
            self._keeper.start()
        except BaseException:
            self._courier.silence()
            self._courier.stop(HANDLER_WITHIN)
            self._keeper.stop(END_WITHIN)
            raise
        _running.add(self)

    def stopped(self) -> bool:
        return self._courier.stopped.is_set()

    def replace(self, task: ConnectionTask) -> None:
        """Go on with this task, which has another listen key."""
        self.task = task
        self._generation += 1
        self._courier.generation = self._generation
        self._keeper.replace(task, self._generation)

    def close(self) -> None:
        """End everything.  Waits, but never for ever, and not for the handler that calls this."""
        if self._pid != os.getpid():
            return  # a fork of the program: the connection is its parent's
        self._courier.stopped.set()
        self._keeper.stop(END_WITHIN)
        if not self._courier.stop(HANDLER_WITHIN):
            self._log().warning(
                "closed, but a handler is still running after %g s; no other will be called",
                HANDLER_WITHIN,
            )
        _running.discard(self)

    def end(self) -> None:
        """At the end of the program: only the process, and quickly; no handler is called."""
        if self._pid == os.getpid():
            self._courier.silence()
            self._keeper.stop(AT_EXIT_WITHIN)

    def _abandoned(self) -> None:
        """One side can't go on, or is gone; called in the thread that found out."""
        self._courier.stopped.set()
        threading.Thread(target=self.close, name="qehost-close", daemon=True).start()


_running: weakref.WeakSet[Session] = weakref.WeakSet()


@atexit.register
def _end_all() -> None:
    for session in list(_running):
        session.end()
