"""The live table: master orders, the latest fills and a status bar.

No I/O: from a `Snapshot` and some figures to rich renderables, in the rows and columns of a
`ScreenLayout`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qehost.blotter import Fill
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from qehost_console.board import Snapshot
from qehost_console.figures import clock, fitted, format_latency, short_id, shortened, span
from qehost_console.layout import ACCOUNT, SPACIOUS, ScreenLayout, bare_table, several, symbol_width
from qehost_console.masters import masters_table, visible_masters
from qehost_console.palette import LOUD, QUIET, side_style

__all__ = ["StatusBar", "panel"]

# Columns for a number of a fill: with fewer than the first little more than the power of ten could
# be shown; the second is enough for a rounded one (`≈1E-14`).
_LEAST, _SHORTEST = 10, 7
_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class StatusBar:
    """The figures of the status bar.  `now` is epoch ns, `median` ns or None."""

    now: int
    seconds: float
    rate: float
    median: int | None
    fills: int
    errors: int
    stopped: bool = False


def panel(shown: Snapshot, bar: StatusBar, room: ScreenLayout) -> list[RenderableType]:
    """All parts, top to bottom."""
    running, ended = len(shown.running), shown.ended_total
    parts: list[RenderableType] = [
        _rule("master orders", f"{running} running, {ended} ended", room.width)
    ]
    masters, left_out = visible_masters(shown, room.masters)
    if masters:
        parts.append(masters_table(masters, shown, bar.now // 1_000_000, room.width))
    else:
        parts.append(Text("no master order yet", QUIET))
    if left_out and room.masters > 1:
        parts.append(Text(f"… and {left_out} more running", QUIET))
    if room.fills:
        parts.append(_rule("latest fills", "", room.width))
        parts.append(_fills(shown.fills[: room.fills], shown, room.width))
    parts.append(_rule("", "", room.width))
    parts.append(_status_bar(shown, bar, room.width))
    return parts


def _rule(title: str, note: str, width: int) -> Text:
    text = Text(no_wrap=True, overflow="ellipsis")
    if title:
        text.append("── ", QUIET).append(title, "bold").append(" ")
        if note:
            text.append(f"{note} ", QUIET)
    return text.append("─" * (width - text.cell_len), QUIET)


def _fills(fills: Sequence[Fill], shown: Snapshot, width: int) -> Table:
    """The latest fills, the newest on top."""
    narrow, accounts = width < SPACIOUS, several(shown)
    gap = 1 if narrow else 2
    short = narrow and accounts
    symbol = symbol_width(fills, shown, width)
    # With an account there is room for more than the currency only from this width on.
    beside = [_beside(fill, shown, narrow or (accounts and width < 112)) for fill in fills]
    last = max(text.cell_len for text in beside)
    table = bare_table(gap)
    table.add_column("time", width=8 if short else 12, no_wrap=True, style=QUIET)
    if accounts:
        table.add_column("account", width=ACCOUNT, no_wrap=True)
    table.add_column("symbol", width=symbol, no_wrap=True)
    table.add_column("side", width=4, no_wrap=True)
    others = sum(column.width or 0 for column in table.columns) + last
    names, amount = _amounts(width - 1 - others - gap * len(table.columns), gap)
    amount = min(amount, 14 if narrow else 16 if width < 120 else 18)
    for name in names:
        table.add_column(name, width=amount, justify="right", no_wrap=True)
    table.add_column("", width=last, no_wrap=True, overflow="ellipsis")
    for fill, text in zip(fills, beside, strict=True):
        table.add_row(
            Text(clock(fill.at * _MS)[: 8 if short else None]),
            *([Text(shortened(fill.account, ACCOUNT))] if accounts else []),
            Text(shortened(fill.symbol, symbol), "bold"),
            Text(fill.side, side_style(fill.side)),
            *(Text(fitted(getattr(fill, name), amount)) for name in names),
            text,
        )
    return table


def _amounts(room: int, gap: int) -> tuple[Sequence[str], int]:
    """The numbers of a fill that there is room for, and the width of each."""
    names: Sequence[str] = ("quantity", "price", "notional")
    if room // 3 - gap < _LEAST:
        # It is the product of the two others.
        names = names[:2]
    return names, max(_SHORTEST, room // len(names) - gap)


def _beside(fill: Fill, shown: Snapshot, brief: bool) -> Text:
    """What has no column of its own: the currency, the master order, and the origin."""
    mark = Text("caught up", "yellow") if fill.origin == "catch_up" else Text()
    quote = Text(shown.quotes.get(fill.symbol, ""), QUIET)
    if brief:
        return mark or quote  # the symbol contains the currency, too
    quote.append(f"  {short_id(fill.master_id)}")
    return quote.append("  ").append_text(mark) if mark else quote


def _status_bar(shown: Snapshot, bar: StatusBar, width: int) -> Text:
    right = Text.assemble(
        (f"{bar.rate:,.0f}" if bar.rate >= 10 else f"{bar.rate:.1f}", "bold"),
        (" msg/s", QUIET),
        ("  p50 ", QUIET),
        (format_latency(bar.median), "bold"),
        ("  fills ", QUIET),
        (f"{bar.fills:,}", "bold"),
        ("  errors ", QUIET),
        (f"{bar.errors:,}", LOUD if bar.errors else "bold"),
        ("  ", ""),
        (span(bar.seconds), QUIET),
        (" ", ""),
    )
    left = _streams(shown, bar, max(10, width - right.cell_len - 3))
    space = width - left.cell_len - right.cell_len
    text = Text(no_wrap=True, overflow="crop").append_text(left)
    return text.append(" " * max(1, space)).append_text(right)


def _streams(shown: Snapshot, bar: StatusBar, width: int) -> Text:
    """The streams, those that are closed first; of those without room the number."""
    text = Text(" ")
    if bar.stopped:
        return text.append("■ stopped", QUIET)
    if not shown.streams:
        return text.append("○ connecting", "yellow")
    ranked = sorted(shown.streams.items(), key=lambda item: (item[1].state == "up", item[0]))
    for place, (account, stream) in enumerate(ranked):
        since = span((bar.now - stream.since * _MS) / 1e9)
        if stream.state == "up":
            entry = Text.assemble(("● ", "green"), account)
        elif stream.state == "down":
            entry = Text.assemble(("✖ ", LOUD), (f"{account} down {since}", LOUD))
        else:
            entry = Text.assemble(("○ ", "yellow"), account)
        more = f"+{len(ranked) - place}"
        if text.cell_len + entry.cell_len + len(more) + 2 > width and place:
            return text.append(more, QUIET)
        text.append_text(entry).append("  ")
    text.rstrip()
    text.truncate(width, overflow="ellipsis")
    return text
