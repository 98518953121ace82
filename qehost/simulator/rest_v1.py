"""V1's calls about master orders and fills: everything in the query, numbers as numbers.

Source of names and shapes: the venue's documentation of V1.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from qehost.messages import MasterOrderDetail, OrderDetail
from qehost.simulator.fields import body_of_v1, filters, updated
from qehost.simulator.orders import FINISHED, rfc3339
from qehost.simulator.refusal import RestRefusal
from qehost.simulator.rest_v2 import create_from
from qehost.simulator.signed_request import Route, SignedRequest, page
from qehost.simulator.tca import analysis

__all__ = ["ROUTES"]

_FEE = 0.0005


def _master_orders(call: SignedRequest) -> dict[str, Any]:
    found = call.account.history.master_orders(
        *filters(call.params, ("status", "exchange", "symbol"))
    )
    return page(call.params, found, _master_order, clip=True)


def _order_fills(call: SignedRequest) -> dict[str, Any]:
    params = dict(call.params)
    params.setdefault("orderId", params.get("subOrderId", ""))
    names = ("masterOrderId", "orderId", "symbol", "status")
    found = call.account.history.order_fills(*filters(params, names))
    return page(params, found, _order_fill, clip=True)


def _detail(call: SignedRequest) -> dict[str, Any]:
    return _whole(call.account.history.master_order(call.id), call.id)


def _by_client_order_id(call: SignedRequest) -> dict[str, Any]:
    return _whole(call.account.history.by_client_order_id(call.id), call.id)


def _whole(detail: MasterOrderDetail | None, name: str) -> dict[str, Any]:
    if detail is None:
        raise RestRefusal(404, "NOT_FOUND", f"no master order {name}")
    return {"masterOrder": _master_order(detail)}


def _create(call: SignedRequest) -> dict[str, Any]:
    detail = create_from(call, body_of_v1(call.params))
    return {"masterOrderId": detail.master_order_id, "success": True, "message": ""}


def _pause(call: SignedRequest) -> dict[str, Any]:
    return _act(call, call.account.market.pause)


def _resume(call: SignedRequest) -> dict[str, Any]:
    return _act(call, call.account.market.resume)


def _cancel(call: SignedRequest) -> dict[str, Any]:
    return _act(call, call.account.market.cancel)


def _act(call: SignedRequest, action: Callable[[str, int, str], None]) -> dict[str, Any]:
    action(call.id, call.now_ms, call.params.get("reason", ""))
    return {"success": True, "message": "accepted"}


def _update(call: SignedRequest) -> dict[str, Any]:
    params = {name: text for name, text in call.params.items() if name != "masterOrderId"}
    call.account.market.update(call.id, call.now_ms, updated(body_of_v1(params)))
    return {"success": True, "message": "updated"}


def _analysis(call: SignedRequest) -> list[dict[str, Any]]:
    return analysis(call.account.history, call.params, call.params.get("apikey", ""))


# --- objects -------------------------------------------------------------------------------------


def _master_order(detail: MasterOrderDetail) -> dict[str, Any]:
    created = datetime.fromisoformat(detail.created_at).astimezone(UTC)
    seconds = detail.execution_duration_seconds or 0
    finished = detail.status in FINISHED
    filled, total = _number(detail.cum_filled_qty), _number(detail.total_quantity)
    return {
        "masterOrderId": detail.master_order_id,
        "algorithm": detail.algorithm,
        "algorithmType": "TWAP",
        "exchange": detail.exchange,
        "symbol": detail.symbol,
        "marketType": detail.market_type,
        "side": detail.side,
        "totalQuantity": 0.0 if detail.order_notional else total,
        "filledQuantity": _number(detail.cum_filled_notional) if detail.order_notional else filled,
        "averagePrice": _number(detail.avg_filled_price),
        "commission": {name: float(fee) for name, fee in (detail.commission or {}).items()},
        "status": detail.status,
        "executionDuration": -(-seconds // 60),
        "executionDurationSeconds": seconds,
        "priceLimit": _number(detail.worst_price),
        "startTime": rfc3339(detail.start_time_ms or 0),
        "endTime": rfc3339((detail.start_time_ms or 0) + seconds * 1000),
        "createdAt": detail.created_at,
        "updatedAt": detail.updated_at,
        "notes": detail.notes,
        "marginType": detail.margin_type,
        "reduceOnly": bool(detail.reduce_only),
        "strategyType": "POV" if detail.algorithm == "POV" else "TWAP-1",
        "orderNotional": _text(detail.order_notional),
        "mustComplete": bool(detail.must_complete),
        "makerRateLimit": _text(detail.maker_rate_limit),
        "povLimit": _text(detail.pov_limit),
        "clientId": "",
        "date": created.strftime("%Y%m%d"),
        "ticktimeInt": created.strftime("%H%M%S") + f"{created.microsecond // 1000:03d}",
        "limitPriceString": _text(detail.worst_price),
        "upTolerance": _text(detail.up_tolerance),
        "lowTolerance": _text(detail.low_tolerance),
        "strictUpBound": bool(detail.strict_up_bound),
        "ticktimeMs": round(created.timestamp() * 1000),
        "category": detail.category,
        "filledAmount": filled,
        "totalValue": _number(detail.cum_filled_notional),
        "base": detail.base_currency,
        "quote": detail.quote_currency,
        "completionProgress": round(100 * filled / total, 4) if total else 0.0,
        "reason": detail.reject_reason,
        "tailOrderProtection": bool(detail.tail_order_protection),
        "enableMake": bool(detail.enable_make),
        "makerRate": _number(detail.maker_rate),
        "clientOrderId": detail.client_order_id,
        "finishedMs": detail.finished_ms if finished else 0,
        "worstPrice": _number(detail.worst_price),
        "tradingAccount": detail.trading_account,
    }


def _order_fill(detail: OrderDetail) -> dict[str, Any]:
    value = _number(detail.filled_notional)
    return {
        "id": detail.id,
        "orderCreatedTime": rfc3339(detail.order_created_time or 0),
        "masterOrderId": detail.master_order_id,
        "exchange": detail.exchange,
        "category": detail.category,
        "symbol": detail.symbol,
        "side": detail.side,
        "filledValue": value,
        "filledQuantity": _number(detail.filled_quantity),
        "avgPrice": _number(detail.average_price),
        "price": _number(detail.price),
        "fee": value * _FEE,
        "tradingAccount": "",
        "status": detail.status,
        "rejectReason": detail.reject_reason,
        "base": detail.base_currency,
        "quote": detail.quote_currency,
        "type": detail.order_type,
        "orderId": detail.order_id,
        "quantity": _number(detail.quantity),
        "createdAt": detail.created_at,
        "updatedAt": detail.updated_at,
    }


def _number(value: Decimal | None) -> float:
    return float(value or 0)


def _text(value: Decimal | None) -> str:
    return "" if value is None else format(value, "f")


_MASTERS = "/user/trading/master-orders"
ROUTES = (
    Route("GET", _MASTERS, _master_orders),
    Route("POST", _MASTERS, _create, acts=True),
    Route("GET", f"{_MASTERS}/by-client-order-id/([^/]+)", _by_client_order_id),
    Route("PUT", f"{_MASTERS}/([^/]+)/pause", _pause, acts=True),
    Route("PUT", f"{_MASTERS}/([^/]+)/resume", _resume, acts=True),
    Route("PUT", f"{_MASTERS}/([^/]+)/cancel", _cancel, acts=True),
    Route("PUT", f"{_MASTERS}/([^/]+)/update", _update, acts=True),
    Route("GET", f"{_MASTERS}/([^/]+)", _detail),
    Route("GET", "/user/trading/order-fills", _order_fills),
    Route("GET", "/user/trading/tca-analysis", _analysis),
)
