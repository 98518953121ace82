"""The venue's times as epoch milliseconds.

Times come as RFC 3339 (`2026-07-03T09:46:39.123Z`), as epoch milliseconds and, in older messages,
as epoch seconds, the latter two as numbers or as text.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

__all__ = ["created_ms", "epoch_ms"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_INT64_DIGITS = 18  # every whole number of so many digits fits 64 bits

# Epoch milliseconds have been above this since March 1973, epoch seconds will be below it until
# the year 5138.
_SECONDS_BELOW = 100_000_000_000


def epoch_ms(text: str) -> int:
    """`createdAt` or `updatedAt` as epoch milliseconds; 0 where the venue sent none.

    A number below 10¹¹ is taken as epoch seconds.  RFC 3339 may have a space for the `T`, any
    number of fraction digits (cut after milliseconds) and no zone (then UTC).  The year 1, which
    is how Go writes a time that was not set, is 0.  Raises ValueError for anything else.
    """
    if len(text) <= _INT64_DIGITS and text.isascii() and text.isdigit():
        number = int(text)
        return number * 1000 if number < _SECONDS_BELOW else number
    if not text:
        return 0
    try:
        return _rfc3339_ms(text)
    except ValueError:
        value = _number(text)
        return _int64(value * 1000 if abs(value) < _SECONDS_BELOW else value)


def created_ms(text: str) -> int:
    """`orderCreatedTime`, documented as epoch milliseconds or RFC 3339; 0 where there is none.

    A number is taken as it is.  Raises ValueError for anything else.
    """
    if len(text) <= _INT64_DIGITS and text.isascii() and text.isdigit():
        return int(text)
    if not text:
        return 0
    try:
        return _rfc3339_ms(text)
    except ValueError:
        return _int64(_number(text))


def _rfc3339_ms(text: str) -> int:
    # A bare number could pass as a date in ISO 8601's basic format: 20260703.
    if "-" not in text[1:]:
        raise ValueError(text)
    try:
        moment = datetime.fromisoformat(text.strip().upper())
    except (ValueError, OverflowError) as error:
        raise ValueError(text) from error
    if moment.year == 1:
        return 0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MILLISECOND


def _number(text: str) -> Decimal:
    if not text.isascii() or "_" in text:
        raise ValueError(text)
    try:
        number = Decimal(text)
    except ArithmeticError as error:
        raise ValueError(text) from error
    if not number.is_finite() or number.adjusted() > _INT64_DIGITS:
        raise ValueError(text)
    return number


def _int64(value: Decimal) -> int:
    number = int(value)
    if not -(2**63) <= number < 2**63:
        raise ValueError(value)
    return number
