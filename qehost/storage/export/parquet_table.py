"""Events as Parquet: columns with real types, the same in every file."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from decimal import Context, Decimal, Inexact, InvalidOperation
from importlib import import_module
from itertools import islice
from os import PathLike
from typing import Any, BinaryIO

from qehost.errors import Error
from qehost.messages import AnyEvent, EventKind
from qehost.storage.export.columns import Cell, Table

__all__ = ["ParquetTable"]

ROW_GROUP = 5_000
"""Events that are in memory at a time."""
DIGITS, SCALE = 38, 18
"""Of a decimal: 20 digits before the point, 18 behind it.  Programs read wider ones as floats."""
UNIT = Decimal(1).scaleb(-SCALE)
EXACT = Context(prec=DIGITS, traps=[Inexact, InvalidOperation])


class ParquetTable:
    """Events as the rows of Parquet files, as `qehost journal export` writes them.

    `kinds` and `columns` say which columns there are: with one kind all fields of its `detail`,
    with several those that they have in common, or the columns of these names, in this order;
    without `raw` the venue's text is left out.

    A text, a whole number and a flag are what they are, a time is a timestamp in UTC to the
    nanosecond.  For each decimal there are two columns: `X`, decimal128(38, 18), and `X_text`,
    which has the number as text where `X` is null because its digits don't fit.  So a column has
    one type in all files, and no figure is rounded.

    Raises ValueError, with a text for the user, where a column does not exist for any of these
    kinds, and Error without pyarrow, which `qehost[parquet]` brings along.

    Since 0.1.
    """

    def __init__(
        self,
        kinds: Collection[EventKind] = (),
        columns: Sequence[str] = (),
        *,
        raw: bool = True,
    ) -> None:
        self._table = Table(kinds, columns, raw=raw)
        try:
            # Modules of their own size: they are an extra, and loaded for this class alone.
            self._arrow = import_module("pyarrow")
            self._parquet = import_module("pyarrow.parquet")
        except ImportError:
            raise Error("Parquet needs pyarrow: pip install 'qehost[parquet]'") from None
        arrow = self._arrow
        types = {
            Cell.TEXT: arrow.string(),
            Cell.INTEGER: arrow.int64(),
            Cell.FLAG: arrow.bool_(),
            Cell.EXACT: arrow.decimal128(DIGITS, SCALE),
            Cell.MOMENT: arrow.timestamp("ns", "UTC"),
        }
        fields = []
        for name, cell in self._table.cells.items():
            fields.append((name, types[cell]))
            if cell is Cell.EXACT:
                fields.append((f"{name}_text", arrow.string()))
        self.schema: Any = arrow.schema(fields)
        """The `pyarrow.Schema` of its files."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of its columns, each `X_text` left out: what `columns` can be made from."""
        return tuple(self._table.cells)

    def rows(self, events: Iterable[AnyEvent]) -> Any:
        """A `pyarrow.Table` with a row for each event, which must be of one of the kinds."""
        rows = [self._table.row(event) for event in events]
        values = zip(*rows, strict=True) if rows else ((),) * len(self._table.cells)
        arrays: list[Any] = []
        for cell, column in zip(self._table.cells.values(), values, strict=True):
            arrays += self._arrays(cell, column, self.schema[len(arrays)].type)
        return self._arrow.Table.from_arrays(arrays, schema=self.schema)

    def writer(self, file: BinaryIO | str | PathLike[str]) -> Any:
        """A `pyarrow.parquet.ParquetWriter` for tables of this schema, to be closed by the caller.

        Compressed by zstd.
        """
        return self._parquet.ParquetWriter(
            file, self.schema, compression="zstd", compression_level=1
        )

    def write(self, events: Iterable[AnyEvent], file: BinaryIO | str | PathLike[str]) -> int:
        """A whole file with a row for each event, in memory that does not grow.  Returns the number
        of events."""
        count = 0
        remaining = iter(events)
        with self.writer(file) as writer:
            while chunk := list(islice(remaining, ROW_GROUP)):
                writer.write_table(self.rows(chunk))
                count += len(chunk)
        return count

    def _arrays(self, cell: Cell, values: Sequence[Any], kind: Any) -> list[Any]:
        """The arrays of a column, of one type, or of two for a decimal."""
        if cell is not Cell.EXACT:
            return [self._arrow.array(values, kind)]
        text = self._arrow.string()
        try:
            return [self._arrow.array(values, kind), self._arrow.nulls(len(values), text)]
        except self._arrow.ArrowInvalid:  # some number does not fit, which is rare
            exact, texts = _exact(values)
            return [self._arrow.array(exact, kind), self._arrow.array(texts, text)]


def _exact(numbers: Sequence[Decimal | None]) -> tuple[list[Decimal | None], list[str | None]]:
    """Those that fit, and the others as text."""
    fitting: list[Decimal | None] = []
    texts: list[str | None] = []
    for number in numbers:
        text = None
        if number is not None:
            try:
                number = number.quantize(UNIT, context=EXACT)
            except (Inexact, InvalidOperation):
                number, text = None, str(number)
        fitting.append(number)
        texts.append(text)
    return fitting, texts
