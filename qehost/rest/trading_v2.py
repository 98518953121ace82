"""Master orders, fills and the listen key: the venue's V2 methods, and its lists as pages."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from qehost.errors import ParameterArgumentError
from qehost.rest.checks import MAX_PAGE_SIZE
from qehost.rest.pages import pages
from qehost.rest.parameters import (
    TIMES_IN_MS,
    checked,
    create_body,
    finds_nothing,
    id_list,
    list_query,
    path_of,
    update_body,
    with_present_names,
)
from qehost.rest.replies import Page
from qehost.rest.requests import Requests

__all__ = ["TradingV2"]

MASTER_ORDERS = "/user/trading/v2/master-orders"
MASTER_ORDER = MASTER_ORDERS + "/{masterOrderId}"
ORDER_FILLS = "/user/trading/v2/order-fills"

log = logging.getLogger("qehost.rest")


class TradingV2(Requests):
    """`**params` are the venue's own (pageSize, startTime, recvWindow, …).  A `datetime` is taken
    for a time, an enum for its value.  All give the venue's dictionaries.
    """

    def create_listen_key_v2(self, **params: Any) -> Any:
        """A new listen key: listenKey, expireAt, success, message.

        **This ends the user's key from before**, and the stream that uses it.  Never repeated by
        itself: if the answer is lost, the old key may have ended nevertheless, so calling again is
        right.  The last key that was made is the one that counts.
        """
        return self.sign_request("POST", "/user/trading/v2/listen-key", checked(params))

    def list_master_orders_v2(self, **params: Any) -> Any:
        """One page of the master orders: items, total, page, pageSize.

        `status` is `NEW` for all that still run and `COMPLETED` for all that don't, whatever their
        own status says; for any other the venue finds nothing, which is logged.  `page` counts from
        1, `pageSize` goes up to 100.
        """
        query = list_query(params)
        if why := finds_nothing(query):
            log.warning("%s", why)
        return self.sign_request("GET", MASTER_ORDERS, query)

    def master_order_pages(self, *, max_pages: int | None = None, **params: Any) -> Iterator[Page]:
        """All master orders, page by page, each once even where they shift while being read.

        Takes what `list_master_orders_v2` takes, but `page`, and refuses a status that finds
        nothing.  Raises `IncompleteList` after the last page, if the venue counts more than it
        gave, or if there are more than `max_pages`.
        """
        if why := finds_nothing(checked(params)):
            raise ParameterArgumentError(why)
        return self._pages(MASTER_ORDERS, "masterOrderId", max_pages, params)

    def get_master_order_v2(self, masterOrderId: str | int, **params: Any) -> Any:
        """One master order, under the key `masterOrder`.  Source: the venue's clients."""
        return self.sign_request(
            "GET", path_of(MASTER_ORDER, masterOrderId=masterOrderId), checked(params)
        )

    def get_master_order_by_client_order_id_v2(self, clientOrderId: str, **params: Any) -> Any:
        """The same by the id that whoever made it gave it."""
        path = path_of(
            MASTER_ORDERS + "/by-client-order-id/{clientOrderId}", clientOrderId=clientOrderId
        )
        return self.sign_request("GET", path, checked(params))

    def list_order_fills_v2(self, **params: Any) -> Any:
        """One page of the child orders with their fills: items, total, page, pageSize."""
        return self.sign_request("GET", ORDER_FILLS, list_query(params))

    def order_fill_pages(self, *, max_pages: int | None = None, **params: Any) -> Iterator[Page]:
        """All child orders, page by page, as `master_order_pages`."""
        return self._pages(ORDER_FILLS, "id", max_pages, params)

    def get_tca_analysis_v2(self, **params: Any) -> Any:
        """What master orders cost (transaction cost analysis): a list of rows.

        `startTime` and `endTime` are epoch milliseconds; `symbol`, `category`, `strategy` (the
        algorithm) and `apiKeyId` choose.
        """
        named = with_present_names(params)
        return self.sign_request(
            "GET", "/user/trading/v2/tca-analysis", checked(named, TIMES_IN_MS)
        )

    def list_exchange_apis_v2(self, **params: Any) -> Any:
        """One page of the exchange accounts that are bound to this user: items (apiKeyId,
        accountName, exchange, apiKey in part, isValid, …), total, page, pageSize."""
        return self.sign_request("GET", "/user/exchange/v2/exchange-apis", list_query(params))

    # --- actions --------------------------------------------------------------------------------

    def create_master_order_v2(
        self,
        request: Any = None,
        *,
        apiKeyId: str | None = None,
        exchange: str | None = None,
        marketType: str | None = None,
        symbol: str | None = None,
        side: str | None = None,
        algorithm: str | None = None,
        **params: Any,
    ) -> Any:
        """Begin a master order.  Returns masterOrderId, status and clientOrderId.

        Needed are the six that are named, `executionDurationSeconds` (more than 10), and either
        `totalQuantity` or `orderNotional`.  Decimals reach the venue as text, digit for digit.
        `povLimit` is 0.05 for POV and 1 for others where it is left out.  A name that the call does
        not have is refused.  `request` and `params` as in `update_master_order_v2`.

        Never repeated by itself: if the answer is lost, look for its `clientOrderId`.
        """
        core = {
            "apiKeyId": apiKeyId,
            "exchange": exchange,
            "marketType": marketType,
            "symbol": symbol,
            "side": side,
            "algorithm": algorithm,
        }
        return self._write("POST", MASTER_ORDERS, create_body(request, {**params, **core}))

    def pause_master_order_v2(
        self, masterOrderId: str | int, *, reason: str | None = None, **params: Any
    ) -> Any:
        """Returns `success` and `message`, as the other actions do: look at them."""
        return self._act("pause", masterOrderId, {"reason": reason, **params})

    def resume_master_order_v2(
        self, masterOrderId: str | int, *, reason: str | None = None, **params: Any
    ) -> Any:
        return self._act("resume", masterOrderId, {"reason": reason, **params})

    def cancel_master_order_v2(
        self, masterOrderId: str | int, *, reason: str | None = None, **params: Any
    ) -> Any:
        return self._act("cancel", masterOrderId, {"reason": reason, **params})

    def update_master_order_v2(
        self, masterOrderId: str | int, request: Any = None, **params: Any
    ) -> Any:
        """Change a running master order; what is left out stays as it is.

        Decimals reach the venue as text, as they must, digit for digit.  The duration is more than
        10 seconds, and a `worstPrice` of -1 means none.  A name that the call does not have is
        refused.  `request` is a dictionary of the same parameters, or an object whose
        `to_payload()` gives one; `params` come before it.
        """
        return self._act("update", masterOrderId, update_body(request, params))

    def batch_cancel_master_orders_v2(
        self, masterOrderIds: Iterable[str], *, reason: str | None = None, **params: Any
    ) -> Any:
        """Returns successCount and failedOrders, which still run."""
        ids = id_list("masterOrderIds", masterOrderIds)
        body = checked({"masterOrderIds": ids, "reason": reason, **params})
        return self._write("PUT", f"{MASTER_ORDERS}/batch-cancel", body)

    # --------------------------------------------------------------------------------------------

    def _act(self, action: str, order: str | int, params: Mapping[str, Any]) -> Any:
        path = path_of(f"{MASTER_ORDER}/{action}", masterOrderId=order)
        return self._write("PUT", path, checked(params))

    def _write(self, method: str, path: str, params: dict[str, Any]) -> Any:
        window = params.pop("recvWindow", None)
        return self.sign_json_request(method, path, params, {"recvWindow": window})

    def _pages(
        self, path: str, item_id: str, max_pages: int | None, params: Mapping[str, Any]
    ) -> Iterator[Page]:
        query = list_query({"pageSize": MAX_PAGE_SIZE, **params})

        def get(number: int) -> Page:
            answer = self._calls.call("GET", path, {**query, "page": number}, signed=True)
            return Page.of(answer, number, query["pageSize"])

        return pages(get, lambda item: item.get(item_id, ""), max_pages)
