"""For how long a refusal in HTTP asks to be left alone.  No I/O."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

__all__ = ["LONGEST_WAIT", "retry_after"]

LONGEST_WAIT = 3600.0
"""Where obeying ends, seconds: the number may be an epoch, or a clock may be off."""

BANNED_UNTIL = re.compile(r"banned until (\d{9,20})", re.ASCII | re.IGNORECASE)
"""What gateways of exchanges write into the body of a 418 or 429: an epoch, in milliseconds as a
rule."""
SECONDS_BELOW = 1e11
"""Until the year 5138 an epoch in seconds is less, and since 1973 one in milliseconds is more."""


def retry_after(headers: Mapping[str, str], body: str, now: float) -> float | None:
    """Seconds to wait, an hour at most; None if the answer asks for none that can be read.

    The header `Retry-After` holds seconds or a date (RFC 9110, section 10.2.3).  Without it the
    body may say "banned until" and an epoch.  A moment is compared with the answer's own `Date`
    where it has one, or else with `now` (epoch seconds): this machine's clock may be off.  Names of
    `headers` are in lower case.
    """
    header = headers.get("retry-after", "")
    seconds = _number(header)
    if seconds is None and (until := _date(header) or _banned_until(body)) is not None:
        seconds = until - (_date(headers.get("date", "")) or now)
    return None if seconds is None else min(max(0.0, seconds), LONGEST_WAIT)


def _number(text: str) -> float | None:
    try:
        number = float(text) if text.isascii() else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None


def _banned_until(body: str) -> float | None:
    """Epoch seconds."""
    if (found := BANNED_UNTIL.search(body)) is None:
        return None
    epoch = float(found[1])
    while epoch >= SECONDS_BELOW:
        epoch /= 1000
    return epoch
