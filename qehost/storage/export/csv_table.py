"""Events as CSV, one flat row each, as spreadsheets and programs read it."""

from __future__ import annotations

import csv
import io
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO

from qehost.messages import AnyEvent
from qehost.storage.export.cell_text import plain, time_text
from qehost.storage.export.columns import Cell, Table

__all__ = ["write_csv"]

FORMULA = tuple("=+-@\t\r\n＝＋－＠")
"""With these a spreadsheet begins a formula, whatever quotes are around the text."""


def write_csv(
    events: Iterable[AnyEvent],
    file: BinaryIO,
    table: Table,
    *,
    local: bool = False,
    mark: bool = False,
) -> int:
    """A header and a row for each event; what an event does not have is empty.

    UTF-8, lines end with CR LF.  Decimals have every digit, times are UTC or `local` ones, with
    their offset.  A text of the venue or of a user that a spreadsheet would take for a formula has
    a `'` in front.  `mark`: a byte order mark, without which Excel does not know UTF-8.  Returns
    the number of events.
    """
    cells: dict[Cell, Callable[[Any], Any]] = {
        Cell.TEXT: _text,
        Cell.INTEGER: str,
        Cell.FLAG: lambda flag: "true" if flag else "false",
        Cell.EXACT: plain,
        Cell.MOMENT: lambda epoch_ns: time_text(epoch_ns, local),
    }
    shown = [cells[cell] for cell in table.cells.values()]
    if mark:
        file.write(BOM_UTF8)
    count = 0
    text = io.TextIOWrapper(file, "utf-8", newline="")
    try:
        writer = csv.writer(text)
        writer.writerow(table.cells)
        for event in events:
            row = table.row(event)
            writer.writerow(
                ["" if each is None else show(each) for show, each in zip(shown, row, strict=True)]
            )
            count += 1
    finally:
        text.detach()  # The file is the caller's to close.
    return count


def _text(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text
