"""An advanced example: a class that keeps count of the trading, and reports.

    API_KEY=… API_SECRET=… python advanced.py [SECONDS]

Every handler runs in the one thread of the service.  What they write and the main thread reads is
guarded by a lock.
"""

import logging
import os
import sys
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field

from qehost import (
    API,
    FillMessage,
    MasterOrderMessage,
    OrderMessage,
    WebSocketEventHandlers,
    WebSocketService,
)

REPORT_EVERY = 1.0  # seconds

log = logging.getLogger("desk")


@dataclass
class Turnover:
    """What was bought or sold of one symbol."""

    quantity: float = 0.0
    notional: float = 0.0
    fills: int = 0

    @property
    def average_price(self) -> float:
        return self.notional / self.quantity if self.quantity else 0.0


@dataclass
class Desk:
    """The state of the trading as the stream tells it."""

    master_orders: dict[str, MasterOrderMessage] = field(default_factory=dict)
    orders: dict[str, OrderMessage] = field(default_factory=dict)
    turnover: dict[tuple[str, str], Turnover] = field(default_factory=lambda: defaultdict(Turnover))
    connections: int = 0
    errors: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def handlers(self) -> WebSocketEventHandlers:
        return WebSocketEventHandlers(
            on_connected=self.on_connected,
            on_disconnected=lambda: log.warning("the stream has ended"),
            on_error=self.on_error,
            on_status=lambda text: log.info("the venue says: %s", text),
            on_master_order=self.on_master_order,
            on_order=self.on_order,
            on_fill=self.on_fill,
            on_raw_message=lambda message: log.debug("%s %s", message.type, message.messageId),
        )

    def on_connected(self) -> None:
        with self.lock:
            self.connections += 1
        log.info("the stream is open")

    def on_error(self, error: Exception) -> None:
        with self.lock:
            self.errors += 1
        log.error("%s: %s", type(error).__name__, error)

    def on_master_order(self, order: MasterOrderMessage) -> None:
        with self.lock:
            before = self.master_orders.get(order.master_order_id)
            self.master_orders[order.master_order_id] = order
        if before is None or before.status != order.status:
            log.info("master order %s is %s", order.master_order_id, order.status)

    def on_order(self, order: OrderMessage) -> None:
        with self.lock:
            self.orders[order.order_id] = order

    def on_fill(self, fill: FillMessage) -> None:
        with self.lock:
            turnover = self.turnover[fill.symbol, fill.side]
            turnover.quantity += fill.filled_qty
            turnover.notional += fill.filled_qty * fill.fill_price
            turnover.fills += 1

    def report(self) -> list[str]:
        with self.lock:
            lines = [
                f"{len(self.master_orders)} master orders, {len(self.orders)} orders",
                f"{self.connections} connections, {self.errors} errors",
            ]
            for (symbol, side), done in sorted(self.turnover.items()):
                price = f"{done.average_price:g}"
                lines.append(f"{side} {done.quantity:g} {symbol} at {price} in {done.fills} fills")
            return lines


def main(duration: float) -> None:
    api = API(
        os.environ["API_KEY"],
        os.environ["API_SECRET"],
        base_url=os.environ.get("REST_URL", "https://testapi.quantumexecute.com"),
    )
    desk = Desk()
    service = WebSocketService(api, os.environ.get("WS_URL", "wss://test.quantumexecute.com"))
    service.set_handlers(desk.handlers()).set_logger(log).set_reconnect_delay(2.0)
    service.connect()
    begun = reported = time.monotonic()
    try:
        while (now := time.monotonic()) < begun + duration:
            time.sleep(0.2)
            if now >= reported + REPORT_EVERY:
                reported = now
                log.info("\n  ".join(desk.report()))
    except KeyboardInterrupt:
        log.info("stopping")
    finally:
        service.close()
        log.info("in the end:\n  %s", "\n  ".join(desk.report()))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    main(float(sys.argv[1]) if len(sys.argv) > 1 else float("inf"))
