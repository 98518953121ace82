"""A plugin for qehost."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta
from qehost import Context
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

__all__ = ["Plugin"]


class Plugin:
    """Logs every event that it receives."""

    class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
        """The settings under [plugins.example]."""

        prefix: Annotated[str, Meta(description="Put before each line that the plugin logs.")] = ""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.logger = logging.getLogger("qehost.plugin.example")

    def log(self, text: str) -> None:
        self.logger.info("%s%s", self.config.prefix, text)

    def on_start(self, context: Context) -> None:
        """Called once, before any event, in every new host process (so again after a restart)."""
        self.log(f"watching {', '.join(context.accounts)}")

    def on_stop(self, reason: str) -> None:
        """Called once, after the last event, when the host process ends in an orderly way."""
        self.log(f"stopped: {reason}")

    def on_connected(self, event: ConnectedEvent) -> None:
        """The stream of an account is open; `event.message` says since when it was closed."""
        self.log(f"{event.account}: connected to {event.message.url}")

    def on_disconnected(self, reason: str, event: DisconnectedEvent) -> None:
        """The stream of an account has ended. `reason` says why."""
        self.log(f"{event.account}: disconnected: {reason}")

    def on_master_order(
        self, message: MasterOrderMessage, detail: MasterOrderDetail, event: MasterOrderEvent
    ) -> None:
        """A master order is new or has changed."""
        self.log(f"{message.side} {detail.total_quantity} {message.symbol}: {message.status}")

    def on_order(self, message: OrderMessage, detail: OrderDetail, event: OrderEvent) -> None:
        """A child order is new or has changed; it carries its running fill."""
        self.log(f"order {message.order_id}: {message.status}, {detail.filled_quantity} filled")

    def on_fill(self, message: FillMessage, detail: FillDetail, event: FillEvent) -> None:
        """A child order was filled, wholly or in part: one call for each increase."""
        self.log(f"{message.side} {detail.quantity} {message.symbol} at {detail.price}")

    def on_status(self, status: str, event: StatusEvent) -> None:
        """The venue sent a status text."""
        self.log(f"the venue says {status}")

    def on_error(self, error: Error, event: ErrorEvent | Event | None) -> None:
        """Something went wrong; `error` is an exception of `qehost.errors`."""
        self.log(f"{type(error).__name__}: {error}")

    def on_raw_message(self, message: ClientPushMessage, event: AnyEvent) -> None:
        """Every message of the stream as it came, also of unknown types, before its typed hook."""
        self.log(f"a message of type {message.type}")

    def on_batch(self, events: Sequence[AnyEvent]) -> None:
        """Several events at once, for sinks that write many in one go; after their typed hooks."""
        self.log(f"{len(events)} events at once")

    def on_tick(self, now: float) -> None:
        """About once a second, whether events come or not. `now` is epoch seconds."""
        self.log(f"it is {now:.0f}")
