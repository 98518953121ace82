"""Values of the report as HTML."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from qehost_stats.lines import bps, money, per_cent
from qehost_stats.tables import plain

__all__ = [
    "NONE",
    "amount",
    "bps_or_none",
    "clock",
    "coloured",
    "price",
    "seconds",
    "share",
    "signed",
    "together",
]

NONE = '<span class="quiet">–</span>'
"""A figure that there is not."""


def coloured(value: Decimal | None, unit: str = "") -> str:
    """Basis points: what cost has another colour than what was gained."""
    if value is None:
        return NONE
    kind = "cost" if value > 0 else "gain" if value < 0 else "quiet"
    return f'<span class="{kind}">{bps(value)}{unit}</span>'


def bps_or_none(value: Decimal | None) -> str:
    return NONE if value is None else bps(value)


def signed(value: Decimal | None) -> str:
    return NONE if value is None else ("+" if value > 0 else "") + money(value)


def amount(value: Decimal | None) -> str:
    return NONE if value is None else money(value)


def share(value: Decimal | None) -> str:
    return NONE if value is None else per_cent(value)


def seconds(value: Decimal | None) -> str:
    return NONE if value is None else f"{value:,.1f} s"


def price(value: Decimal | None) -> str:
    """All digits of a usual price, eight of a quotient."""
    if value is None:
        return NONE
    text = plain(value)
    return text if len(text) <= 10 else plain(Decimal(f"{value:.8g}"))


def clock(epoch_ms: int) -> str:
    return f"{datetime.fromtimestamp(epoch_ms / 1000, UTC):%d %b %H:%M:%S}"


def together(text: str) -> str:
    """A number and its unit stay on one line."""
    return text.replace(" %", "\u00a0%").replace(" bps", "\u00a0bps")
