"""Rows in columns, for a terminal of any width: no word is broken, and nothing goes without a word.

No I/O, but for the console that tells how much room there is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

__all__ = [
    "BENEATH",
    "ENDLESS",
    "GAP",
    "Column",
    "Laid",
    "flowing",
    "laid_out",
    "output",
    "print_lines",
    "row_lines",
]

GAP = 2
FLOW_ROOM = 30
"""Where it is less, a text that has to flow does so beneath its row."""
BENEATH = 4
# In a pipe a row is a line, however long: for grep and cut.
ENDLESS = 10_000


class Column(NamedTuple):
    """`usual` and `drop` count where room is short.

    A cell longer than `usual` sends the rest of its row to the next line, so that the others need
    not keep room for it (0: the column is as wide as its longest cell).  Columns go, the highest
    `drop` first; those with 0 stay.
    """

    heading: str
    right: bool = False
    usual: int = 0
    drop: int = 0


class Laid(NamedTuple):
    lines: list[Text]
    """The headings, and the rows."""
    left_out: list[str]
    """Columns that there was no room for."""


def output() -> Console:
    """Standard output.  What is longer than a line there is left to the terminal, so that an id
    that goes over its edge is copied as one.
    """
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = ENDLESS
    return console


def print_lines(console: Console, lines: Sequence[Text]) -> None:
    for line in lines:
        console.print(line)


def laid_out(
    columns: Sequence[Column], rows: Sequence[Sequence[str | Text]], width: int, style: str = "bold"
) -> Laid:
    """The rows under headings in this style.  The last column may flow over several lines."""
    cells = [[Text(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    widths = _widths(columns, cells)
    kept = list(range(len(columns)))
    if _total(widths) > width:
        usual = [max(column.usual, cell_len(column.heading)) for column in columns]
        widths = [
            min(size, most) if column.usual else size
            for column, size, most in zip(columns, widths, usual, strict=True)
        ]
    while _total([widths[place] for place in kept]) > width:
        first = max(kept, key=lambda place: columns[place].drop)
        if not columns[first].drop:
            break
        kept.remove(first)
    headings = [Text(column.heading, style) for column in columns]
    lines: list[Text] = []
    for row in [headings, *cells]:
        lines += row_lines(
            [row[place] for place in kept],
            [widths[place] for place in kept],
            width,
            [columns[place].right for place in kept],
        )
    return Laid(lines, [each.heading for n, each in enumerate(columns) if n not in kept])


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[Text]]) -> list[int]:
    """As wide as the longest cells.  A cell with nothing behind it pushes nothing away."""
    last = len(columns) - 1
    return [
        max(
            cell_len(column.heading),
            *(row[place].cell_len for row in rows if place == last or any(row[place + 1 :])),
            0,
        )
        for place, column in enumerate(columns)
    ]


def _total(widths: Sequence[int]) -> int:
    """What it takes, where the last column flows."""
    return sum(widths[:-1]) + GAP * (len(widths) - 1) + min(widths[-1], FLOW_ROOM)


def row_lines(
    cells: Sequence[Text], widths: Sequence[int], width: int, rights: Sequence[bool] = ()
) -> list[Text]:
    """One row, its columns as wide as `widths`; the last one takes what it needs."""
    lines: list[Text] = []
    line, start = Text(), 0
    for place, (cell, size) in enumerate(zip(cells[:-1], widths, strict=False)):
        if start + size > width and start:
            # In each row at the same place: here the columns go on in a second line.
            if line:
                lines.append(line)
            line, start = Text(), BENEATH
        if cell:
            line = _at(start if start + cell.cell_len <= width else BENEATH, line, lines)
            pad = size - cell.cell_len if rights and rights[place] else 0
            line.append(" " * pad).append_text(cell)
        start += size + GAP
    last, room = cells[-1], width - start
    if not last:
        return [*lines, line] if line else lines
    if rights and rights[-1]:
        last = Text(" " * (widths[-1] - last.cell_len)).append_text(last)
    longest = max(map(cell_len, last.plain.split()), default=0)
    if last.cell_len > room and (room < FLOW_ROOM or longest > room):
        if line:
            lines.append(line)
        start, line = BENEATH, Text()
    for part in flowing(last, width - start):
        lines.append(_at(start, line, lines).append_text(part))
        line = Text()
    return lines


def _at(start: int, line: Text, lines: list[Text]) -> Text:
    """The line, filled up to `start`; if it is longer, it is done, and a new one begins."""
    if line and line.cell_len > start - GAP:
        lines.append(line)
        line = Text()
    return line.append(" " * (start - line.cell_len))


def flowing(text: Text, width: int) -> list[Text]:
    """Lines of whole words.  A word that is longer than a line is not broken."""
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
