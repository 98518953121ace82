"""Figures and times of a table as text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache

__all__ = ["plain", "time_text"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PLAIN_DIGITS = 60
"""Zeros that are written out.  A number of the venue may have a billion of them."""


def plain(number: Decimal) -> str:
    """Every digit that it has, and no exponent unless it is beyond all quantities and prices."""
    text = str(number)
    if "E" not in text:
        return text
    exponent = number.as_tuple().exponent
    is_short = isinstance(exponent, int) and abs(exponent) <= PLAIN_DIGITS
    return format(number, "f") if is_short else text


def time_text(epoch_ns: int, local: bool = False) -> str:
    """ISO 8601 to the microsecond, cut after it, with the offset: UTC, or the machine's zone."""
    seconds, nanoseconds = divmod(epoch_ns, 10**9)
    moment, offset = _second(seconds, local)
    return f"{moment}.{nanoseconds // 1000:06d}{offset}"


@lru_cache(maxsize=1024)
def _second(epoch_seconds: int, local: bool) -> tuple[str, str]:
    """The times of an event, and those of its neighbours, share it."""
    moment = EPOCH + timedelta(seconds=epoch_seconds)
    text = (moment.astimezone() if local else moment).isoformat()
    return text[:19], text[19:]
