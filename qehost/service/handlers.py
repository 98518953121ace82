"""What a program gives to the service: its handlers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from inspect import iscoroutinefunction
from typing import Any, TypeAlias

from qehost.errors import ParameterArgumentError
from qehost.messages import ClientPushMessage, FillMessage, MasterOrderMessage, OrderMessage

__all__ = [
    "ConnectedHandler",
    "DisconnectedHandler",
    "ErrorHandler",
    "FillHandler",
    "MasterOrderHandler",
    "OrderHandler",
    "RawMessageHandler",
    "StatusHandler",
    "WebSocketEventHandlers",
    "check",
]

MasterOrderHandler: TypeAlias = Callable[[MasterOrderMessage], object]
OrderHandler: TypeAlias = Callable[[OrderMessage], object]
FillHandler: TypeAlias = Callable[[FillMessage], object]
StatusHandler: TypeAlias = Callable[[str], object]
ErrorHandler: TypeAlias = Callable[[Exception], object]
ConnectedHandler: TypeAlias = Callable[[], object]
DisconnectedHandler: TypeAlias = Callable[[], object]
RawMessageHandler: TypeAlias = Callable[[ClientPushMessage], object]


@dataclass
class WebSocketEventHandlers:
    """The handlers, each of them optional.

    They are called one at a time, in the order of what happened, in one thread that is the
    service's own.  A handler that raises is logged and told to `on_error`; the next message comes
    all the same.  They may be set and changed at any time, also while the service runs.
    """

    on_master_order: MasterOrderHandler | None = None
    """A master order was made or has changed."""
    on_order: OrderHandler | None = None
    """A child order was made or has changed."""
    on_fill: FillHandler | None = None
    """A child order was filled, in whole or in part.  With protocol V2, which pushes no fills, they
    are derived from the child orders, and come after them."""
    on_status: StatusHandler | None = None
    """A status message of the venue: its text."""
    on_error: ErrorHandler | None = None
    """Something went wrong: a `WebsocketClientError` (with the subclasses in `qehost.errors`), or
    what another handler raised.  Why the stream has ended is a `ConnectionLost`, right after
    `on_disconnected`; `close()` is no error."""
    on_connected: ConnectedHandler | None = None
    """The stream is open, for the first time or again."""
    on_disconnected: DisconnectedHandler | None = None
    """The stream that was open has ended, also by `close()`; but not because the program has
    connected with another listen key."""
    on_raw_message: RawMessageHandler | None = None
    """Every message of the stream, before the handler for its type."""


def check(handlers: WebSocketEventHandlers) -> None:
    """Raises `ParameterArgumentError` for what can't be called as a handler is."""
    for name, handler in _each(handlers):
        if not callable(handler):
            raise ParameterArgumentError(f"{name} must be a function, but it is {handler!r}")
        if iscoroutinefunction(handler):
            raise ParameterArgumentError(
                f"{name} is an async function, and nothing would ever await it: "
                "use `async for event in service.events()`"
            )


def _each(handlers: WebSocketEventHandlers) -> Iterator[tuple[str, Any]]:
    for field in fields(WebSocketEventHandlers):
        # Any object with some of these attributes will do.
        if (handler := getattr(handlers, field.name, None)) is not None:
            yield field.name, handler
