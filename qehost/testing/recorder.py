"""A plugin that records every call of its hooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from qehost.errors import Error
from qehost.messages import (
    AnyEvent,
    ClientPushMessage,
    ConnectedEvent,
    DisconnectedEvent,
    ErrorEvent,
    Event,
    FillDetail,
    FillEvent,
    FillMessage,
    MasterOrderDetail,
    MasterOrderEvent,
    MasterOrderMessage,
    OrderDetail,
    OrderEvent,
    OrderMessage,
    StatusEvent,
)

if TYPE_CHECKING:
    from qehost.hookspecs import Context

__all__ = ["Call", "Recorder"]


class Call(NamedTuple):
    """One call of a hook, with all its arguments by name."""

    hook: str
    arguments: dict[str, Any]

    @property
    def event(self) -> Any:
        """The event that the hook was called for, or None."""
        return self.arguments.get("event")


class Recorder:
    """Implements every hook, with every argument.

    Run it alone to see the calls that a plugin would get, or beside one to see those that it gets::

        with PluginHost(plugin, beside=[recorder]) as host:
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        """Every call so far, in order."""

    @property
    def hooks(self) -> list[str]:
        """The names of the hooks called so far, in order."""
        return [call.hook for call in self.calls]

    def of(self, hook: str) -> list[Call]:
        """The calls of one hook."""
        return [call for call in self.calls if call.hook == hook]

    def _record(self, hook: str, **arguments: Any) -> None:
        self.calls.append(Call(hook, arguments))

    def on_start(self, context: Context) -> None:
        self._record("on_start", context=context)

    def on_stop(self, reason: str) -> None:
        self._record("on_stop", reason=reason)

    def on_connected(self, event: ConnectedEvent) -> None:
        self._record("on_connected", event=event)

    def on_disconnected(self, reason: str, event: DisconnectedEvent) -> None:
        self._record("on_disconnected", reason=reason, event=event)

    def on_master_order(
        self, message: MasterOrderMessage, detail: MasterOrderDetail, event: MasterOrderEvent
    ) -> None:
        self._record("on_master_order", message=message, detail=detail, event=event)

    def on_order(self, message: OrderMessage, detail: OrderDetail, event: OrderEvent) -> None:
        self._record("on_order", message=message, detail=detail, event=event)

    def on_fill(self, message: FillMessage, detail: FillDetail, event: FillEvent) -> None:
        self._record("on_fill", message=message, detail=detail, event=event)

    def on_status(self, status: str, event: StatusEvent) -> None:
        self._record("on_status", status=status, event=event)

    def on_error(self, error: Error, event: ErrorEvent | Event | None) -> None:
        self._record("on_error", error=error, event=event)

    def on_raw_message(self, message: ClientPushMessage, event: AnyEvent) -> None:
        self._record("on_raw_message", message=message, event=event)

    def on_batch(self, events: Sequence[AnyEvent]) -> None:
        self._record("on_batch", events=events)

    def on_tick(self, now: float) -> None:
        self._record("on_tick", now=now)
