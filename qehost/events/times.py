"""The venue's times as epoch milliseconds.

Times come as RFC 3339 (`2026-07-03T09:46:39.123Z`), or as the number of seconds, milliseconds,
microseconds or nanoseconds since 1970, as numbers or as text.  The size of a number says which of
them it is: from 1973 to 2286 no two can be confused.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal, DecimalException

__all__ = ["MILLISECONDS_FROM", "MILLISECONDS_TO", "epoch_ms", "made_ms"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

MILLISECONDS_FROM = 10**11
"""Epoch milliseconds have been above this since March 1973, epoch seconds will be below it until
the year 5138."""
MILLISECONDS_TO = 10**14
"""Epoch milliseconds will be below this until the year 5138, microseconds have been above it since
March 1973."""
_NANOSECONDS_FROM = 10**17
_DIGITS = 19

_NEVER = -62_135_596_800_000
"""The year 1, which is how Go writes a time that was not set."""

# `2026-07-03T09:46:39` and that with a `Z` → epoch ms, and `.123Z` → 123.  The messages of one
# second share the first; parsing a time anew takes as long as decoding the rest of the message.
_seconds: dict[str, int] = {}
_SECONDS_KEPT = 2 * 4096
_WHOLE = len("2026-07-03T09:46:39Z")
_LONGEST = len("2026-07-03T09:46:39.123456789+00:00")  # of what is kept
_MILLISECONDS = {f".{number:03d}Z": number for number in range(1000)} | {"Z": 0}


def epoch_ms(text: str) -> int:
    """A time of the venue as epoch milliseconds, cut after them; 0 where the venue sent none.

    RFC 3339 may have a space for the `T`, any number of fraction digits, any offset, and no zone
    (then UTC).  The year 1, which is how Go writes a time that was not set, is 0.  Raises
    ValueError for all else, and for numbers that are too large to be a time.
    """
    length = len(text)
    if length == _WHOLE and (seconds := _seconds.get(text)) is not None:
        return seconds
    if length == 13 and text.isdecimal() and text.isascii():
        return int(text)
    seconds = _seconds.get(text[:19])
    if seconds is not None:
        milliseconds = _MILLISECONDS.get(text[19:])
        if milliseconds is not None:
            return seconds + milliseconds
    if not text:
        return 0
    try:
        return _rfc3339_ms(text)
    except ValueError:
        return _number_ms(text)


class _Made(dict[str, int]):
    def __missing__(self, text: str) -> int:
        moment = epoch_ms(text)
        if len(text) <= _LONGEST:
            if len(self) >= _SECONDS_KEPT:
                self.clear()
            self[text] = moment
        return moment


made_ms = _Made()
"""As `epoch_ms`, for when an order was made: each of its updates says it again."""


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
    if text[16:17] == ":" and text[19:] in _MILLISECONDS:
        if len(_seconds) >= _SECONDS_KEPT:
            _seconds.clear()
        second = text[:19]
        _seconds[second] = _seconds[f"{second}Z"] = milliseconds - milliseconds % 1000
    return milliseconds


def _number_ms(text: str) -> int:
    if not text.isascii() or "_" in text:
        raise ValueError(text)
    try:
        number = Decimal(text)
    except DecimalException as error:
        raise ValueError(text) from error
    # Its order of magnitude first: all else would be work for a number such as 1E+999999999.
    if not number.is_finite() or (number and number.adjusted() > _DIGITS):
        raise ValueError(text)
    if not number or number.adjusted() < -_DIGITS:
        return 0
    size = number.copy_abs()
    if size < MILLISECONDS_FROM:
        number *= 1000
    elif size >= _NANOSECONDS_FROM:
        number /= 10**6
    elif size >= MILLISECONDS_TO:
        number /= 1000
    milliseconds = int(number)
    return 0 if milliseconds == _NEVER else milliseconds
