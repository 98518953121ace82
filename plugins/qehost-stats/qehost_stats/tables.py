"""A report as CSV: a row for each master order, or for each day, account and symbol."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from qehost_stats.figures import OrderFigures
from qehost_stats.report import PICTURES, Report
from qehost_stats.sums import Group

__all__ = ["DAY_COLUMNS", "ORDER_COLUMNS", "as_csv", "plain"]

ORDER_COLUMNS = tuple(name for name in OrderFigures.__struct_fields__ if name not in PICTURES)
DAY_COLUMNS = tuple(name for name in Group.__struct_fields__ if name != "algorithm")
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula; the venue's and the user's own texts
stand in the file."""
_LONGEST = 60


def as_csv(report: Report, table: str) -> bytes:
    """`table` is `orders` or `days`.  UTF-8 with a mark, as spreadsheets need it."""
    rows: Sequence[OrderFigures | Group]
    if table == "days":
        columns, rows = DAY_COLUMNS, report.days
    else:
        columns, rows = ORDER_COLUMNS, report.orders
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(getattr(row, name)) for name in columns])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def plain(number: Decimal) -> str:
    """Every digit, without an exponent where that is of a readable length."""
    exponent = number.as_tuple().exponent
    is_short = isinstance(exponent, int) and abs(exponent) <= _LONGEST
    return format(number, "f") if is_short else str(number)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULAS) else value
    if isinstance(value, int):
        return str(value)
    if not value:
        return ""
    if isinstance(value, tuple) and isinstance(value[0], str):
        return " ".join(value)
    return msgspec.json.encode(value).decode()
