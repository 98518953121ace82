"""The venue's REST interface: a request in, a reply out.  No I/O; the clock is passed in."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import unquote

import msgspec

from qehost.messages import MasterOrderDetail
from qehost.simulator.accounts import Account, Accounts
from qehost.simulator.encode import v2_object
from qehost.simulator.fields import created, filters, json_object, updated, whole
from qehost.simulator.instruments import find
from qehost.simulator.refusal import Refused
from qehost.simulator.signatures import check_signature

__all__ = ["Reply", "Request", "Rest", "refusal", "strip_prefix"]

_PREFIX = "/strategy-api"
_PAGE_SIZE = 20
_PAGE_SIZE_MAX = 100


class Request(NamedTuple):
    method: str
    path: str  # without query
    query: str
    api_key: str  # of the header X-MBX-APIKEY
    body: bytes = b""


class Reply(NamedTuple):
    """`acted_on` is the user whose master orders the request has changed."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    acted_on: Account | None = None


class _Call(NamedTuple):
    """A request that has passed the checks."""

    account: Account
    params: dict[str, str]  # of the query, without those of the signature
    body: dict[str, Any]
    now_ms: int
    id: str  # from the path


def strip_prefix(path: str) -> str:
    """The path without `/strategy-api`, which some deployments put in front."""
    return path.removeprefix(_PREFIX) if path.startswith(_PREFIX + "/") else path


def envelope(code: int, message: Any, reason: str, now_ms: int) -> bytes:
    return msgspec.json.encode(
        {
            "code": code,
            "message": message,
            "reason": reason,
            "traceId": secrets.token_hex(8),
            "serverTime": now_ms,
        }
    )


def refusal(refused: Refused, now_ms: int) -> Reply:
    wait = refused.retry_after
    headers = () if wait is None else (("Retry-After", str(wait)),)
    body = envelope(refused.status, refused.message, refused.reason, now_ms)
    return Reply(refused.status, body, headers)


class Rest:
    """Answers requests about `accounts`.  `key_lifetime` (seconds) is that of new keys."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self.key_lifetime: float | None = None

    def answer(self, request: Request, now_ms: int) -> Reply:
        try:
            return self._answer(request, now_ms)
        except Refused as refused:
            return refusal(refused, now_ms)

    def _answer(self, request: Request, now_ms: int) -> Reply:
        path = strip_prefix(request.path)
        match request.method, path:
            case "GET", "/ping":
                return Reply(200, envelope(200, None, "", now_ms))
            case "GET", "/timestamp":
                return Reply(200, envelope(200, {"serverTimeMilli": str(now_ms)}, "", now_ms))
        handler, name = self._route(request.method, path)
        account = self._accounts.by_api_key(request.api_key)
        if account is None:
            raise Refused(401, "API_KEY_INVALID", "the header X-MBX-APIKEY holds no known key")
        fields = json_object(request.body)
        params = check_signature(account, request.query, fields, now_ms)
        result = handler(_Call(account, params, fields, now_ms, name))
        acted = request.method != "GET" and path.startswith(_MASTERS)
        body = envelope(200, result, "", now_ms)
        return Reply(200, body, acted_on=account if acted else None)

    def _route(self, method: str, path: str) -> tuple[Callable[[_Call], Any], str]:
        allowed = []
        for verb, pattern, name in _ROUTES:
            found = re.fullmatch(pattern, path)
            if found:
                if verb == method:
                    return getattr(self, name), unquote(found[1]) if found.groups() else ""
                allowed.append(verb)
        if allowed:
            raise Refused(405, "METHOD_NOT_ALLOWED", f"{path} takes {' or '.join(allowed)}")
        raise Refused(404, "NOT_FOUND", f"there is no {path}")

    def listen_key(self, call: _Call) -> dict[str, Any]:
        key = call.account.new_listen_key(call.now_ms, self.key_lifetime)
        expire_at = str(call.account.expire_at_ms // 1000)
        return {"listenKey": key, "expireAt": expire_at, "success": True, "message": ""}

    def master_orders(self, call: _Call) -> dict[str, Any]:
        names = ("status", "exchange", "symbol", "algorithm", "apiKeyId", "masterOrderId")
        return _page(call, call.account.history.master_orders(*filters(call.params, names)))

    def order_fills(self, call: _Call) -> dict[str, Any]:
        names = ("masterOrderId", "orderId", "clientOrderId", "symbol", "status")
        return _page(call, call.account.history.order_fills(*filters(call.params, names)))

    def master_order(self, call: _Call) -> dict[str, Any]:
        return _found(call.account.history.master_order(call.id), call.id)

    def by_client_order_id(self, call: _Call) -> dict[str, Any]:
        return _found(call.account.history.by_client_order_id(call.id), call.id)

    def create(self, call: _Call) -> dict[str, Any]:
        fields = created(call.body)
        instrument = find(call.body["symbol"], str(call.body["marketType"]).lower())
        if instrument is None:
            raise Refused(400, "INVALID_ARGUMENT", "no such symbol in that marketType")
        quantity = fields.pop("total_quantity", None)
        detail = call.account.market.create(call.now_ms, instrument, fields, quantity)
        return {
            "masterOrderId": detail.master_order_id,
            "status": detail.status,
            "clientOrderId": detail.client_order_id,
        }

    def pause(self, call: _Call) -> dict[str, Any]:
        return self._act(call, call.account.market.pause)

    def resume(self, call: _Call) -> dict[str, Any]:
        return self._act(call, call.account.market.resume)

    def cancel(self, call: _Call) -> dict[str, Any]:
        return self._act(call, call.account.market.cancel)

    def update(self, call: _Call) -> dict[str, Any]:
        fields = updated(call.body)
        call.account.market.update(call.id, call.now_ms, fields)
        return {"success": True, "message": "updated"}

    def batch_cancel(self, call: _Call) -> dict[str, Any]:
        ids = call.body.get("masterOrderIds")
        if not isinstance(ids, list) or not ids:
            raise Refused(400, "INVALID_ARGUMENT", "masterOrderIds must be a list of ids")
        failed = []
        for each in map(str, ids):
            try:
                call.account.market.cancel(each, call.now_ms, str(call.body.get("reason") or ""))
            except Refused as refused:
                failed.append({"masterOrderId": each, "reason": refused.message})
        return {"successCount": len(ids) - len(failed), "failedOrders": failed}

    def _act(self, call: _Call, action: Callable[[str, int, str], None]) -> dict[str, Any]:
        action(call.id, call.now_ms, str(call.body.get("reason") or ""))
        return {"success": True, "message": "accepted"}


_MASTERS = "/user/trading/v2/master-orders"
# The first that fits is taken; names are methods of Rest.
_ROUTES = (
    ("POST", "/user/trading(?:/v2)?/listen-key", "listen_key"),
    ("GET", _MASTERS, "master_orders"),
    ("POST", _MASTERS, "create"),
    ("PUT", f"{_MASTERS}/batch-cancel", "batch_cancel"),
    ("GET", f"{_MASTERS}/by-client-order-id/([^/]+)", "by_client_order_id"),
    ("PUT", f"{_MASTERS}/([^/]+)/pause", "pause"),
    ("PUT", f"{_MASTERS}/([^/]+)/resume", "resume"),
    ("PUT", f"{_MASTERS}/([^/]+)/cancel", "cancel"),
    ("PUT", f"{_MASTERS}/([^/]+)/update", "update"),
    ("GET", f"{_MASTERS}/([^/]+)", "master_order"),
    ("GET", "/user/trading/v2/order-fills", "order_fills"),
)


def _found(detail: MasterOrderDetail | None, name: str) -> dict[str, Any]:
    if detail is None:
        raise Refused(404, "NOT_FOUND", f"no master order {name}")
    return v2_object(detail)


def _page(call: _Call, found: list[Any]) -> dict[str, Any]:
    page = whole(call.params, "page", 1)
    size = whole(call.params, "pageSize", _PAGE_SIZE)
    if size > _PAGE_SIZE_MAX:
        raise Refused(400, "INVALID_ARGUMENT", f"pageSize must be at most {_PAGE_SIZE_MAX}")
    items = found[(page - 1) * size : page * size]
    return {
        "items": [v2_object(detail) for detail in items],
        "total": len(found),
        "page": page,
        "pageSize": size,
    }
