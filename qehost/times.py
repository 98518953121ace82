"""The venue's times as epoch milliseconds.

Times come as RFC 3339 (`2026-07-03T09:46:39.123Z`), as epoch milliseconds and, from older venues,
as epoch seconds, the latter two as numbers or as text.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal, DecimalException

__all__ = ["created_ms", "epoch_ms"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_INT64_DIGITS = 18  # every whole number of so many digits fits 64 bits

# Epoch milliseconds have been above this since March 1973, epoch seconds will be below it until
# the year 5138.
_SECONDS_BELOW = 100_000_000_000

# `2026-07-03T09:46:39.` → epoch ms, and `123Z` → 123.  The messages of one second share the first;
# parsing a time anew takes as long as decoding the rest of the message.
_seconds: dict[str, int] = {}
_SECONDS_KEPT = 4096
_MILLISECONDS = {f"{number:03d}Z": number for number in range(1000)}


def epoch_ms(text: str) -> int:
    """`createdAt` or `updatedAt` as epoch milliseconds; 0 where the venue sent none.

    A number below 10¹¹ is taken as epoch seconds.  RFC 3339 may have a space for the `T`, any
    number of fraction digits (cut after milliseconds) and no zone (then UTC).  The year 1, which
    is how Go writes a time that was not set, is 0.  Raises ValueError for anything else.
    """
    seconds = _seconds.get(text[:20])
    if seconds is not None:
        milliseconds = _MILLISECONDS.get(text[20:])
        if milliseconds is not None:
            return seconds + milliseconds
    if len(text) <= _INT64_DIGITS and text.isdecimal():
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
    if len(text) <= _INT64_DIGITS and text.isdecimal():
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
    text = text.strip().upper()
    try:
        moment = datetime.fromisoformat(text)
    except OverflowError as error:
        raise ValueError(text) from error
    if moment.year == 1:
        return 0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    milliseconds = (moment - _EPOCH) // _MILLISECOND
    if text[19:20] == "." and text[20:] in _MILLISECONDS:
        if len(_seconds) >= _SECONDS_KEPT:
            _seconds.clear()
        _seconds[text[:20]] = milliseconds - milliseconds % 1000
    return milliseconds


def _number(text: str) -> Decimal:
    if not text.isascii() or "_" in text:
        raise ValueError(text)
    try:
        number = Decimal(text)
    except DecimalException as error:
        raise ValueError(text) from error
    if not number.is_finite() or number.adjusted() > _INT64_DIGITS:
        raise ValueError(text)
    return number


def _int64(value: Decimal) -> int:
    number = int(value)
    if not -(2**63) <= number < 2**63:
        raise ValueError(value)
    return number
