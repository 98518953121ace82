"""The rows of a kind: events as Arrow tables, and files of these."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet
from qehost.messages import AnyEvent, EventKind

from qehost_archive.layout import table

__all__ = ["conformed", "is_current", "rows", "writer"]

UNIQUE = frozenset(("received_at", "seq", "message_id", "id", "order_id", "client_order_id", "raw"))
"""Columns with a value of their own in nearly every row."""


def rows(kind: EventKind, events: Iterable[AnyEvent], *, raw: bool) -> Any:
    """A `pyarrow.Table`.  Without `raw` there is the column all the same, empty: parts with it and
    parts without can be read together."""
    data = table(kind).rows(events)
    if raw:
        return data
    column = data.schema.get_field_index("raw")
    return data.set_column(column, "raw", pyarrow.nulls(len(data), pyarrow.string()))


def writer(kind: EventKind, file: Path) -> Any:
    """A `pyarrow.parquet.ParquetWriter`."""
    schema = table(kind).schema
    return parquet.ParquetWriter(
        file,
        schema,
        compression="zstd",
        compression_level=1,
        # Each value of these is another one: a dictionary of them costs a sixth of the time and a
        # tenth of the size.
        use_dictionary=[name for name in schema.names if name not in UNIQUE],
        # Nobody looks for the smallest of the venue's texts.
        write_statistics=[name for name in schema.names if name != "raw"],
    )


def is_current(kind: EventKind, schema: Any) -> bool:
    """Whether a file of this schema has all columns that are written today."""
    return set(table(kind).schema.names) <= set(schema.names)


def conformed(kind: EventKind, data: Any) -> Any:
    """A table from a file, with the columns that are written today, null where the version that
    wrote it did not know them."""
    schema = table(kind).schema
    if data.schema.equals(schema):
        return data
    return pyarrow.Table.from_arrays(
        [
            data.column(field.name).cast(field.type)
            if field.name in data.schema.names
            else pyarrow.nulls(len(data), field.type)
            for field in schema
        ],
        schema=schema,
    )
