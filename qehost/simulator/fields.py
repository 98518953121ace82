"""The fields of requests: from text and JSON to the types of the messages.  No I/O.

Every function raises `RestRefusal` with the name of the field if it is invalid.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from qehost.messages import MasterOrderDetail
from qehost.simulator.refusal import RestRefusal

__all__ = ["body_of_v1", "created", "filters", "json_object", "updated", "whole"]

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
_NUMBERS = {"startTimeMs", "maxTriggerWaitSecs", "maxTriggerWaitTimeoutAction"}
_CREATABLE = _BOOLEANS | _DECIMALS | _TEXTS | _NUMBERS | {"executionDurationSeconds"}
_V1_ALONE = ("limitPrice", "limitPriceString")
_HOUR = 3600  # seconds: the duration of a V1 order that has none
_REQUIRED = ("exchange", "marketType", "symbol", "side", "algorithm", "executionDurationSeconds")


def json_object(body: bytes) -> dict[str, Any]:
    """The body; an empty one is an empty object."""
    try:
        value = json.loads(body) if body else {}
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise RestRefusal(400, "INVALID_BODY", "the body must be a JSON object")
    return value


def updated(body: dict[str, Any]) -> dict[str, Any]:
    """The changes in a body, named and typed as in `MasterOrderDetail`."""
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
    for name in _V1_ALONE:
        if name in body:
            raise _invalid(f"{name} is V1's: V2 has worstPrice")
    if body["side"] not in ("buy", "sell"):
        raise _invalid("side must be buy or sell")
    if bool(body.get("totalQuantity")) == bool(body.get("orderNotional")):
        raise _invalid("exactly one of totalQuantity and orderNotional must be given")
    return {_SNAKE[name]: _value(name, body[name]) for name in body if name in _CREATABLE}


def body_of_v1(params: dict[str, str]) -> dict[str, Any]:
    """The V2 body that means the same as V1's query, as far as V2 has it."""
    body: dict[str, Any] = {}
    for name, text in params.items():
        if name in _BOOLEANS:
            if text.lower() not in ("true", "false"):
                raise _invalid(f"{name} must be true or false")
            body[name] = text.lower() == "true"
        elif name in _CREATABLE | {"symbol", "marketType"} and name != "executionDurationSeconds":
            body[name] = text
    if "limitPrice" in params:
        body.setdefault("worstPrice", params["limitPrice"])
    seconds = whole(params, "executionDurationSeconds", 0, least=0)
    seconds = seconds or 60 * whole(params, "executionDuration", 0, least=0)
    if seconds or "symbol" in params:
        body["executionDurationSeconds"] = seconds or _HOUR
    if start := _time(params, "startTime"):
        body["startTimeMs"] = round(start.timestamp() * 1000)
    return body


def filters(
    params: dict[str, str], names: tuple[str, ...]
) -> tuple[dict[str, str], datetime | None, datetime | None]:
    """Those of `names` that are in a query, in snake_case, and its startTime and endTime."""
    wanted = {_SNAKE[name]: params[name] for name in names if params.get(name)}
    return wanted, _time(params, "startTime"), _time(params, "endTime")


def whole(params: dict[str, str], name: str, default: int, *, least: int = 1) -> int:
    """A whole number from `least`."""
    text = params.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise _invalid(f"{name} must be a whole number from {least}")
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
    if name == "maxTriggerWaitTimeoutAction":
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 10:
            raise _invalid(f"{name} must be an integer from 0 to 10")
        return str(value)
    if name == "startTimeMs":
        try:
            return int(value)
        except (TypeError, ValueError):
            raise _invalid(f"{name} must be epoch milliseconds") from None
    if name == "maxTriggerWaitSecs":
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise _invalid(f"{name} must be a number from 0")
        return value
    if name.startswith("triggerPrice") and value == "":
        return None
    if name in _DECIMALS:
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite():
            raise _invalid(f"{name} must be a decimal number")
        return number
    return str(value)


def _time(params: dict[str, str], name: str) -> datetime | None:
    text = params.get(name)
    if not text:
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise _invalid(f"{name} must be RFC 3339") from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _invalid(message: str) -> RestRefusal:
    return RestRefusal(400, "INVALID_ARGUMENT", message)
