"""How the rows and columns of a screen are divided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qehost.blotter import Fill, MasterState
from rich.table import Table

from qehost_console.board import Snapshot
from qehost_console.palette import QUIET

__all__ = ["ACCOUNT", "SPACIOUS", "ScreenLayout", "bare_table", "plan", "several", "symbol_width"]

SPACIOUS = 96
"""From this width on there are two blanks between columns, and wider columns."""

ACCOUNT = 8
"""Columns for the name of an account."""

# From the second width on the longest symbols have room beside several accounts.
_NARROW, _WIDE = 72, 120

# A rule and a header over each part, a rule over the status bar.
_FRAME_ROWS = 6
_FILLS_FRAME = 2
# Rows above the table that are left for the log, on a screen of usual and of small height.
_LOG_ROWS, _FEW_LOG_ROWS, _SMALL = 4, 2, 20


@dataclass(frozen=True, slots=True)
class ScreenLayout:
    """What is shown: columns of the screen, rows of master orders and of fills."""

    width: int
    masters: int
    fills: int


def plan(size: tuple[int, int], masters: int, fills: int) -> ScreenLayout:
    """Divide the rows of a screen of `size` (columns, rows) between master orders and fills."""
    columns, rows = size
    free = rows - (_LOG_ROWS if rows >= _SMALL else _FEW_LOG_ROWS) - _FRAME_ROWS
    if free < 4:
        return ScreenLayout(columns, max(1, min(masters, free + _FILLS_FRAME)), 0)
    kept = min(fills, max(3, free // 4))
    shown = min(masters, max(1, free - kept))
    return ScreenLayout(columns, shown, min(fills, free - shown))


def several(shown: Snapshot) -> bool:
    """Whether rows have to say which account they are about."""
    return len(shown.streams) > 1


def symbol_width(rows: Sequence[MasterState | Fill], shown: Snapshot, width: int) -> int:
    """The column for these rows' symbols on a screen `width` columns wide."""
    if width >= SPACIOUS or not several(shown):
        most = 20 if width >= _WIDE else 16
    else:
        most = 12 if width >= _NARROW else 9
    return max([8, *(min(most, len(row.symbol)) for row in rows)])


def bare_table(gap: int) -> Table:
    """A table without lines; `gap` blanks between its columns."""
    return Table(box=None, padding=(0, gap, 0, 0), pad_edge=False, header_style=QUIET)
