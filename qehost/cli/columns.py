"""Tables for a terminal of any width: no word is broken, and a column that is left out is named.

No I/O, but for the console, which knows its width.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from qehost.processes.escape import visible

__all__ = [
    "GAP",
    "INDENT",
    "PIPE_WIDTH",
    "Column",
    "TableLayout",
    "lay_out_table",
    "print_lines",
    "row_lines",
    "stdout_console",
    "wrap_words",
]

GAP = 2
MIN_WRAP_WIDTH = 30
"""With less room a text that has to be wrapped is put below its row."""
INDENT = 4
"""Of what is continued below its row."""
PIPE_WIDTH = 10_000
"""In a pipe a row is one line, however long it is: for grep and cut."""


class Column(NamedTuple):
    """`usual` and `drop` are used where the table is wider than the terminal.

    A cell longer than `usual` moves the rest of its row to the next line, so that the other rows
    don't reserve that width (0: the column is as wide as its longest cell).  Columns are left out,
    the highest `drop` first; those with 0 are kept.
    """

    heading: str
    right: bool = False
    usual: int = 0
    drop: int = 0


class TableLayout(NamedTuple):
    lines: list[Text]
    """The headings and the rows."""
    left_out: list[str]
    """The headings of the columns that there was no room for."""
    widths: list[int]
    """Of the columns."""
    headings: int
    """How many of the lines are headings."""


def stdout_console() -> Console:
    """Standard output.  The terminal itself wraps long lines, so that an id that crosses its edge
    is copied as one.
    """
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    return console


def print_lines(console: Console, lines: Sequence[Text]) -> None:
    """What plugins or the venue wrote in them controls no terminal."""
    for line in lines:
        shown = visible(line.plain)
        console.print(line if shown == line.plain else Text(shown))


def lay_out_table(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str | Text]],
    width: int,
    style: str = "bold",
    at_least: Sequence[int] = (),
) -> TableLayout:
    """The rows under headings in this style.  The last column may be wrapped.

    `at_least` are widths of columns that are above these rows already.
    """
    cells = [[Text(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    widths = _widths(columns, cells)
    if at_least:
        widths = list(map(max, widths, at_least))
    kept = list(range(len(columns)))
    if _needed_width(widths) > width:
        usual = [max(column.usual, cell_len(column.heading)) for column in columns]
        widths = [
            min(size, most) if column.usual else size
            for column, size, most in zip(columns, widths, usual, strict=True)
        ]
    while _needed_width([widths[index] for index in kept]) > width:
        first = max(kept, key=lambda index: columns[index].drop)
        if not columns[first].drop:
            break
        kept.remove(first)
    headings = [Text(column.heading, style) for column in columns]
    lines: list[Text] = []
    above = 0
    for row in [headings, *cells]:
        above = above or len(lines)
        lines += row_lines(
            [row[index] for index in kept],
            [widths[index] for index in kept],
            width,
            [columns[index].right for index in kept],
        )
    left_out = [each.heading for n, each in enumerate(columns) if n not in kept]
    return TableLayout(lines, left_out, widths, above or len(lines))


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[Text]]) -> list[int]:
    """The widths of the longest cells, without those that no other cell of their row follows."""
    last = len(columns) - 1
    return [
        max(
            cell_len(column.heading),
            *(row[index].cell_len for row in rows if index == last or any(row[index + 1 :])),
            0,
        )
        for index, column in enumerate(columns)
    ]


def _needed_width(widths: Sequence[int]) -> int:
    """The width that is needed if the last column is wrapped."""
    return sum(widths[:-1]) + GAP * (len(widths) - 1) + min(widths[-1], MIN_WRAP_WIDTH)


def row_lines(
    cells: Sequence[Text], widths: Sequence[int], width: int, rights: Sequence[bool] = ()
) -> list[Text]:
    """One row.  Its columns are as wide as `widths`, but for the last, which is wrapped."""
    lines: list[Text] = []
    line, start = Text(), 0
    for index, (cell, size) in enumerate(zip(cells[:-1], widths, strict=False)):
        if start + size > width and start:
            # At the same column in each row, so that second lines are aligned, too.
            if line:
                lines.append(line)
            line, start = Text(), INDENT
        if cell:
            line = _padded_to(start if start + cell.cell_len <= width else INDENT, line, lines)
            pad = size - cell.cell_len if rights and rights[index] else 0
            line.append(" " * pad).append_text(cell)
        start += size + GAP
    last, room = cells[-1], width - start
    if not last:
        return [*lines, line] if line else lines
    if rights and rights[-1]:
        last = Text(" " * (widths[-1] - last.cell_len)).append_text(last)
    longest = max(map(cell_len, last.plain.split()), default=0)
    if last.cell_len > room and (room < MIN_WRAP_WIDTH or longest > room):
        if line:
            lines.append(line)
        start, line = INDENT, Text()
    for part in wrap_words(last, width - start):
        lines.append(_padded_to(start, line, lines).append_text(part))
        line = Text()
    return lines


def _padded_to(start: int, line: Text, lines: list[Text]) -> Text:
    """The line, padded to `start`; if it is too long for that, it is finished and a new one is."""
    if line and line.cell_len > start - GAP:
        lines.append(line)
        line = Text()
    return line.append(" " * (start - line.cell_len))


def wrap_words(text: Text, width: int) -> list[Text]:
    """Lines of whole words; a word that is longer than a line is not broken."""
    lines: list[Text] = []
    for paragraph in text.split("\n", allow_blank=True):
        plain, breaks, start = paragraph.plain, [], 0
        for word in re.finditer(r"\S+", plain):
            if word.start() > start and cell_len(plain[start : word.end()]) > width:
                start = word.start()
                breaks.append(start)
        for line in paragraph.divide(breaks):
            line.rstrip()
            lines.append(line)
    return lines
