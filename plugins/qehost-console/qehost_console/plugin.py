"""The hooks.  They collect; output is written after each batch and at each tick."""

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
    MasterOrderEvent,
    OrderDetail,
    OrderEvent,
    OrderMessage,
    StatusEvent,
)
from rich.console import RenderableType

from qehost_console import lines, settings
from qehost_console.board import Board
from qehost_console.displays import Display, LineDisplay, LiveDisplay, NoDisplay
from qehost_console.latency import Latency, Rate
from qehost_console.layout import plan
from qehost_console.output import Output
from qehost_console.past import read_past
from qehost_console.summary import FinishedRun, summary
from qehost_console.table import StatusBar, panel
from qehost_console.totals import RunTotals

if TYPE_CHECKING:
    from qehost.hookspecs import Context

__all__ = ["Console"]


class Console:
    """Shows orders, fills and connections on standard output."""

    Config = settings.Config

    def __init__(self, config: settings.Config) -> None:
        self._config = config
        self._board = Board()
        self._totals = RunTotals()
        self._latency = Latency()
        self._rate = Rate()
        self._started = time.monotonic()
        self._stopped = False

    def on_start(self, context: Context) -> None:
        logger = context.logger
        self._board.expect(context.accounts)
        self._output = Output(sys.stdout, self._config.colour, logger)
        read_past(context, self._board, time.monotonic)
        self._display = self._chosen(logger)
        self._started = time.monotonic()
        self._display.refresh()

    def on_stop(self, reason: str) -> None:
        self._stopped = True
        self._display.close()
        if self._config.summary and not isinstance(self._display, NoDisplay):
            seconds = time.monotonic() - self._started
            quotes = self._board.snapshot().quotes
            run = FinishedRun(seconds, reason, quotes, self._totals, self._latency)
            self._output.show(summary(run))

    def on_master_order(self, event: MasterOrderEvent) -> None:
        self._seen(event)
        master = self._board.master_order(event)
        # A rejection is printed in either style, since the table has no room for its reason.
        if self._display.detailed or master.status.upper() == "REJECTED":
            self._display.say(lines.master_line(master, event), event.received_at)

    def on_order(self, message: OrderMessage, detail: OrderDetail, event: OrderEvent) -> None:
        self._seen(event)
        self._board.take(event)
        if self._display.detailed:
            self._display.say(lines.order_line(message, detail, event), event.received_at)

    def on_fill(self, message: FillMessage, detail: FillDetail, event: FillEvent) -> None:
        self._seen(event)
        fill = self._board.fill(event)
        if fill is not None:
            self._totals.fill(fill, message.category)
        if self._display.detailed:
            quote = self._board.quote(message.symbol)
            self._display.say(lines.fill_line(message, detail, event, quote), event.received_at)

    def on_status(self, status: str, event: StatusEvent) -> None:
        self._seen(event)
        self._display.say(lines.status_line(status, event), event.received_at)

    def on_error(self, error: Error, event: ErrorEvent | Event | None) -> None:
        # An error of another plugin comes with the event that it got, which is counted already.
        if isinstance(event, ErrorEvent):
            self._totals.event(event)
            self._board.take(event)
        self._totals.error(error)
        at = time.time_ns() if event is None else event.received_at
        self._display.say(lines.error_line(error, event, at), at)

    def on_connected(self, event: ConnectedEvent) -> None:
        self._totals.event(event)
        self._totals.connected(event)
        self._board.take(event)
        self._display.say(lines.connected_line(event), event.received_at)

    def on_disconnected(self, reason: str, event: DisconnectedEvent) -> None:
        self._totals.event(event)
        self._totals.disconnected(event)
        self._board.take(event)
        self._display.say(lines.disconnected_line(reason, event), event.received_at)

    def on_batch(self, events: Sequence[AnyEvent]) -> None:
        for event in events:
            # All others were given to the typed hooks.
            if event.kind == "unknown":
                self._totals.event(event)
                self._display.say(lines.unknown_line(event), event.received_at)
        self._display.refresh()

    def on_tick(self, now: float) -> None:
        self._display.refresh(whole=True)

    def _seen(self, event: Event) -> None:
        self._totals.event(event)
        # Derived fills are no messages; what was read over REST or delivered again has no latency.
        if event.origin == "stream" and not event.redelivered:
            now = time.time_ns()
            self._latency.add(now - event.received_at, now)

    def _chosen(self, logger: logging.Logger) -> Display:
        style = self._config.style
        if style == "auto" and not self._output.is_terminal:
            # A service's output is its log, which may be JSON.
            logger.info(
                'standard output is no terminal: nothing is shown there; style = "lines" in '
                "[plugins.console] shows a line for each message"
            )
            return NoDisplay()
        if style == "lines" or (style == "auto" and not self._output.can_repaint):
            return LineDisplay(self._output)
        if not self._output.can_repaint:
            logger.warning("style is live, but standard output is no terminal: lines instead")
            return LineDisplay(self._output)
        return LiveDisplay(self._output, self._draw)

    def _draw(self, size: tuple[int, int]) -> list[RenderableType]:
        now, wall = time.monotonic(), time.time_ns()
        shown, totals = self._board.snapshot(), self._totals
        masters = min(self._config.masters, len(shown.running) + len(shown.ended))
        fills = min(self._config.fills, len(shown.fills))
        bar = StatusBar(
            now=wall,
            seconds=now - self._started,
            rate=self._rate.read(now, totals.messages),
            median=self._latency.recent_median(wall),
            fills=totals.fills,
            errors=totals.errors.total(),
            stopped=self._stopped,
        )
        return panel(shown, bar, plan(size, masters, fills))
