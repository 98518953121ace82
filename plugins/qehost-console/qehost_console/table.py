"""The live picture: master orders over the latest fills over a status bar.

Pure: from a `Picture` and some figures to rich renderables, in the rows and columns of a `Room`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from qehost_console.figures import clock, fitted, short_id, span, split_second
from qehost_console.layout import SPACIOUS, Room, bare_table, several, symbol_width
from qehost_console.masters import masters_table, visible_masters
from qehost_console.palette import LOUD, QUIET, side_style
from qehost_console.state import Fill, Picture

__all__ = ["Gauges", "panel"]


@dataclass(frozen=True, slots=True)
class Gauges:
    """The figures of the status bar.  `now` is epoch ns, `median` ns or None."""

    now: int
    seconds: float
    rate: float
    median: int | None
    fills: int
    errors: int
    stopped: bool = False


def panel(picture: Picture, gauges: Gauges, room: Room) -> list[RenderableType]:
    """The whole picture, top to bottom."""
    running, ended = len(picture.running), picture.ended_total
    parts: list[RenderableType] = [
        _rule("master orders", f"{running} running, {ended} ended", room.width)
    ]
    masters, left_out = visible_masters(picture, room.masters)
    if masters:
        parts.append(masters_table(masters, picture, gauges.now // 1_000_000, room.width))
    else:
        parts.append(Text("no master order yet", QUIET))
    if left_out and room.masters > 1:
        parts.append(Text(f"… and {left_out} more running", QUIET))
    if room.fills:
        parts.append(_rule("latest fills", "", room.width))
        latest = list(picture.fills)[: -room.fills - 1 : -1]
        parts.append(_fills(latest, picture, room.width))
    parts.append(_rule("", "", room.width))
    parts.append(_status_bar(picture, gauges, room.width))
    return parts


def _rule(title: str, note: str, width: int) -> Text:
    text = Text(no_wrap=True, overflow="ellipsis")
    if title:
        text.append("── ", QUIET).append(title, "bold").append(" ")
        if note:
            text.append(f"{note} ", QUIET)
    return text.append("─" * (width - text.cell_len), QUIET)


def _fills(fills: Sequence[Fill], picture: Picture, width: int) -> Table:
    """The latest fills, the newest on top."""
    narrow, accounts = width < SPACIOUS, several(picture)
    table = bare_table(1 if narrow else 2)
    amount = (12 if accounts else 14) if narrow else (16 if width < 120 else 18)
    short = narrow and accounts
    table.add_column("time", width=8 if short else 12, no_wrap=True, style=QUIET)
    if accounts:
        table.add_column("account", width=8, no_wrap=True, overflow="ellipsis")
    table.add_column(
        "symbol", width=symbol_width(fills, picture, width), no_wrap=True, overflow="ellipsis"
    )
    table.add_column("side", width=4, no_wrap=True)
    for name in ("quantity", "price", "notional"):
        table.add_column(name, width=amount, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, overflow="ellipsis")
    for fill in fills:
        table.add_row(
            Text(clock(fill.at)[: 8 if short else None]),
            *([Text(fill.account)] if accounts else []),
            Text(fill.symbol, "bold"),
            Text(fill.side, side_style(fill.side)),
            *(Text(fitted(n, amount)) for n in (fill.quantity, fill.price, fill.notional)),
            _beside(fill, picture, narrow),
        )
    return table


def _beside(fill: Fill, picture: Picture, narrow: bool) -> Text:
    """What has no column of its own: the currency, the master order, and where it came from."""
    text = Text(picture.quotes.get(fill.symbol, ""), QUIET)
    if not narrow:
        text.append(f"  {short_id(fill.master_id)}")
    if fill.origin == "catch_up":
        text.append("  caught up", "yellow")
    return text


def _status_bar(picture: Picture, gauges: Gauges, width: int) -> Text:
    right = Text.assemble(
        (f"{gauges.rate:,.0f}" if gauges.rate >= 10 else f"{gauges.rate:.1f}", "bold"),
        (" msg/s", QUIET),
        ("  p50 ", QUIET),
        (split_second(gauges.median), "bold"),
        ("  fills ", QUIET),
        (f"{gauges.fills:,}", "bold"),
        ("  errors ", QUIET),
        (f"{gauges.errors:,}", LOUD if gauges.errors else "bold"),
        ("  ", ""),
        (span(gauges.seconds), QUIET),
        (" ", ""),
    )
    left = _links(picture, gauges, max(10, width - right.cell_len - 3))
    space = width - left.cell_len - right.cell_len
    text = Text(no_wrap=True, overflow="crop").append_text(left)
    return text.append(" " * max(1, space)).append_text(right)


def _links(picture: Picture, gauges: Gauges, width: int) -> Text:
    """The connections, those that are down first; the rest as a number."""
    text = Text(" ")
    if gauges.stopped:
        return text.append("■ stopped", QUIET)
    if not picture.links:
        return text.append("○ connecting", "yellow")
    ranked = sorted(picture.links.items(), key=lambda item: (item[1].state == "up", item[0]))
    for place, (account, link) in enumerate(ranked):
        since = span((gauges.now - link.since) / 1e9)
        if link.state == "up":
            entry = Text.assemble(("● ", "green"), account)
        elif link.state == "down":
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
