"""What the log says.  No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from qehost_stats.figures import OrderFigures
from qehost_stats.sums import Group, by_quote

__all__ = ["bps", "money", "per_cent", "rounded", "summary"]


def summary(orders: Sequence[OrderFigures], day: str, behind: int = 0) -> Iterator[str]:
    """A line for each quote currency, and one for what is in no sum.

    `behind`: when the last event was received that was read (epoch ms), where not all were.
    """
    head = f"execution quality of {day} (UTC)"
    if behind:
        head += f", up to {datetime.fromtimestamp(behind / 1000, UTC):%H:%M:%S}"
    groups = by_quote(orders)
    for group in groups:
        if group.orders > sum(group.left_out.values()):
            yield f"{head}, {group.quote or 'quote currency unknown'}: {_line(group)}"
    left_out: Counter[str] = Counter()
    for group in groups:
        left_out.update(group.left_out)
    if left_out:
        each = ", ".join(f"{count} {why.replace('_', ' ')}" for why, count in left_out.items())
        yield f"{head}: left out of the sums: {each}"
    if not orders:
        yield f"{head}: no master orders"


def _line(group: Group) -> str:
    ended = sum(group.ended.values())
    parts = [
        f"{ended} master orders ended, {group.running} running",
        f"{group.fills} fills, {money(group.notional)} traded",
    ]
    if group.first_price_bps is not None:
        cost = money(group.first_price_cost)
        parts.append(f"cost {bps(group.first_price_bps)} bps ({cost}) against the first price seen")
    if group.arrival_bps is not None:
        parts.append(f"{bps(group.arrival_bps)} bps against the venue's arrival price")
    if group.maker_rate is not None:
        parts.append(f"maker {per_cent(group.maker_rate)}")
    if group.fees:
        parts.append("fees " + ", ".join(f"{money(v)} {k}" for k, v in sorted(group.fees.items())))
    if group.children:
        parts.append(f"{group.children_rejected} of {group.children} child orders rejected")
    return "; ".join(parts)


def bps(value: Decimal) -> str:
    """With its sign: positive is cost."""
    text = f"{value:+,.2f}"
    return text[1:] if not text.strip("+-0.,") else text


def rounded(value: Decimal) -> str:
    """`238.41 M`: where there is little room."""
    size = abs(value)
    for unit, name in ((Decimal(10**9), "bn"), (Decimal(10**6), "M")):
        if size >= unit:
            return f"{value / unit:,.2f} {name}"
    return f"{value:,.0f}" if size >= 10_000 else money(value)


def money(value: Decimal) -> str:
    return f"{value:,.2f}" if abs(value) >= 1 or not value else f"{value:,.6f}".rstrip("0")


def per_cent(value: Decimal) -> str:
    return f"{value * 100:.1f} %"
