"""Where things are at the venue."""

from __future__ import annotations

from urllib.parse import quote

from qehost.errors import ParameterRequiredError

__all__ = ["LISTEN_KEY", "MASTER_ORDERS", "ORDER_FILLS", "order_path"]

LISTEN_KEY = {"v2": "/user/trading/v2/listen-key", "v1": "/user/trading/listen-key"}
MASTER_ORDERS = "/user/trading/v2/master-orders"
ORDER_FILLS = "/user/trading/v2/order-fills"


def order_path(name: str, value: str | int, before: str = "", after: str = "") -> str:
    """The path of one master order.  `value` is its id; `name` is what an error calls it."""
    if value is None or value == "":
        raise ParameterRequiredError([name])
    return f"{MASTER_ORDERS}{before}/{quote(str(value), safe='')}{after}"
