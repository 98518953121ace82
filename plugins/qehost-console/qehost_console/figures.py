"""Numbers as text.  Only averages are rounded without a `≈`."""

from __future__ import annotations

import time
from decimal import Context, Decimal
from functools import lru_cache

__all__ = [
    "EXACT",
    "MISSING",
    "average",
    "clean",
    "clock",
    "day",
    "exact",
    "fitted",
    "format_latency",
    "grouped",
    "per_cent",
    "price",
    "short_id",
    "shortened",
    "span",
]

EXACT = Context(prec=120)
"""Precise enough for sums and products of the venue's decimals; the default has 28 digits."""

MISSING = "–"

# Written out, 1E+999999 would be a million characters.
_LONGEST_EXPONENT = 40
# A quotient that does not end has 28 digits; no venue quotes a price with more than these.
_PRICE_DIGITS = 15
_QUOTIENT = Context(prec=10)
_AVERAGE = Context(prec=8)


def exact(value: Decimal | None) -> str:
    """Every digit, no exponent, no grouping, so that it can be searched for and pasted."""
    if value is None:
        return MISSING
    if not value.is_finite() or abs(value.adjusted()) > _LONGEST_EXPONENT:
        return str(value)
    return format(value, "f")


def grouped(value: Decimal | None) -> str:
    """Every digit, with commas from five integer digits on: `1234.5`, `12,345.5`.

    Four digits stay together: in `1,234` the comma could be read as a decimal sign.
    """
    text = exact(value)
    if value is None or "E" in text or not value.is_finite():
        return text
    digits = text.lstrip("-").partition(".")[0]
    return format(value, ",f") if len(digits) > 4 else text


def price(value: Decimal | None) -> str:
    """Every digit; but a quotient that does not end is cut to ten digits, as `≈61234.56789`."""
    if value is None or not value.is_finite() or len(value.as_tuple().digits) <= _PRICE_DIGITS:
        return exact(value)
    return "≈" + exact(value.normalize(_QUOTIENT))


def fitted(value: Decimal | None, width: int) -> str:
    """`grouped`, or where that is wider than `width` a rounded form that begins with `≈`."""
    text = grouped(value)
    if value is None or len(text) <= width or not value.is_finite():
        return text
    value = value.normalize(EXACT)  # without the zeros at the end it may fit
    text = grouped(value)
    if len(text) <= width:
        return text
    whole, _, fraction = text.partition(".")
    if "E" not in text and len(whole) < width:
        places = min(len(fraction), max(0, width - len(whole) - 2))
        rounded = value.quantize(Decimal(1).scaleb(-places), context=EXACT)
        # Rounding up may have made it a digit longer, and a small number may have lost all digits.
        if abs(rounded - value) * 20 <= abs(value) and len(grouped(rounded)) < width:
            return "≈" + grouped(rounded)
    scientific = f"≈{value:.1E}"
    return scientific if len(scientific) <= width else f"≈{value:.0E}"


def average(value: Decimal | None) -> str:
    """An average price, to eight digits.  Nearly every one is rounded, so it has no `≈`."""
    if value is None or not value.is_finite() or len(value.as_tuple().digits) <= _AVERAGE.prec:
        return grouped(value)
    return grouped(value.normalize(_AVERAGE))


def per_cent(share: float | None) -> str:
    """Rounded down, so that 100 % means all of it."""
    return MISSING if share is None else f"{int(share * 100 + 1e-9)}%"


def span(seconds: float) -> str:
    """`0:07`, `12:34`, `3:05:00`, `2d 03h`."""
    whole = max(0, int(seconds))
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{days}d {hour:02}h"
    if hours:
        return f"{hours}:{minute:02}:{second:02}"
    return f"{minute}:{second:02}"


def clock(at: int) -> str:
    """The local time of `at` (epoch ns): `14:03:22.417`."""
    seconds, rest = divmod(at, 1_000_000_000)
    return f"{_local(seconds)[1]}.{rest // 1_000_000:03}"


def day(at: int) -> str:
    """The local date of `at` (epoch ns) with the offset from UTC: `2026-11-25 UTC+0100`."""
    return _local(at // 1_000_000_000)[0]


@lru_cache(maxsize=8)
def _local(seconds: int) -> tuple[str, str]:
    moment = time.localtime(seconds)
    return time.strftime("%Y-%m-%d UTC%z", moment), time.strftime("%H:%M:%S", moment)


def format_latency(nanoseconds: float | None) -> str:
    """`85 µs`, `0.42 ms`, `12.3 ms`, `2.14 s`."""
    if nanoseconds is None:
        return MISSING
    if nanoseconds < 100_000:
        return f"{nanoseconds / 1e3:.0f} µs"
    value, unit = (nanoseconds / 1e6, "ms") if nanoseconds < 1e9 else (nanoseconds / 1e9, "s")
    return f"{value:.2f} {unit}" if value < 10 else f"{value:.1f} {unit}"


def short_id(text: str, width: int = 6) -> str:
    """The end of an id, where ids of one day differ: `…104233`."""
    return text if len(text) <= width else "…" + text[1 - width :]


def shortened(text: str, width: int) -> str:
    """Without its middle if it is too long: names of one desk differ at the end as often as at the
    beginning.
    """
    if len(text) <= width:
        return text
    head = (width - 1) // 2
    return f"{text[:head]}…{text[head + 1 - width :]}"


def clean(text: str) -> str:
    """The venue's text with control characters escaped, so that none controls the terminal."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )
