"""From an event to the calls of a program's handlers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from qehost import wire
from qehost.errors import DecodeError, from_problem
from qehost.messages import AnyEvent, ErrorEvent
from qehost.service.handlers import WebSocketEventHandlers
from qehost.service.logger import Guarded

__all__ = ["HandlerCalls"]

_NO_ARGUMENTS = {"connected": "on_connected", "disconnected": "on_disconnected"}
_MESSAGE = {
    "order": "on_order",
    "fill": "on_fill",
    "master_order": "on_master_order",
    "status": "on_status",
}


class HandlerCalls:
    """`handlers` and `log` are asked at every event: a program may change them while it runs.

    `stopped` says that nothing is to be called any more.  `parting` is for the service: its
    attribute `now` is there in a thread whose last call is going on.
    """

    at_once = 1

    def __init__(
        self,
        handlers: Callable[[], WebSocketEventHandlers],
        log: Callable[[], Guarded],
        stopped: Callable[[], bool],
        parting: threading.local,
    ) -> None:
        self._handlers = handlers
        self._log = log
        self._stopped = stopped
        self._parting = parting

    def deliver(self, events: Sequence[AnyEvent]) -> int:
        """Call the handlers; for how many of the events, where they were stopped in between."""
        for number, event in enumerate(events):
            if self._stopped():
                return number
            self._deliver_one(event)
        return len(events)

    def last_words(self, event: AnyEvent) -> None:
        """The one event that is told after the stop."""
        self._parting.now = True
        try:
            self._typed(event)
        finally:
            del self._parting.now

    def gone(self) -> bool:
        """Whether nobody is there any more who could take events."""
        return False

    def stop(self) -> None:
        """Nothing to do: a handler that is running runs to its end."""

    def _deliver_one(self, event: AnyEvent) -> None:
        handler = getattr(self._handlers(), "on_raw_message", None)
        if handler is not None and event.raw and event.origin == "stream":
            try:
                message = wire.push_message(event.raw)
            except DecodeError:
                pass  # no outer message at all; `on_error` gets its text
            else:
                self._call("on_raw_message", handler, message)
                if self._stopped():
                    return
        self._typed(event)

    def _typed(self, event: AnyEvent) -> None:
        kind = event.kind
        if name := _MESSAGE.get(kind):
            arguments: tuple[Any, ...] = (event.message,)
        elif name := _NO_ARGUMENTS.get(kind):
            arguments = ()
        elif isinstance(event, ErrorEvent):
            self._tell(from_problem(event.message, event.raw))
            return
        else:
            return  # a type that only `on_raw_message` gets
        handler = getattr(self._handlers(), name, None)
        if handler is not None:
            self._call(name, handler, *arguments)

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
