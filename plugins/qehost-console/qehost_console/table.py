"""The live picture: master orders over the latest fills over a status bar.

Pure: from a `Picture` and some figures to rich renderables that take exactly the rows and columns
they are given.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from qehost_console.figures import average, fitted, per_cent, short_id, span, split_second
from qehost_console.palette import LOUD, QUIET, side_style, status_label, status_style
from qehost_console.state import Fill, Master, Picture

__all__ = ["Gauges", "Room", "fill_rows", "panel", "plan", "visible_masters"]

# For this long an order that ended keeps its colours; then it fades.
_FRESH_MS = 10_000
# A rule and a header over each part, a rule over the status bar.
_FRAME_ROWS = 6
_FILLS_FRAME = 2
# From so many columns on there are two blanks between columns, and wider ones.
_SPACIOUS = 96
# Rows above the picture that stay free for the log, on a screen of usual and of small height.
_LOG_ROWS, _FEW_LOG_ROWS, _SMALL = 4, 2, 20


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


@dataclass(frozen=True, slots=True)
class Room:
    """How much is shown: columns of the screen, rows of masters and of fills."""

    width: int
    masters: int
    fills: int


def plan(size: tuple[int, int], masters: int, fills: int) -> Room:
    """Share the rows of a screen of `size` (columns, rows) between so many masters and fills."""
    columns, rows = size
    free = rows - (_LOG_ROWS if rows >= _SMALL else _FEW_LOG_ROWS) - _FRAME_ROWS
    if free < 4:
        return Room(columns, max(1, min(masters, free + _FILLS_FRAME)), 0)
    kept = min(fills, max(3, free // 4))
    shown = min(masters, max(1, free - kept))
    return Room(columns, shown, min(fills, free - shown))


def visible_masters(picture: Picture, rows: int) -> tuple[list[Master], int]:
    """The masters for `rows` rows, and how many running ones found no place.

    Running ones first, in the order they started, so that rows do not jump; if there are too many,
    those that moved last.  Below them the ended ones, the latest first.
    """
    running = list(picture.running.values())
    left_out = 0
    if len(running) > rows:
        # One row goes to the line that says how many there are.
        shown = max(1, rows - 1)
        left_out = len(running) - shown
        running.sort(key=lambda master: master.updated, reverse=True)
        running = running[:shown]
    running.sort(key=lambda master: (master.started, master.id))
    room = 0 if left_out else rows - len(running)
    ended = sorted(picture.ended.values(), key=lambda master: master.ended or 0, reverse=True)
    return running + ended[:room], left_out


def panel(picture: Picture, gauges: Gauges, room: Room) -> list[RenderableType]:
    """The whole picture, top to bottom."""
    running, ended = len(picture.running), picture.ended_total
    parts: list[RenderableType] = [
        _rule("master orders", f"{running} running, {ended} ended", room.width)
    ]
    masters, left_out = visible_masters(picture, room.masters)
    if masters:
        parts.append(_masters(masters, picture, gauges.now // 1_000_000, room.width))
    else:
        parts.append(Text("no master order yet", QUIET))
    if left_out and room.masters > 1:
        parts.append(Text(f"… and {left_out} more running", QUIET))
    if room.fills:
        parts.append(_rule("latest fills", "", room.width))
        latest = list(picture.fills)[: -room.fills - 1 : -1]
        parts.append(fill_rows(latest, picture, room.width))
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


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    width: int
    cell: Callable[[Master], Text]
    right: bool = False
    drop: int = 0  # those with the highest number go first; 0 stays


def _masters(masters: Sequence[Master], picture: Picture, now: int, width: int) -> Table:
    gap, amount = (1, 10) if width < _SPACIOUS else (2, 14)
    bar_least = 8
    columns = [
        _Column("account", 8, lambda m: Text(m.account), drop=1 if _several(picture) else 9),
        _Column("order", 6, lambda m: Text(short_id(m.id), QUIET), drop=4),
        _Column("algo", 5, lambda m: Text(m.algorithm)),
        _Column("symbol", _symbols(masters, picture, width), lambda m: _symbol(m)),
        _Column("side", 4, lambda m: Text(m.side, side_style(m.side))),
        _Column("filled", 12, lambda m: Text(fitted(m.done, 12)), right=True, drop=5),
        _Column(
            "quantity", 10 if width < _SPACIOUS else 14, lambda m: _target(m, picture, width), True
        ),
        _Column("progress", bar_least + 5, lambda m: Text()),
        _Column("avg price", 10, lambda m: Text(average(m.average)), right=True),
        _Column("status", 10, lambda m: _status(m)),
        _Column("fills", 5, lambda m: Text(f"{m.fills:,}" if m.fills else ""), True, drop=6),
        _Column("maker", 5, lambda m: _maker(m), True, drop=7),
        _Column("age", 6, lambda m: Text(span(m.elapsed(now))), right=True, drop=2),
        _Column(
            "planned", 7, lambda m: Text(span(m.duration) if m.duration else "", QUIET), drop=5
        ),
    ]
    columns = [column for column in columns if column.drop < 9]
    while _width(columns, gap) > width - 1 and any(column.drop for column in columns):
        columns.remove(max(columns, key=lambda column: column.drop))
    bar = min(40, bar_least + max(0, width - 1 - _width(columns, gap)))
    table = Table(box=None, padding=(0, gap, 0, 0), pad_edge=False, header_style=QUIET)
    for column in columns:
        table.add_column(
            column.name,
            width=bar + 5 if column.name == "progress" else column.width,
            justify="right" if column.right else "left",
            no_wrap=True,
            overflow="ellipsis",
        )
    for master in masters:
        faded = master.ended is not None and now - master.ended > _FRESH_MS
        cells = [
            _progress(master, now, bar) if column.name == "progress" else column.cell(master)
            for column in columns
        ]
        if faded:
            cells = [Text(cell.plain) for cell in cells]
        table.add_row(*cells, style=QUIET if faded else "")
    return table


def _width(columns: Sequence[_Column], gap: int) -> int:
    return sum(column.width + gap for column in columns) - gap


def _symbols(rows: Sequence[Master | Fill], picture: Picture, width: int) -> int:
    most = 14 if width >= _SPACIOUS else 10 if _several(picture) else 12
    return max([8, *(min(most, len(row.symbol)) for row in rows)])


def _several(picture: Picture) -> bool:
    return len(picture.links) > 1


def _symbol(master: Master) -> Text:
    return Text(master.symbol, "bold")


def _target(master: Master, picture: Picture, room: int) -> Text:
    if not master.in_quote:
        return Text(fitted(master.target, room))
    # An order for an amount of money: without its currency it would read as a quantity.
    quote = picture.quotes.get(master.symbol, "quote")
    return Text(fitted(master.target, room - 1 - len(quote))).append(f" {quote}", QUIET)


def _status(master: Master) -> Text:
    return Text(status_label(master.status), status_style(master.status))


def _maker(master: Master) -> Text:
    rate = master.maker_rate
    return Text("" if rate is None or not rate.is_finite() else per_cent(float(rate)), QUIET)


def _planned(master: Master) -> Text:
    return Text(span(master.duration) if master.duration else "", QUIET)


def _progress(master: Master, now: int, width: int) -> Text:
    """A bar and the percentage; a tick in the bar where the schedule is."""
    share = master.share
    if share is None:
        return Text("─" * width, QUIET).append(f" {per_cent(None):>4}", QUIET)
    halves = int(min(1.0, max(0.0, share)) * width * 2)
    full, half = divmod(halves, 2)
    style = "green" if master.ended is not None else "cyan"
    text = Text("━" * full + "╸" * half, style)
    text.append("─" * (width - full - half), QUIET)
    schedule = master.schedule(now)
    if schedule is not None:
        place = min(width - 1, int(schedule * width))
        behind = share < schedule - 0.1
        tick = Text("┃" if place < full else "╷", "yellow" if behind else "bold")
        text = Text.assemble(text[:place], tick, text[place + 1 :])
    return text.append(f" {per_cent(share):>4}", "bold" if master.ended is None else "")


def fill_rows(fills: Sequence[Fill], picture: Picture, width: int) -> Table:
    """The latest fills, the newest on top."""
    narrow, several = width < _SPACIOUS, _several(picture)
    table = Table(
        box=None, padding=(0, 1 if narrow else 2, 0, 0), pad_edge=False, header_style=QUIET
    )
    amount = (12 if several else 14) if narrow else (16 if width < 120 else 18)
    milliseconds = not (narrow and several)
    table.add_column("time", width=12 if milliseconds else 8, no_wrap=True, style=QUIET)
    if several:
        table.add_column("account", width=8, no_wrap=True, overflow="ellipsis")
    table.add_column("symbol", width=_symbols(fills, picture, width), no_wrap=True)
    table.add_column("side", width=4, no_wrap=True)
    for name in ("quantity", "price", "notional"):
        table.add_column(name, width=amount, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, overflow="ellipsis")
    for fill in fills:
        row = [
            Text(_clock(fill.at, milliseconds)),
            Text(fill.symbol, "bold"),
            Text(fill.side, side_style(fill.side)),
            Text(fitted(fill.quantity, amount)),
            Text(fitted(fill.price, amount)),
            Text(fitted(fill.notional, amount)),
            _beside(fill, picture, narrow),
        ]
        if several:
            row.insert(1, Text(fill.account))
        table.add_row(*row)
    return table


def _beside(fill: Fill, picture: Picture, narrow: bool) -> Text:
    """What has no column of its own: the currency, the master order, and where it came from."""
    text = Text(picture.quotes.get(fill.symbol, ""), QUIET)
    if not narrow:
        text.append(f"  {short_id(fill.master_id)}")
    if fill.origin == "catch_up":
        text.append("  caught up", "yellow")
    return text


def _clock(at: int, milliseconds: bool) -> str:
    seconds, rest = divmod(at, 1_000_000_000)
    text = time.strftime("%H:%M:%S", time.localtime(seconds))
    return f"{text}.{rest // 1_000_000:03}" if milliseconds else text


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
