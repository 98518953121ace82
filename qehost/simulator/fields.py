"""The fields of requests: from text and JSON to the types of the messages.  Pure.

Every function raises `Refused` for what can't be read, with the field's name.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from qehost.messages import MasterOrderDetail
from qehost.simulator.refusal import Refused

__all__ = ["created", "filters", "json_object", "updated", "whole"]

_SNAKE = {
    "".join([head, *map(str.capitalize, rest)]): name
    for name in (*MasterOrderDetail.__struct_fields__, "order_id")
    for head, *rest in (name.split("_"),)
}
_UPDATABLE_BOOLEANS = {"enableMake", "strictUpBound", "tailOrderProtection", "mustComplete"}
_BOOLEANS = _UPDATABLE_BOOLEANS | {"reduceOnly", "isMargin", "isTargetPosition"}
_LIMITS = {"makerRateLimit", "povLimit", "povMinLimit", "worstPrice", "upTolerance", "lowTolerance"}
_UPDATABLE_DECIMALS = _LIMITS | {"totalQuantity", "orderNotional"}
_DECIMALS = _UPDATABLE_DECIMALS | {"triggerPrice", "triggerPrice1"}
_TEXTS = {"apiKeyId", "exchange", "side", "algorithm", "marginType", "clientOrderId", "notes"}
_UPDATABLE = _UPDATABLE_BOOLEANS | _UPDATABLE_DECIMALS | {"executionDurationSeconds"}
_CREATABLE = _BOOLEANS | _DECIMALS | _TEXTS | {"executionDurationSeconds"}
_REQUIRED = ("exchange", "marketType", "symbol", "side", "algorithm", "executionDurationSeconds")


def json_object(body: bytes) -> dict[str, Any]:
    """The body; an empty one is an empty object."""
    try:
        value = json.loads(body) if body else {}
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Refused(400, "INVALID_BODY", "the body must be a JSON object")
    return value


def updated(body: dict[str, Any]) -> dict[str, Any]:
    """The changes that a body asks for, named and typed as in `MasterOrderDetail`."""
    unknown = body.keys() - _UPDATABLE
    if unknown:
        raise _invalid(f"{min(unknown)} can't be updated")
    if not body:
        raise _invalid("nothing to update")
    return {_SNAKE[name]: _value(name, value) for name, value in body.items()}


def created(body: dict[str, Any]) -> dict[str, Any]:
    """The new master order of a body, named and typed as in `MasterOrderDetail`."""
    for name in _REQUIRED:
        if not body.get(name):
            raise _invalid(f"{name} is required")
    if body["side"] not in ("buy", "sell"):
        raise _invalid("side must be buy or sell")
    if bool(body.get("totalQuantity")) == bool(body.get("orderNotional")):
        raise _invalid("exactly one of totalQuantity and orderNotional must be given")
    return {_SNAKE[name]: _value(name, body[name]) for name in body if name in _CREATABLE}


def filters(
    params: dict[str, str], names: tuple[str, ...]
) -> tuple[dict[str, str], datetime | None, datetime | None]:
    """Those of `names` that a query gives, in snake_case, and its startTime and endTime."""
    wanted = {_SNAKE[name]: params[name] for name in names if params.get(name)}
    return wanted, _moment(params, "startTime"), _moment(params, "endTime")


def whole(params: dict[str, str], name: str, default: int) -> int:
    """A whole number from 1."""
    text = params.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise _invalid(f"{name} must be a whole number from 1")
    return int(text)


def _value(name: str, value: Any) -> Any:
    if name in _BOOLEANS:
        if not isinstance(value, bool):
            raise _invalid(f"{name} must be true or false")
        return value
    if name == "executionDurationSeconds":
        if not isinstance(value, int) or value <= 10:
            raise _invalid(f"{name} must be greater than 10")
        return value
    if name in _DECIMALS:
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite():
            raise _invalid(f"{name} must be a decimal number")
        return number
    return str(value)


def _moment(params: dict[str, str], name: str) -> datetime | None:
    text = params.get(name)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _invalid(f"{name} must be RFC 3339") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _invalid(message: str) -> Refused:
    return Refused(400, "INVALID_ARGUMENT", message)
