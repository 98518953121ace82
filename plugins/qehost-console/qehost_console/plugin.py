"""The hooks.  They keep the books; what people see is written after each batch and at each tick."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from qehost.errors import Error
from qehost.messages import (
    AnyEvent,
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
from rich.console import RenderableType

from qehost_console import lines, settings
from qehost_console.displays import Display, Lines, Live
from qehost_console.latency import Latency, Rate
from qehost_console.layout import plan
from qehost_console.output import Output
from qehost_console.state import Picture
from qehost_console.summary import Run, summary
from qehost_console.table import Gauges, panel
from qehost_console.tally import Tally

if TYPE_CHECKING:
    from qehost.host.context import Context

__all__ = ["Console"]


class Console:
    """Shows orders, fills and connections on standard output."""

    Config = settings.Config

    def __init__(self, config: settings.Config) -> None:
        self._config = config
        self._picture = Picture()
        self._tally = Tally()
        self._latency = Latency()
        self._rate = Rate()
        self._started = time.monotonic()
        self._stopped = False

    def on_start(self, context: Context) -> None:
        logger = context.logger
        self._picture.expect(context.accounts)
        self._output = Output(sys.stdout, self._config.colour, logger)
        self._display = self._chosen(logger)
        self._started = time.monotonic()
        self._display.refresh()

    def on_stop(self, reason: str) -> None:
        self._stopped = True
        self._display.close()
        if self._config.summary:
            seconds = time.monotonic() - self._started
            run = Run(seconds, reason, self._picture, self._tally, self._latency)
            self._output.show(summary(run))

    def on_master_order(
        self, message: MasterOrderMessage, detail: MasterOrderDetail, event: MasterOrderEvent
    ) -> None:
        self._seen(event)
        master = self._picture.master_order(message, detail, event)
        # A rejection is loud in either style: the table has no room for its reason.
        if self._display.detailed or master.status.upper() == "REJECTED":
            unit = detail.quote_currency if master.in_quote else detail.base_currency
            self._display.say(lines.master_line(master, unit, event), event.received_at)

    def on_order(self, message: OrderMessage, detail: OrderDetail, event: OrderEvent) -> None:
        self._seen(event)
        self._picture.order(detail)
        if self._display.detailed:
            self._display.say(lines.order_line(message, detail, event), event.received_at)

    def on_fill(self, message: FillMessage, detail: FillDetail, event: FillEvent) -> None:
        self._seen(event)
        fill = self._picture.fill(message, detail, event)
        self._tally.fill(fill, message.category)
        if self._display.detailed:
            quote = self._picture.quotes.get(fill.symbol, "")
            line = lines.fill_line(fill, quote, event, message.order_id)
            self._display.say(line, event.received_at)

    def on_status(self, status: str, event: StatusEvent) -> None:
        self._seen(event)
        self._display.say(lines.status_line(status, event), event.received_at)

    def on_error(self, error: Error, event: ErrorEvent | Event | None) -> None:
        # What another plugin raised comes with the event at which it did, and that is counted.
        if isinstance(event, ErrorEvent):
            self._tally.event(event)
        self._tally.error(error)
        at = time.time_ns() if event is None else event.received_at
        self._display.say(lines.error_line(error, event, at), at)

    def on_connected(self, event: ConnectedEvent) -> None:
        self._tally.event(event)
        self._picture.connected(event.account, event.received_at)
        self._display.say(lines.connected_line(event), event.received_at)

    def on_disconnected(self, reason: str, event: DisconnectedEvent) -> None:
        self._tally.event(event)
        self._picture.disconnected(event.account, event.received_at)
        self._display.say(lines.disconnected_line(reason, event), event.received_at)

    def on_batch(self, events: Sequence[AnyEvent]) -> None:
        for event in events:
            # The typed hooks have seen all the others.
            if event.kind == "unknown":
                self._tally.event(event)
                self._display.say(lines.unknown_line(event), event.received_at)
        self._display.refresh()

    def on_tick(self, now: float) -> None:
        self._display.refresh(whole=True)

    def _seen(self, event: Event) -> None:
        self._tally.event(event)
        # A fill derived here is no message; what was caught up or comes again was late before.
        if event.origin == "stream" and not event.redelivered:
            now = time.time_ns()
            self._latency.add(now - event.received_at, now)

    def _chosen(self, logger: logging.Logger) -> Display:
        style = self._config.style
        if style == "lines" or (style == "auto" and not self._output.can_repaint):
            return Lines(self._output)
        if not self._output.can_repaint:
            logger.warning("style is live, but standard output is no terminal: lines instead")
            return Lines(self._output)
        return Live(self._output, self._draw)

    def _draw(self, size: tuple[int, int]) -> list[RenderableType]:
        now, wall = time.monotonic(), time.time_ns()
        picture, tally = self._picture, self._tally
        masters = min(self._config.masters, len(picture.running) + len(picture.ended))
        fills = min(self._config.fills, len(picture.fills))
        gauges = Gauges(
            now=wall,
            seconds=now - self._started,
            rate=self._rate.read(now, tally.messages),
            median=self._latency.recent_median(wall),
            fills=tally.fills,
            errors=tally.errors.total(),
            stopped=self._stopped,
        )
        return panel(picture, gauges, plan(size, masters, fills))
