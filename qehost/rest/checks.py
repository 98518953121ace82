"""Checks of single parameters, and their form on the wire.  No I/O.

A *check* takes a parameter's name and value and gives what is sent, or raises.
"""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal, InvalidOperation
from typing import Any

from qehost.errors import ParameterArgumentError, ParameterTypeError, ParameterValueError
from qehost.rest.signing import plain_number

__all__ = [
    "MAX_PAGE_SIZE",
    "as_it_is",
    "decimal",
    "duration",
    "epoch_ms",
    "flag",
    "market_type",
    "moment",
    "not_in_v2",
    "page",
    "page_size",
    "plain",
    "share",
    "trigger_action",
    "trigger_price",
    "wait_seconds",
]

MAX_PAGE_SIZE = 100  # the venue refuses more


def decimal(name: str, value: Any) -> str:
    """Text in plain notation, digit for digit: V2's decimals are strings."""
    if isinstance(value, bool) or not isinstance(value, Decimal | int | float | str):
        raise ParameterTypeError([name, "Decimal, int, float or str"])
    try:
        return plain_number(value if isinstance(value, float) else Decimal(value))
    except (InvalidOperation, ParameterValueError):
        raise ParameterArgumentError(f"{name} must be a number, not {value!r}") from None


def flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ParameterTypeError([name, "bool"])
    return value


def whole(name: str, value: Any) -> int:
    try:
        number = int(value)
        exact = isinstance(value, str) or number == value
    except (TypeError, ValueError, OverflowError):
        exact = False
    if not exact or isinstance(value, bool):
        raise ParameterArgumentError(f"{name} must be a whole number, not {value!r}")
    return number


def duration(name: str, value: Any) -> int:
    number = whole(name, value)
    if number <= 10:
        raise ParameterArgumentError(f"{name} must be more than 10, not {number}")
    return number


def page(name: str, value: Any) -> int:
    number = whole(name, value)
    if number < 1:
        raise ParameterArgumentError(f"{name} must be 1 or more, not {number}")
    return number


def page_size(name: str, value: Any) -> int:
    number = page(name, value)
    if number > MAX_PAGE_SIZE:
        raise ParameterArgumentError(f"{name} must be at most {MAX_PAGE_SIZE}, not {number}")
    return number


def moment(name: str, value: Any) -> Any:
    """A `datetime` as RFC 3339, in UTC and milliseconds; text stays as it is."""
    if not isinstance(value, dt.datetime):
        return value
    if value.tzinfo is None:
        raise ParameterArgumentError(f"{name} needs a time zone, such as datetime.UTC")
    utc = value.astimezone(dt.UTC).replace(tzinfo=None)
    return utc.isoformat(timespec="milliseconds") + "Z"


def epoch_ms(name: str, value: Any) -> int:
    """A `datetime` as epoch milliseconds, which may be given as they are."""
    if not isinstance(value, dt.datetime):
        return whole(name, value)
    if value.tzinfo is None:
        raise ParameterArgumentError(f"{name} needs a time zone, such as datetime.UTC")
    return round(value.timestamp() * 1000)


def share(name: str, value: Any) -> str:
    text = decimal(name, value)
    if not 0 <= Decimal(text) <= 1:
        raise ParameterArgumentError(f"{name} must be between 0 and 1, not {text}")
    return text


def trigger_price(name: str, value: Any) -> str:
    """An empty text disables it, as 0 does."""
    return "" if value == "" else decimal(name, value)


def trigger_action(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 10:
        raise ParameterArgumentError(f"{name} must be an integer from 0 to 10, not {value!r}")
    return value


def wait_seconds(name: str, value: Any) -> int | float:
    """A JSON number, which may have a fraction."""
    if isinstance(value, bool) or not isinstance(value, Decimal | int | float):
        raise ParameterTypeError([name, "Decimal, int or float"])
    if not 0 <= value < math.inf:
        raise ParameterArgumentError(f"{name} must be 0 seconds or more, not {value}")
    return float(value) if value % 1 else int(value)


def market_type(name: str, value: Any) -> Any:
    if value not in ("SPOT", "PERP"):
        raise ParameterArgumentError(f"{name} must be SPOT or PERP, not {value!r}")
    return value


def plain(name: str, value: Any) -> Any:
    """V1's numbers: without an exponent."""
    try:
        return plain_number(value) if isinstance(value, float | Decimal) else value
    except ParameterValueError:
        raise ParameterArgumentError(f"{name} must be a number, not {value!r}") from None


def not_in_v2(name: str, value: Any) -> Any:
    raise ParameterArgumentError(f"{name} is V1's: V2 has worstPrice")


def as_it_is(name: str, value: Any) -> Any:
    return value
