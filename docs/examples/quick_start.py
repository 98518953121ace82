"""Quick start: say what happens to your orders, until Ctrl-C.

    API_KEY=… API_SECRET=… python quick_start.py

There is no `if __name__ == "__main__"`, and none is needed.
"""

import logging
import os
import time

from qehost import (
    API,
    FillMessage,
    MasterOrderMessage,
    OrderMessage,
    WebSocketEventHandlers,
    WebSocketService,
)

logging.basicConfig(level=logging.INFO)
log = logging.getLogger("quick_start")


def on_connected() -> None:
    log.info("the stream is open")


def on_disconnected() -> None:
    log.info("the stream has ended")


def on_error(error: Exception) -> None:
    log.error("error: %s", error)


def on_status(text: str) -> None:
    log.info("the venue says: %s", text)


def on_master_order(order: MasterOrderMessage) -> None:
    log.info(
        "master order %s: %s %s %g %s, %s",
        *(order.master_order_id, order.strategy, order.side, order.qty, order.symbol, order.status),
    )


def on_order(order: OrderMessage) -> None:
    log.info(
        "order %s of %s: %g of %g filled, %s",
        *(order.order_id, order.master_order_id, order.fill_qty, order.quantity, order.status),
    )


def on_fill(fill: FillMessage) -> None:
    log.info("fill: %s %g %s at %g", fill.side, fill.filled_qty, fill.symbol, fill.fill_price)


api = API(
    os.environ["API_KEY"],
    os.environ["API_SECRET"],
    base_url=os.environ.get("REST_URL", "https://testapi.quantumexecute.com"),
)
service = WebSocketService(api, os.environ.get("WS_URL", "wss://test.quantumexecute.com"))
service.set_handlers(
    WebSocketEventHandlers(
        on_connected=on_connected,
        on_disconnected=on_disconnected,
        on_error=on_error,
        on_status=on_status,
        on_master_order=on_master_order,
        on_order=on_order,
        on_fill=on_fill,
    )
)
service.set_reconnect_delay(5.0).set_ping_interval(30.0).set_pong_timeout(10.0)

# Without a listen key the service makes one, and renews it.  With one: service.connect(listen_key)
service.connect()
try:
    while True:
        time.sleep(1)
except KeyboardInterrupt:
    log.info("stopping")
finally:
    service.close()
