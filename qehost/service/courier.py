"""The one thread in which a program gets its events."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Protocol

from qehost.errors import GapError, WebsocketClientError, to_problem
from qehost.journal.layout import span
from qehost.journal.reader import FOREVER
from qehost.messages import (
    AnyEvent,
    ConnectedEvent,
    Disconnected,
    DisconnectedEvent,
    ErrorEvent,
)
from qehost.records import decode_events
from qehost.service.inbox import Begun, Died, Inbox
from qehost.service.logger import Guarded
from qehost.service.place import Missing, Place
from qehost.service.presence import Presence

__all__ = ["Consumer", "Courier"]


class Consumer(Protocol):
    """Who gets the events."""

    at_once: int
    """Events between two notes of how far it has come: what comes again at most after a crash."""

    def deliver(self, events: Sequence[AnyEvent]) -> int:
        """Take them; of how many that was the end, where it was stopped in between."""

    def last_words(self, event: AnyEvent) -> None:
        """Take one event that comes after the stop."""

    def gone(self) -> bool:
        """Whether nobody is there any more who could take events."""

    def stop(self) -> None:
        """Called by another thread: `deliver` is to return soon."""


class Courier:
    """Takes from the inbox, hands to the consumer.

    `after` is the thread of an earlier courier of this service: two never run at the same time.
    `abandoned` is called if the consumer has gone without a word.
    """

    def __init__(
        self,
        account: str,
        inbox: Inbox,
        place: Place,
        presence: Presence,
        log: Callable[[], Guarded],
        abandoned: Callable[[], None],
        after: threading.Thread | None,
    ) -> None:
        self.consumer: Consumer
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._run, name="qehost-handlers", daemon=True)
        self.generation = 0
        """Set by another thread when the program gives another listen key.  The old connection ends
        by that, and it would be told long after: it is history.  Who connects whenever a connection
        has ended would otherwise never come to an end."""
        self._begun = Begun(0)
        self._asks_where = False
        self._history = place.before
        """Up to this event connections and their ends are not told."""
        self._account = account
        self._inbox = inbox
        self._place = place
        self._presence = presence
        self._log = log
        self._abandoned = abandoned
        self._after = after
        self._connected = False
        """As far as the consumer was told."""
        self._silent = False

    def start(self, consumer: Consumer) -> None:
        self.consumer = consumer
        self.thread.start()

    def stop(self, timeout: float) -> bool:
        """End within `timeout` seconds; False: a handler still runs.  No call begins after this.

        From inside a handler: it ends after that handler.
        """
        self.stopped.set()
        self.consumer.stop()
        self._inbox.ring()
        if threading.current_thread() is self.thread:
            return True
        if self.thread.ident is None:
            self._let_go()  # it could not be started
            return True
        if self._after is threading.current_thread():
            timeout = 0.0  # it has not begun: it waits for the handler that calls this
        self.thread.join(timeout)
        if self.thread.is_alive():
            self.silence()
            return False
        return True

    def silence(self) -> None:
        """No call begins after this, and nothing is waited for."""
        self._silent = True
        self.stopped.set()

    def _run(self) -> None:
        if self._after is not None and self._after is not threading.current_thread():
            self._after.join()
        # What comes from now on comes by the queue.
        self._guarded(partial(self._read_journal, self._place.before))
        while not self.stopped.is_set():
            for item in self._inbox.take():
                self._guarded(partial(self._handle, item))
            if self.consumer.gone() and not self.stopped.is_set():
                self._abandoned()
        if self._connected and not self._silent:
            self.consumer.last_words(self._disconnected("closed by this program"))
        self._let_go()

    def _let_go(self) -> None:
        self._inbox.close()
        self._place.close()

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end in silence
            self._log().critical("events could not be handed over", exc_info=True)
            self._tell(GapError(f"events could not be handed over: {error!r}"))

    def _handle(self, item: bytes | int | Died | Begun) -> None:
        if self.stopped.is_set():
            return
        if isinstance(item, Begun):
            self._asks_where |= item != self._begun
            self._begun = item
        elif isinstance(item, Died):
            if self._connected and not self._is_replaced():
                self._deliver([self._disconnected(item.reason)])
            self._tell(WebsocketClientError(item.reason))
        elif isinstance(item, int):
            if self._asks_where:
                # A process begins with the number of the last event before its own.
                self._history, self._asks_where = max(self._history, item), False
            self._read_journal(item)
        else:
            events = decode_events(item)
            if events[0].seq > self._place.position + 1:
                self._read_journal(events[0].seq - 1)
            self._pass_on(events)

    def _read_journal(self, until: int = FOREVER) -> None:
        for part in self._place.earlier(until):
            if self.stopped.is_set():
                return
            if isinstance(part, Missing):
                self._miss(part.last_seq, str(part.error))
            else:
                self._pass_on(part)

    def _pass_on(self, events: Sequence[AnyEvent]) -> None:
        position, first = self._place.position, events[0]
        if first.seq > position + 1:
            if _tells_of_a_gap(first):
                self._place.move(first.seq - 1)
            else:
                self._miss(first.seq - 1, "they got lost between the processes")
        elif events[-1].seq <= position:
            return  # they were read from the journal already
        elif first.seq <= position:
            events = events[position + 1 - first.seq :]
        for part in _parts(events, self.consumer.at_once):
            if self.stopped.is_set():
                return
            if self._is_history(part[0]):
                self._place.move(part[0].seq)
                continue
            part = self._place.hand(part)
            done = self._deliver(part)
            if done:
                self._place.move(part[done - 1].seq)
            if done < len(part):
                return

    def _is_replaced(self) -> bool:
        """Whether what comes is of a process that is about to end for another one."""
        return self._begun.generation != self.generation or self._asks_where

    def _is_history(self, event: AnyEvent) -> bool:
        """Whether it tells of a connection that is over: an earlier run's, whose end was told, or
        one that the program itself has replaced."""
        if not isinstance(event, ConnectedEvent | DisconnectedEvent):
            return False
        return event.seq <= self._history or self._is_replaced()

    def _deliver(self, events: Sequence[AnyEvent]) -> int:
        first = events[0]
        if not isinstance(first, ConnectedEvent | DisconnectedEvent):
            return self.consumer.deliver(events)
        opened = isinstance(first, ConnectedEvent)
        self._presence.note_event(first.seq, opened)
        done = self.consumer.deliver(events)
        if done:
            self._connected = opened
        return done

    def _miss(self, last_seq: int, why: str) -> None:
        """Go on after events that can't be had, and tell so."""
        if (position := self._place.position) < last_seq:
            self._tell(GapError(f"{span(position + 1, last_seq)} can't be delivered: {why}"))
            self._place.move(last_seq)

    # What is found out on this side has no place in the account's sequence: its number is 0.

    def _tell(self, error: WebsocketClientError) -> None:
        self._log().error("%s", error)
        now = time.time_ns()
        problem = to_problem(error)
        self._deliver([ErrorEvent(0, self._account, "", now, "stream", False, "", problem)])

    def _disconnected(self, reason: str) -> DisconnectedEvent:
        now = time.time_ns()
        message = Disconnected(reason)
        return DisconnectedEvent(0, self._account, "", now, "stream", False, "", message)


def _parts(events: Sequence[AnyEvent], size: int) -> Iterator[Sequence[AnyEvent]]:
    """At most `size` at a time.  What tells of a connection comes alone: whether it is told is
    decided when what was before it has been handled."""
    start = 0
    for number, event in enumerate(events):
        alone = isinstance(event, ConnectedEvent | DisconnectedEvent)
        if start < number and (alone or number - start == size):
            yield events[start:number]
            start = number
        if alone:
            yield events[number : number + 1]
            start = number + 1
    if start < len(events):
        yield events[start:]


def _tells_of_a_gap(event: AnyEvent) -> bool:
    return isinstance(event, ErrorEvent) and event.message.code == GapError.code
