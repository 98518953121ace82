"""Checks of what a caller passes, and its form on the wire.  No I/O."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, TypeAlias

from qehost.errors import (
    ParameterArgumentError,
    ParameterRequiredError,
    ParameterTypeError,
    ParameterValueError,
)
from qehost.signing import plain_number

__all__ = [
    "Exact",
    "When",
    "documented_query",
    "documented_update",
    "id_list",
    "page_query",
    "rfc3339",
    "seconds",
    "update_body",
]

Exact: TypeAlias = Decimal | int | str
"""A number that is exact.  A float is none: 0.1 + 0.2 is not 0.3."""

When: TypeAlias = dt.datetime | str
"""A `datetime` with a time zone, or RFC 3339 text."""

MAX_PAGE_SIZE = 100  # the venue refuses more

DECIMALS = {
    "total_quantity": "totalQuantity",
    "order_notional": "orderNotional",
    "up_tolerance": "upTolerance",
    "low_tolerance": "lowTolerance",
    "maker_rate_limit": "makerRateLimit",
    "pov_limit": "povLimit",
    "pov_min_limit": "povMinLimit",
    "worst_price": "worstPrice",
}
FLAGS = {
    "enable_make": "enableMake",
    "strict_up_bound": "strictUpBound",
    "tail_order_protection": "tailOrderProtection",
    "must_complete": "mustComplete",
}
DURATION = "execution_duration_seconds"


def update_body(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The body of an update.  `fields` by their names in snake_case; None is left out."""
    given = {name: value for name, value in fields.items() if value is not None}
    if not given:
        raise ParameterArgumentError("an update needs at least one field to change")
    body: dict[str, Any] = {}
    for name, value in given.items():
        if name in DECIMALS:
            body[DECIMALS[name]] = _decimal(name, value)
        elif name in FLAGS:
            if not isinstance(value, bool):
                raise ParameterTypeError([name, "bool"])
            body[FLAGS[name]] = value
        elif name == DURATION:
            body["executionDurationSeconds"] = _duration(name, value)
        else:
            raise ParameterArgumentError(f"{name} can't be updated")
    return body


def documented_update(request: Any, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The same from the venue's names, and as lenient as its client: a decimal may be a float, the
    duration a text, and a flag is what it is.  `recvWindow` stays among the fields.

    `request` is None, a mapping, or an object with `to_payload()`; `fields` come before it.
    """
    given = {**_payload(request), **{k: v for k, v in fields.items() if v is not None}}
    body: dict[str, Any] = {}
    for name, value in given.items():
        if value is None:
            continue
        if name in DECIMALS.values():
            body[name] = plain_number(value) if isinstance(value, float) else _decimal(name, value)
        elif name == "executionDurationSeconds":
            body[name] = _duration(name, _whole(name, value))
        elif name in FLAGS.values() or name == "recvWindow":
            body[name] = value
        else:
            raise ParameterArgumentError(f"{name} is no field that an update can change")
    return body


def documented_query(params: Mapping[str, Any]) -> dict[str, Any]:
    """The query of a list from what the venue's client takes: its older names, and enums."""
    query = {
        name: value.value if isinstance(value, Enum) else value for name, value in params.items()
    }
    for older, name in (("page_size", "pageSize"), ("apiKeyUuid", "apiKeyId")):
        if older in query and name not in query:
            query[name] = query.pop(older)
    size = query.get("pageSize")
    if size is not None and _whole("pageSize", size) > MAX_PAGE_SIZE:
        raise ParameterArgumentError(f"pageSize must be at most {MAX_PAGE_SIZE}, not {size}")
    return query


def _payload(request: Any) -> Mapping[str, Any]:
    payload = request.to_payload() if hasattr(request, "to_payload") else request
    if payload is None:
        return {}
    if not isinstance(payload, Mapping):
        raise ParameterTypeError(["request", "dict, or an object with to_payload()"])
    return payload


def _whole(name: str, value: Any) -> int:
    try:
        number = int(value)
        exact = isinstance(value, str) or number == value
    except (TypeError, ValueError, OverflowError):
        exact = False
    if not exact or isinstance(value, bool):
        raise ParameterArgumentError(f"{name} must be a whole number, not {value!r}")
    return number


def _duration(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ParameterTypeError([name, "int"])
    if value <= 10:
        raise ParameterArgumentError(f"{name} must be more than 10, not {value}")
    return value


def _decimal(name: str, value: Exact) -> str:
    if isinstance(value, bool) or not isinstance(value, Decimal | int | str):
        raise ParameterTypeError([name, "Decimal, int or str, which are exact"])
    try:
        return plain_number(Decimal(value))
    except (InvalidOperation, ParameterValueError):
        raise ParameterArgumentError(f"{name} must be a number, not {value!r}") from None


def page_query(page: int, page_size: int, filters: Mapping[str, Any]) -> dict[str, Any]:
    """The query for one page of a list."""
    if page < 1:
        raise ParameterArgumentError(f"page must be 1 or more, not {page}")
    if not 1 <= page_size <= MAX_PAGE_SIZE:
        raise ParameterArgumentError(f"page_size must be 1 to {MAX_PAGE_SIZE}, not {page_size}")
    return {**filters, "page": page, "pageSize": page_size}


def rfc3339(name: str, value: When | None) -> str | None:
    """The time as text, in UTC and milliseconds; text stays as it is."""
    if not isinstance(value, dt.datetime):
        return value
    if value.tzinfo is None:
        raise ParameterArgumentError(f"{name} needs a time zone, such as datetime.UTC")
    utc = value.astimezone(dt.UTC).replace(tzinfo=None)
    return utc.isoformat(timespec="milliseconds") + "Z"


def id_list(name: str, values: Iterable[str]) -> list[str]:
    """At least one id, none of them empty."""
    if isinstance(values, str):
        # Its letters would be taken for ids.
        raise ParameterTypeError([name, "list of ids"])
    ids = [str(value) for value in values]
    if not ids or not all(ids):
        raise ParameterRequiredError([name])
    return ids


def seconds(timeout: float | tuple[float, float] | None, default: float) -> float:
    """The deadline of a call: a number, or the sum of a pair (to connect, to read)."""
    if timeout is None:
        return default
    total = sum(timeout) if isinstance(timeout, tuple) else timeout
    if not total > 0:
        raise ParameterArgumentError(f"timeout must be more than 0 seconds, not {timeout}")
    return float(total)
