"""V2's calls about master orders, fills and the listen key."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from qehost.messages import MasterOrderDetail, OrderDetail
from qehost.simulator.encode import v2_object
from qehost.simulator.fields import created, filters, updated
from qehost.simulator.instruments import instrument_of
from qehost.simulator.refusal import RestRefusal
from qehost.simulator.signed_request import Route, SignedRequest, page
from qehost.simulator.tca import analysis

__all__ = ["ROUTES", "create_from"]


def _listen_key(call: SignedRequest) -> dict[str, Any]:
    key = call.account.new_listen_key(call.now_ms, call.form.key_lifetime)
    expire_at = call.account.expire_at_ms // (1 if call.form.expire_at_in_ms else 1000)
    return {"listenKey": key, "expireAt": str(expire_at), "success": True, "message": ""}


def _master_orders(call: SignedRequest) -> dict[str, Any]:
    names = ("status", "exchange", "symbol", "algorithm", "apiKeyId", "masterOrderId")
    found = call.account.history.master_orders(*filters(call.params, names))
    return page(call.params, found, partial(_object, call))


def _order_fills(call: SignedRequest) -> dict[str, Any]:
    names = ("masterOrderId", "orderId", "clientOrderId", "symbol", "status")
    found = call.account.history.order_fills(*filters(call.params, names))
    return page(call.params, found, partial(_object, call))


def _object(call: SignedRequest, detail: MasterOrderDetail | OrderDetail) -> dict[str, Any]:
    found = v2_object(detail)
    if call.form.whole_seconds:
        for name in ("createdAt", "updatedAt"):
            found[name] = re.sub(r"\.\d+", "", found[name])
    return found


def _master_order(call: SignedRequest) -> dict[str, Any]:
    return _whole(call, call.account.history.master_order(call.id))


def _by_client_order_id(call: SignedRequest) -> dict[str, Any]:
    return _whole(call, call.account.history.by_client_order_id(call.id))


def _whole(call: SignedRequest, detail: MasterOrderDetail | None) -> dict[str, Any]:
    if detail is None:
        raise RestRefusal(404, "NOT_FOUND", f"no master order {call.id}")
    return {"masterOrder": _object(call, detail)}


def create_from(call: SignedRequest, body: dict[str, Any]) -> MasterOrderDetail:
    """A new master order from a V2 body."""
    fields = created(body)
    instrument = instrument_of(
        str(body["symbol"]), str(body["marketType"]), str(body.get("marginType") or "")
    )
    quantity = fields.pop("total_quantity", None)
    return call.account.market.create(call.now_ms, instrument, fields, quantity)


def _create(call: SignedRequest) -> dict[str, Any]:
    detail = create_from(call, call.body)
    return {
        "masterOrderId": detail.master_order_id,
        "status": detail.status,
        "clientOrderId": detail.client_order_id,
    }


def _pause(call: SignedRequest) -> dict[str, Any]:
    return _act(call, call.account.market.pause)


def _resume(call: SignedRequest) -> dict[str, Any]:
    return _act(call, call.account.market.resume)


def _cancel(call: SignedRequest) -> dict[str, Any]:
    return _act(call, call.account.market.cancel)


def _act(call: SignedRequest, action: Callable[[str, int, str], None]) -> dict[str, Any]:
    action(call.id, call.now_ms, str(call.body.get("reason") or ""))
    return {"success": True, "message": "accepted"}


def _update(call: SignedRequest) -> dict[str, Any]:
    call.account.market.update(call.id, call.now_ms, updated(call.body))
    return {"success": True, "message": "updated"}


def _batch_cancel(call: SignedRequest) -> dict[str, Any]:
    ids = call.body.get("masterOrderIds")
    if not isinstance(ids, list) or not ids:
        raise RestRefusal(400, "INVALID_ARGUMENT", "masterOrderIds must be a list of ids")
    failed = []
    for each in map(str, ids):
        try:
            call.account.market.cancel(each, call.now_ms, str(call.body.get("reason") or ""))
        except RestRefusal as refused:
            failed.append({"masterOrderId": each, "reason": refused.message})
    return {"successCount": len(ids) - len(failed), "failedOrders": failed}


def _analysis(call: SignedRequest) -> list[dict[str, Any]]:
    return analysis(call.account.history, call.params, call.params.get("apiKeyId", ""))


_MASTERS = "/user/trading/v2/master-orders"
# The first that fits is taken.
ROUTES = (
    Route("POST", "/user/trading(?:/v2)?/listen-key", _listen_key),
    Route("GET", _MASTERS, _master_orders),
    Route("POST", _MASTERS, _create, acts=True),
    Route("PUT", f"{_MASTERS}/batch-cancel", _batch_cancel, acts=True),
    Route("GET", f"{_MASTERS}/by-client-order-id/([^/]+)", _by_client_order_id),
    Route("PUT", f"{_MASTERS}/([^/]+)/pause", _pause, acts=True),
    Route("PUT", f"{_MASTERS}/([^/]+)/resume", _resume, acts=True),
    Route("PUT", f"{_MASTERS}/([^/]+)/cancel", _cancel, acts=True),
    Route("PUT", f"{_MASTERS}/([^/]+)/update", _update, acts=True),
    Route("GET", f"{_MASTERS}/([^/]+)", _master_order),
    Route("GET", "/user/trading/v2/order-fills", _order_fills),
    Route("GET", "/user/trading/v2/tca-analysis", _analysis),
)
