"""The one thread in which a program gets its events."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from qehost.errors import GapError, WebsocketClientError
from qehost.events.problems import to_problem
from qehost.host.delivery import SLICE, ConsumerClosed, Delivery
from qehost.messages import (
    AnyEvent,
    ConnectedEvent,
    Disconnected,
    DisconnectedEvent,
    ErrorEvent,
)
from qehost.service.connection_state import StreamState
from qehost.service.inbox import Begun, Died, Inbox
from qehost.service.logger import SafeLogger
from qehost.service.position import Place

__all__ = ["DeliveryThread", "EventReceiver"]

CONNECTION = ConnectedEvent, DisconnectedEvent
LOOK_EVERY = 1.0
"""Seconds between two looks at the file of the cursor."""


class EventReceiver(Protocol):
    """The program's side: its handlers, or its `async for`."""

    slice_size: int
    """Events that it takes at once: what comes again at most after a crash."""

    def deliver(self, events: Sequence[AnyEvent]) -> None:
        """Take them all, or raise ConsumerClosed."""

    def deliver_last(self, event: AnyEvent) -> None:
        """Take one event that comes after the stop."""

    def is_gone(self) -> bool:
        """Whether it can never take events again, though it was not stopped."""

    def stop(self) -> None:
        """Called by another thread: `deliver` is to return soon."""


class DeliveryThread:
    """Takes batches from the inbox; the consumer of their delivery, on behalf of the program.

    `after` is the thread of an earlier session of this service: two never run at the same time.
    `abandoned` is called if the receiver takes no more, though it was not stopped.
    """

    def __init__(
        self,
        account: str,
        inbox: Inbox,
        place: Place,
        state: StreamState,
        log: Callable[[], SafeLogger],
        abandoned: Callable[[], None],
        after: threading.Thread | None,
    ) -> None:
        self.receiver: EventReceiver
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._run, name="qehost-handlers", daemon=True)
        self.generation = 0
        """Set by another thread when the program gives another listen key.  The end of the old
        connection is history then: a program that connects whenever a connection has ended would
        otherwise never come to an end."""
        self._account = account
        self._inbox = inbox
        self._place = place
        self._state = state
        self._log = log
        self._abandoned = abandoned
        self._after = after
        self._begun = Begun(0)
        self._awaits_first = False
        """A process has begun, and the number of its first event is not known yet."""
        self._history = place.before
        """Up to this event connections and their ends are not told."""
        self._connected = False
        """As far as the program was told."""
        self._silent = False
        self._look_at = 0.0

    def start(self, receiver: EventReceiver) -> None:
        self.receiver = receiver
        self._delivery = Delivery(
            self._account,
            self._place.position,
            self,
            self._place.journal,
            lambda *line: self._log().error(*line),
            # In memory there is nothing to note after each event.
            slice_size=receiver.slice_size if self._place.journal else SLICE,
        )
        self.thread.start()

    def stop(self, timeout: float) -> bool:
        """End within `timeout` seconds; False: a handler still runs.  No call begins after this.

        From inside a handler: it ends after that handler.
        """
        self.stopped.set()
        self.receiver.stop()
        self._inbox.ring()
        if threading.current_thread() is self.thread:
            return True
        if self.thread.ident is None:
            self._close()  # it could not be started
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

    # --- the thread ------------------------------------------------------------------------

    def _run(self) -> None:
        if self._after is not None:
            self._after.join()
        try:
            # What comes from now on comes by the queue.
            self._guarded(partial(self._deliver_batch, self._place.before))
            while not self.stopped.is_set():
                for item in self._inbox.take():
                    self._guarded(partial(self._handle, item))
                if (now := time.monotonic()) >= self._look_at:
                    self._look_at = now + LOOK_EVERY
                    self._place.look_after()
                if self.receiver.is_gone():
                    break
        except ConsumerClosed:
            # Nothing more may move the cursor: what was not taken comes at the next start.
            pass
        if not self.stopped.is_set():
            self._abandoned()
        if self._connected and not self._silent:
            self.receiver.deliver_last(self._disconnected("closed by this program"))
        self._close()

    def _close(self) -> None:
        self._inbox.close()
        self._place.close()

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except ConsumerClosed:
            raise
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end in silence
            self._log().critical("events could not be delivered", exc_info=True)
            self.tell(GapError(f"events could not be delivered: {error!r}"))

    def _handle(self, item: tuple[str, bytes] | int | Died | Begun) -> None:
        if isinstance(item, Begun):
            self._awaits_first |= item != self._begun
            self._begun = item
        elif isinstance(item, Died):
            if self._connected and not self._is_replaced():
                self._deliver_connection(self._disconnected(item.reason))
            self.tell(WebsocketClientError(item.reason))
        else:
            if self._awaits_first and isinstance(item, int):
                # A process begins with the number of the last event before its own.
                self._history, self._awaits_first = max(self._history, item), False
            self._deliver_batch(item)

    def _deliver_batch(self, batch: tuple[str, bytes] | int) -> None:
        delivery = self._delivery
        delivery.take([batch])
        while delivery.busy:
            if self.stopped.is_set():
                raise ConsumerClosed
            delivery.step()
            if delivery.due:
                self.stopped.wait(delivery.due - time.monotonic())
                if self.receiver.is_gone():
                    raise ConsumerClosed

    # --- the consumer of its delivery -------------------------------------------------------

    def deliver(self, events: Sequence[AnyEvent]) -> int:
        """Up to the first event about a connection, or that alone: whether it is told is decided
        when what was before it has been handled."""
        first = events[0]
        if isinstance(first, CONNECTION):
            if not (first.seq <= self._history or self._is_replaced()):
                self._deliver_connection(first)
            return 1
        if len(events) > 1:
            found = (n for n, event in enumerate(events) if isinstance(event, CONNECTION))
            events = events[: next(found, len(events))]
        self.receiver.deliver(events)
        return len(events)

    def tell(self, error: WebsocketClientError) -> None:
        """What is found out on this side has no place in the account's sequence: its number is
        0."""
        self._log().error("%s", error)
        now = time.time_ns()
        problem = to_problem(error)
        self.receiver.deliver([ErrorEvent(0, self._account, "", now, "stream", False, "", problem)])

    def _is_replaced(self) -> bool:
        """Whether what comes is of a process that is about to end for another one."""
        return self._begun.generation != self.generation or self._awaits_first

    def _deliver_connection(self, event: ConnectedEvent | DisconnectedEvent) -> None:
        is_open = isinstance(event, ConnectedEvent)
        self._state.note_event(event.seq, is_open)
        self.receiver.deliver([event])
        self._connected = is_open

    def _disconnected(self, reason: str) -> DisconnectedEvent:
        now = time.time_ns()
        message = Disconnected(reason)
        return DisconnectedEvent(0, self._account, "", now, "stream", False, "", message)
