"""The venue's REST interface: a request in, a reply out.  No I/O; the clock is passed in."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote

import msgspec

from qehost.simulator import exchange_accounts, rest_v1, rest_v2
from qehost.simulator.accounts import Account, AccountList
from qehost.simulator.fields import json_object
from qehost.simulator.refusal import RestRefusal
from qehost.simulator.signatures import check_signature
from qehost.simulator.signed_request import RestForm, Route, SignedRequest
from qehost.simulator.trading_pairs import trading_pairs, trading_pairs_v2

__all__ = ["Rest", "RestReply", "RestRequest", "refusal", "strip_prefix"]

_PREFIX = "/strategy-api"


class RestRequest(NamedTuple):
    method: str
    path: str  # without query
    query: str
    api_key: str  # of the header X-MBX-APIKEY
    body: bytes = b""


class RestReply(NamedTuple):
    """`acted_on` is the user whose master orders the request has changed, if any."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    acted_on: Account | None = None


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


def refusal(refused: RestRefusal, now_ms: int) -> RestReply:
    wait = refused.retry_after
    headers = () if wait is None else (("Retry-After", str(wait)),)
    body = envelope(refused.status, refused.message, refused.reason, now_ms)
    return RestReply(refused.status, body, headers)


class Rest:
    """Answers requests about `accounts`, in a certain `form`."""

    def __init__(self, accounts: AccountList) -> None:
        self._accounts = accounts
        self.form = RestForm()

    def answer(self, request: RestRequest, now_ms: int) -> RestReply:
        try:
            return self._answer(request, now_ms)
        except RestRefusal as refused:
            return refusal(refused, now_ms)

    def _answer(self, request: RestRequest, now_ms: int) -> RestReply:
        path = strip_prefix(request.path)
        public = _PUBLIC.get(path) if request.method == "GET" else None
        if public is not None:
            params = dict(parse_qsl(request.query))
            return RestReply(200, envelope(200, public(params, now_ms), "", now_ms))
        route, name = _route(request.method, path)
        account = self._accounts.by_api_key(request.api_key)
        if account is None:
            raise RestRefusal(401, "API_KEY_INVALID", "the header X-MBX-APIKEY holds no known key")
        fields = json_object(request.body)
        params = check_signature(account, request.query, fields, now_ms)
        signed = SignedRequest(account, params, fields, now_ms, name, self.form)
        body = envelope(200, route.handler(signed), "", now_ms)
        return RestReply(200, body, acted_on=account if route.acts else None)


def _route(method: str, path: str) -> tuple[Route, str]:
    """The route of a request, and the id in its path."""
    allowed = []
    for route in _ROUTES:
        found = re.fullmatch(route.pattern, path)
        if found:
            if route.method == method:
                return route, unquote(found[1]) if found.groups() else ""
            allowed.append(route.method)
    if allowed:
        raise RestRefusal(405, "METHOD_NOT_ALLOWED", f"{path} takes {' or '.join(allowed)}")
    raise RestRefusal(404, "NOT_FOUND", f"there is no {path}")


_PUBLIC: dict[str, Callable[[dict[str, str], int], Any]] = {
    "/ping": lambda _, __: None,
    "/timestamp": lambda _, now_ms: {"serverTimeMilli": str(now_ms)},
    "/pub/trading-pairs": lambda params, _: trading_pairs(params),
    "/pub/v2/trading-pairs": lambda params, _: trading_pairs_v2(params),
}
_ROUTES = (*rest_v2.ROUTES, *rest_v1.ROUTES, *exchange_accounts.ROUTES)
