"""What stands in an archive, and the days at which tests play."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow
from pyarrow.parquet import ParquetFile
from qehost.messages import EventKind

__all__ = ["DAY_MS", "START_MS", "files_in", "stored"]

DAY_MS = 86_400_000
START_MS = 1_767_225_600_000
"""2026-01-01, epoch ms."""


def files_in(folder: Path) -> list[str]:
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())


def stored(folder: Path, kind: EventKind) -> list[dict[str, Any]]:
    """The rows of a kind, in the order of their files; nothing else stands among these."""
    files = files_in(folder / f"kind={kind}")
    assert {Path(name).suffix for name in files} <= {".parquet"}
    found: list[dict[str, Any]] = []
    for name in files:
        with ParquetFile(folder / f"kind={kind}" / name) as file:
            found += without_zone(file.read()).to_pylist()
    return found


def without_zone(table: Any) -> Any:
    """Times as epoch ns."""
    for number, field in enumerate(table.schema):
        if pyarrow.types.is_timestamp(field.type):
            table = table.set_column(number, field.name, table.column(number).cast("int64"))
    return table
