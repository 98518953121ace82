"""The methods that the venue documents, under its names, with its parameters and its dictionaries.

Programs written for the venue's own client use these.  The methods of `API` have checked arguments
and typed replies instead; both make the same calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from qehost.rest.calls import Calls
from qehost.rest.parameters import documented_query, documented_update, id_list
from qehost.rest.paths import LISTEN_KEY, MASTER_ORDERS, ORDER_FILLS, order_path
from qehost.rest.replies import Answer

__all__ = ["Documented"]

USAGE_HEADERS = ("x-mbx-used-weight", "x-mbx-order-count", "x-sapi-used")


class Documented:
    """What `API` takes over from the venue's client.

    `**params` are the venue's own (pageSize, startTime, recvWindow, …).  What its client checks and
    converts is checked and converted here, too; the rest reaches the venue as it is.
    """

    def __init__(self, calls: Calls, show_limit_usage: bool, show_header: bool) -> None:
        self.show_limit_usage = show_limit_usage
        self.show_header = show_header
        self._calls = calls

    def query(self, url_path: str, payload: Mapping[str, Any] | None = None) -> Any:
        """GET without a signature.  Returns the result as Python values."""
        return self.send_request("GET", url_path, payload)

    def send_request(
        self, http_method: str, url_path: str, payload: Mapping[str, Any] | None = None
    ) -> Any:
        """The same with any method."""
        return self._value(self._calls.call(http_method, url_path, payload))

    def limit_request(
        self, http_method: str, url_path: str, payload: Mapping[str, Any] | None = None
    ) -> Any:
        """The same for what wants the API key, which every call carries."""
        return self.send_request(http_method, url_path, payload)

    def send_json_request(
        self,
        http_method: str,
        url_path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> Any:
        """A write with a JSON body, without a signature."""
        return self._value(self._calls.call(http_method, url_path, query, body or {}))

    def sign_request(
        self, http_method: str, url_path: str, payload: Mapping[str, Any] | None = None
    ) -> Any:
        """A signed call with everything in the query.  Returns the result as Python values.

        `timestamp` and `signature` are added; `recvWindow` (ms, at most 60000) may be in `payload`.
        """
        return self._value(self._calls.call(http_method, url_path, payload, signed=True))

    def limited_encoded_sign_request(
        self, http_method: str, url_path: str, payload: Mapping[str, Any] | None = None
    ) -> Any:
        """The same as `sign_request`, which leaves `@` as it is, too."""
        return self.sign_request(http_method, url_path, payload)

    def sign_json_request(
        self,
        http_method: str,
        url_path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> Any:
        """A signed write with a JSON body; `recvWindow` belongs in `query`."""
        return self._value(self._calls.call(http_method, url_path, query, body or {}, signed=True))

    def create_listen_key_v2(self, **params: Any) -> Any:
        """A new listen key: listenKey, expireAt, success, message.  The old one ends."""
        return self.sign_request("POST", LISTEN_KEY["v2"], params)

    def list_master_orders_v2(self, **params: Any) -> Any:
        """One page of the master orders: items, total, page, pageSize."""
        return self.sign_request("GET", MASTER_ORDERS, documented_query(params))

    def get_master_order_v2(self, masterOrderId: str | int, **params: Any) -> Any:  # noqa: N803
        return self.sign_request("GET", order_path("masterOrderId", masterOrderId), params)

    def get_master_order_by_client_order_id_v2(self, clientOrderId: str, **params: Any) -> Any:  # noqa: N803
        path = order_path("clientOrderId", clientOrderId, "/by-client-order-id")
        return self.sign_request("GET", path, params)

    def list_order_fills_v2(self, **params: Any) -> Any:
        """One page of the child orders with their fills: items, total, page, pageSize."""
        return self.sign_request("GET", ORDER_FILLS, documented_query(params))

    def pause_master_order_v2(self, masterOrderId: str | int, **params: Any) -> Any:  # noqa: N803
        """Returns success and message, as the other actions do: look at them."""
        return self._put(order_path("masterOrderId", masterOrderId, after="/pause"), params)

    def resume_master_order_v2(self, masterOrderId: str | int, **params: Any) -> Any:  # noqa: N803
        return self._put(order_path("masterOrderId", masterOrderId, after="/resume"), params)

    def cancel_master_order_v2(self, masterOrderId: str | int, **params: Any) -> Any:  # noqa: N803
        return self._put(order_path("masterOrderId", masterOrderId, after="/cancel"), params)

    def update_master_order_v2(
        self,
        masterOrderId: str | int,  # noqa: N803
        request: Any = None,
        **params: Any,
    ) -> Any:
        """Decimals reach the venue as text, as they must; a name it does not know is refused.

        `request` is a dictionary of the same parameters, or an object whose `to_payload()` gives
        one, such as the venue's `UpdateMasterOrderV2Request`; `params` come before it.
        """
        path = order_path("masterOrderId", masterOrderId, after="/update")
        return self._put(path, documented_update(request, params))

    def batch_cancel_master_orders_v2(self, masterOrderIds: Iterable[str], **params: Any) -> Any:  # noqa: N803
        """Returns successCount and failedOrders."""
        ids = id_list("masterOrderIds", masterOrderIds)
        return self._put(f"{MASTER_ORDERS}/batch-cancel", {"masterOrderIds": ids, **params})

    def _put(self, path: str, params: Mapping[str, Any]) -> Any:
        body = dict(params)
        window = body.pop("recvWindow", None)
        return self.sign_json_request("PUT", path, body, {"recvWindow": window})

    def _value(self, answer: Answer) -> Any:
        if answer.enveloped or not (self.show_limit_usage or self.show_header):
            return answer.value()
        result: dict[str, Any] = {}
        if self.show_limit_usage:
            result["limit_usage"] = {
                name: value
                for name, value in answer.headers.items()
                if name.startswith(USAGE_HEADERS)
            }
        if self.show_header:
            result["header"] = dict(answer.headers)
        return {**result, "data": answer.value()}
