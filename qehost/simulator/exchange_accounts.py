"""The exchange accounts of a user, and their balances and positions.

These rest: they are there to be read, and no master order moves them.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

from qehost.simulator.account_shapes import SHAPES, filled
from qehost.simulator.accounts import Account
from qehost.simulator.refusal import RestRefusal
from qehost.simulator.signed_request import Route, SignedRequest, page
from qehost.simulator.trading_pairs import EXCHANGES

__all__ = ["ROUTES"]

_BOUND_AT = "2026-01-05T08:00:00Z"


class _Binding(NamedTuple):
    id: str
    exchange: str
    name: str


def _bindings(account: Account) -> list[_Binding]:
    """One for each exchange; the market's orders are of the first."""
    first = f"binding-{account.index + 1}"
    ids = (first, *(f"{first}-{exchange.lower()}" for exchange in EXCHANGES[1:]))
    return [
        _Binding(each, exchange, f"account {number}")
        for number, (each, exchange) in enumerate(zip(ids, EXCHANGES, strict=True), 1)
    ]


def _apis(call: SignedRequest, *, v1: bool) -> dict[str, Any]:
    exchange = call.params.get("exchange", "").lower()
    found = [b for b in _bindings(call.account) if exchange in ("", b.exchange.lower())]
    return page(call.params, found, _v1_api if v1 else _v2_api, clip=v1)


def _v2_api(binding: _Binding) -> dict[str, Any]:
    return {"apiKeyId": binding.id, **_api(binding)}


def _v1_api(binding: _Binding) -> dict[str, Any]:
    return {"id": binding.id, **_api(binding), "verificationMethod": "API"}


def _api(binding: _Binding) -> dict[str, Any]:
    return {
        "createdAt": _BOUND_AT,
        "accountName": binding.name,
        "exchange": binding.exchange,
        "apiKey": f"{binding.exchange[:3].lower()}****{binding.id[-4:]}",
        "status": "NORMAL",
        "isValid": True,
        "isTradingEnabled": True,
        "isDefault": binding.name == "account 1",
        "isPm": False,
    }


_NEEDED = {"okx-account-max-size": ("instId", "tdMode")}


def _read(call: SignedRequest, *, route: str) -> dict[str, Any]:
    shape = SHAPES[route]
    name = call.params.get("bindingId", "")
    binding = next((each for each in _bindings(call.account) if each.id == name), None)
    if binding is None:
        raise RestRefusal(404, "NOT_FOUND", f"bindingId {name!r} is none of this user's")
    if binding.exchange != shape.exchange:
        text = f"{route} is for {shape.exchange}, and {name} is of {binding.exchange}"
        raise RestRefusal(400, "INVALID_ARGUMENT", text)
    for needed in _NEEDED.get(route, ()):
        if not call.params.get(needed):
            raise RestRefusal(400, "INVALID_ARGUMENT", f"{needed} is required")
    given = {name: call.params[name] for name in ("instId", "sym") if call.params.get(name)}
    return filled(route, given)


ROUTES = (
    Route("GET", "/user/exchange/v2/exchange-apis", partial(_apis, v1=False)),
    Route("GET", "/user/exchange-apis", partial(_apis, v1=True)),
    *(
        Route("GET", f"/user/exchange-apis/{route}", partial(_read, route=route))
        for route in SHAPES
    ),
)
