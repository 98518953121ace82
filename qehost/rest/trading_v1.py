"""Master orders, fills and the listen key: the venue's V1 methods, each at its V1 address.

V1 sends everything in the query, and its numbers are numbers.  Where V2 has the same call, prefer
that: its decimals are exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qehost.rest.parameters import (
    TIMES_IN_MS,
    checked,
    create_query_v1,
    path_of,
    update_query_v1,
)
from qehost.rest.requests import Requests

__all__ = ["TradingV1"]

MASTER_ORDERS = "/user/trading/master-orders"
MASTER_ORDER = MASTER_ORDERS + "/{masterOrderId}"


class TradingV1(Requests):
    """`**params` are the venue's own (pageSize, startTime, recvWindow, …).  A `datetime` is taken
    for a time, an enum for its value.  All give the venue's dictionaries.
    """

    def create_listen_key(self, **params: Any) -> Any:
        """A listen key for V1's stream, as `create_listen_key_v2`: it ends the one before."""
        return self.sign_request("POST", "/user/trading/listen-key", checked(params))

    def get_master_orders(self, **params: Any) -> Any:
        """One page of the master orders: items, total, page, pageSize.  `status` is `NEW` for all
        that still run and `COMPLETED` for all that don't."""
        return self.sign_request("GET", MASTER_ORDERS, checked(params))

    def get_master_order_detail(self, masterOrderId: str | int, **params: Any) -> Any:
        path = path_of(MASTER_ORDER, masterOrderId=masterOrderId)
        return self.sign_request("GET", path, checked(params))

    def get_master_order_detail_by_client_order_id(self, clientOrderId: str, **params: Any) -> Any:
        template = MASTER_ORDERS + "/by-client-order-id/{clientOrderId}"
        path = path_of(template, clientOrderId=clientOrderId)
        return self.sign_request("GET", path, checked(params))

    def get_order_fills(self, **params: Any) -> Any:
        """One page of the child orders with their fills: items, total, page, pageSize."""
        return self.sign_request("GET", "/user/trading/order-fills", checked(params))

    def get_tca_analysis(self, **params: Any) -> Any:
        """What master orders cost: a list of rows.  `startTime` and `endTime` are epoch ms;
        `apikey` may name several bindings, with commas between."""
        return self.sign_request("GET", "/user/trading/tca-analysis", checked(params, TIMES_IN_MS))

    # --- actions --------------------------------------------------------------------------------

    def create_master_order(
        self,
        algorithm: str,
        exchange: str,
        symbol: str,
        marketType: str,
        side: str,
        apiKeyId: str,
        **params: Any,
    ) -> Any:
        """Begin a master order.  Returns masterOrderId, success and message: look at `success`.

        Where they are left out, `tailOrderProtection` and `enableMake` are true and
        `isTargetPosition` is false.  A name that the call does not have is refused.
        """
        given = {
            "algorithm": algorithm,
            "exchange": exchange,
            "symbol": symbol,
            "marketType": marketType,
            "side": side,
            "apiKeyId": apiKeyId,
            **params,
        }
        return self.sign_request("POST", MASTER_ORDERS, create_query_v1(given))

    def pause_master_order(self, masterOrderId: str | int, **params: Any) -> Any:
        """Returns `success` and `message`, as the other actions do: look at them."""
        return self._act_v1("pause", masterOrderId, checked(params))

    def resume_master_order(self, masterOrderId: str | int, **params: Any) -> Any:
        return self._act_v1("resume", masterOrderId, checked(params))

    def cancel_master_order(self, masterOrderId: str | int, **params: Any) -> Any:
        return self._act_v1("cancel", masterOrderId, checked(params))

    def update_master_order_params(self, masterOrderId: str | int, **params: Any) -> Any:
        """Change a running master order; what is left out stays as it is.  A name that the call
        does not have is refused."""
        return self._act_v1("update", masterOrderId, update_query_v1(params))

    def _act_v1(self, action: str, order: str | int, params: Mapping[str, Any]) -> Any:
        path = path_of(f"{MASTER_ORDER}/{action}", masterOrderId=order)
        return self.sign_request("PUT", path, {"masterOrderId": order, **params})
