"""The table of master orders: which of them are shown, and the row of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from qehost.blotter import MasterState
from rich.table import Table
from rich.text import Text

from qehost_console.board import Snapshot
from qehost_console.figures import average, fitted, per_cent, short_id, shortened, span
from qehost_console.layout import ACCOUNT, SPACIOUS, bare_table, several, symbol_width
from qehost_console.palette import QUIET, side_style, status_label, status_style

__all__ = ["masters_table", "visible_masters"]

# How long an order that has ended keeps its colours.
_FRESH_MS = 10_000
_BAR_LEAST, _BAR_MOST = 8, 40
_PER_CENT = 5  # ` 100%`


def visible_masters(shown: Snapshot, rows: int) -> tuple[list[MasterState], int]:
    """The master orders for `rows` rows, and how many running ones are left out.

    Running ones first, in the order in which they started, so that rows do not jump; if there are
    too many, those that changed last.  Below them the ended ones, the latest first.
    """
    running = list(shown.running)
    left_out = 0
    if len(running) > rows:
        # One row is for the number of those that are left out.
        room = max(1, rows - 1)
        left_out = len(running) - room
        running.sort(key=lambda master: master.heard, reverse=True)
        running = running[:room]
    running.sort(key=lambda master: (master.started, master.id))
    room = 0 if left_out else rows - len(running)
    ended = sorted(shown.ended, key=lambda master: master.ended, reverse=True)
    return running + ended[:room], left_out


def masters_table(masters: Sequence[MasterState], shown: Snapshot, now: int, width: int) -> Table:
    """A row for each of `masters`, in as many columns as `width` has room for.

    `now` is epoch ms.  The progress bar has the rest of the width.
    """
    gap = 1 if width < SPACIOUS else 2
    columns = _columns(masters, shown, now, width)
    while _total(columns, gap) > width - 1 and any(column.drop for column in columns):
        columns.remove(max(columns, key=lambda column: column.drop))
    bar = min(_BAR_MOST, _BAR_LEAST + max(0, width - 1 - _total(columns, gap)))
    table = bare_table(gap)
    for column in columns:
        table.add_column(
            column.name,
            width=column.width if column.cell else bar + _PER_CENT,
            justify="right" if column.right else "left",
            no_wrap=True,
            overflow="ellipsis",
        )
    for master in masters:
        cells = [
            column.cell(master) if column.cell else _progress(master, now, bar)
            for column in columns
        ]
        faded = bool(master.ended) and now - master.ended > _FRESH_MS
        if faded:
            cells = [Text(cell.plain) for cell in cells]
        table.add_row(*cells, style=QUIET if faded else "")
    return table


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    width: int
    cell: Callable[[MasterState], Text] | None  # None: the progress bar
    right: bool = False
    drop: int = 0  # the highest is left out first if the screen is narrow; 0 is kept


def _columns(
    masters: Sequence[MasterState], shown: Snapshot, now: int, width: int
) -> list[_Column]:
    amount = 10 if width < SPACIOUS else 14
    symbol = symbol_width(masters, shown, width)
    algorithm = max(
        [4 if width < SPACIOUS else 5, *(min(8, len(master.algorithm)) for master in masters)]
    )
    columns = [
        _Column("order", 6, lambda m: Text(short_id(m.id), QUIET), drop=5),
        _Column("algo", algorithm, lambda m: Text(m.algorithm), drop=2),
        _Column("symbol", symbol, lambda m: Text(shortened(m.symbol, symbol), "bold")),
        _Column("side", 4, lambda m: Text(m.side, side_style(m.side))),
        _Column("filled", 12, lambda m: Text(fitted(m.done, 12)), right=True, drop=6),
        _Column("quantity", amount, lambda m: _target(m, shown, amount), right=True),
        _Column("progress", _BAR_LEAST + _PER_CENT, None),
        _Column("avg price", 10, lambda m: Text(average(m.average)), right=True, drop=3),
        _Column("status", 10, lambda m: Text(status_label(m.status), status_style(m.status))),
        _Column("fills", 5, lambda m: Text(f"{m.fills:,}"), right=True, drop=7),
        _Column("maker", 5, _maker, right=True, drop=8),
        _Column("age", 6, lambda m: Text(span(m.elapsed(now))), right=True, drop=4),
        _Column("planned", 7, _planned, right=True, drop=6),
    ]
    if several(shown):
        columns.insert(
            0, _Column("account", ACCOUNT, lambda m: Text(shortened(m.account, ACCOUNT)), drop=1)
        )
    return columns


def _total(columns: Sequence[_Column], gap: int) -> int:
    return sum(column.width + gap for column in columns) - gap


def _target(master: MasterState, shown: Snapshot, room: int) -> Text:
    if not master.target_in_quote:
        return Text(fitted(master.target, room))
    # The order is for an amount of money, which without its currency would look like a quantity.
    quote = shown.quotes.get(master.symbol, "quote")
    return Text(fitted(master.target, room - 1 - len(quote))).append(f" {quote}", QUIET)


def _maker(master: MasterState) -> Text:
    rate = master.maker_rate
    return Text("" if rate is None or not rate.is_finite() else per_cent(float(rate)), QUIET)


def _planned(master: MasterState) -> Text:
    return Text(span(master.duration) if master.duration else "", QUIET)


def _progress(master: MasterState, now: int, width: int) -> Text:
    """A bar and the percentage; a tick in the bar where the schedule is."""
    share = master.share
    if share is None:
        return Text("─" * width, QUIET).append(f" {per_cent(None):>4}")
    full, half = divmod(int(min(1.0, max(0.0, share)) * width * 2), 2)
    bar = Text.assemble(
        ("━" * full + "╸" * half, status_style(master.status)),
        ("─" * (width - full - half), QUIET),
    )
    schedule = master.schedule(now)
    if schedule is not None:
        place = min(width - 1, int(schedule * width))
        behind = share < schedule - 0.1
        tick = Text("┃" if place < full else "╷", "yellow" if behind else "bold")
        bar = Text.assemble(bar[:place], tick, bar[place + 1 :])
    return bar.append(f" {per_cent(share):>4}", "" if master.ended else "bold")
