"""From an event to the calls of a program's handlers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from qehost.errors import ConnectionLost, DecodeError, from_problem
from qehost.events import wire
from qehost.host.delivery import ConsumerClosed
from qehost.messages import AnyEvent, DisconnectedEvent, ErrorEvent
from qehost.service.handlers import WebSocketEventHandlers
from qehost.service.logger import SafeLogger

__all__ = ["HandlerCalls"]

_NAMES = {
    "connected": "on_connected",
    "disconnected": "on_disconnected",
    "order": "on_order",
    "fill": "on_fill",
    "master_order": "on_master_order",
    "status": "on_status",
    "error": "on_error",
}
"""The handler for each kind of event.  A message of another type reaches `on_raw_message` alone."""
_WITHOUT_ARGUMENTS = ("on_connected", "on_disconnected")


class HandlerCalls:
    """`handlers` and `log` are asked at every event: a program may change them while it runs.

    `stopped` says that nothing is to be called any more.  `parting` is for the service: its
    attribute `now` is there in a thread whose last call is going on.
    """

    slice_size = 1

    def __init__(
        self,
        handlers: Callable[[], WebSocketEventHandlers],
        log: Callable[[], SafeLogger],
        stopped: Callable[[], bool],
        parting: threading.local,
    ) -> None:
        self._handlers = handlers
        self._log = log
        self._stopped = stopped
        self._parting = parting

    def deliver(self, events: Sequence[AnyEvent]) -> None:
        for number, event in enumerate(events):
            if self._stopped():
                raise ConsumerClosed(number, number)
            if not self._deliver_one(event):
                raise ConsumerClosed(number, number + 1)

    def deliver_last(self, event: AnyEvent) -> None:
        self._parting.now = True
        try:
            self._typed(event)
        finally:
            del self._parting.now

    def is_gone(self) -> bool:
        return False

    def stop(self) -> None:
        """Nothing to do: a handler that is running runs to its end."""

    def _deliver_one(self, event: AnyEvent) -> bool:
        """False: it was stopped before the handler for its kind, which has not had it then."""
        handler = getattr(self._handlers(), "on_raw_message", None)
        if handler is not None and event.raw and event.origin == "stream":
            try:
                message = wire.push_message(event.raw)
            except DecodeError:
                pass  # no outer message at all; `on_error` gets its text
            else:
                self._call("on_raw_message", handler, message)
                if self._stopped():
                    return self._handler_of(event) is None
        self._typed(event)
        return True

    def _typed(self, event: AnyEvent) -> None:
        if isinstance(event, ErrorEvent):
            self._tell(from_problem(event.message, event.raw))
            return
        handler = self._handler_of(event)
        if handler is not None:
            name = _NAMES[event.kind]
            arguments = () if name in _WITHOUT_ARGUMENTS else (event.message,)
            self._call(name, handler, *arguments)
        # An end that this side found out, or brought about, has an error of its own, or none.
        if isinstance(event, DisconnectedEvent) and event.seq and not self._stopped():
            self._tell(ConnectionLost(event.message.reason, event.message.code))

    def _handler_of(self, event: AnyEvent) -> Callable[..., object] | None:
        name = _NAMES.get(event.kind)
        return getattr(self._handlers(), name, None) if name else None

    def _call(self, name: str, handler: Callable[..., object], *arguments: Any) -> None:
        try:
            handler(*arguments)
        # SystemExit, too: in this thread it would end nothing but the service.
        except BaseException as error:  # noqa: BLE001 - whatever a program's handler may raise
            self._log().exception("the handler %s raised", name)
            if not self._stopped():
                self._tell(error)

    def _tell(self, error: BaseException) -> None:
        handler = getattr(self._handlers(), "on_error", None)
        if handler is None:
            return
        try:
            handler(error)
        except BaseException:  # noqa: BLE001 - see above; there is nobody left to tell
            self._log().exception("the handler on_error raised")
