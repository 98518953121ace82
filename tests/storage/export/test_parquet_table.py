"""Parquet: real types, the same in every file."""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from qehost import ParquetTable
from qehost.errors import Error
from qehost.messages import AnyEvent
from qehost.storage.journal.search import KINDS
from qehost.testing import Events

parquet = pytest.importorskip("pyarrow.parquet")


def written(events: list[AnyEvent], table: ParquetTable) -> Any:
    file = io.BytesIO()
    assert table.write(events, file) == len(events)
    return parquet.read_table(io.BytesIO(file.getvalue()))


def test_a_column_has_its_type_whatever_is_in_it() -> None:
    events = Events()
    for kind in KINDS:
        empty = written([], ParquetTable((kind,)))
        types = {str(field.type) for field in empty.schema}
        assert types <= {
            *("string", "int64", "bool", "decimal128(38, 18)", "timestamp[ns, tz=UTC]"),
        }
    full = written([events.order()], ParquetTable(("order",)))
    assert full.schema == written([], ParquetTable(("order",))).schema


def test_times_are_points_in_time() -> None:
    order = Events().order(created_at="2026-01-02T03:04:05.678Z", received_at=10**18 + 1)
    table = written([order], ParquetTable(("order",), ("created_at", "received_at")))
    assert table["created_at"].to_pylist() == [datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)]
    assert table["received_at"].cast("int64").to_pylist() == [10**18 + 1]


@pytest.mark.parametrize(
    ("number", "fits"),
    [
        ("100.10", True),
        ("-2", True),
        ("0.123456789012345678", True),
        ("12345678901234567890.5", True),
        ("1E-18", True),
        ("1.000000000000000000000", True),
        ("1E-19", False),
        ("123456789012345678901", False),
        ("3.3333333333333333333333333333333333", False),
        ("1E+300", False),
    ],
)
def test_a_decimal_is_exact_or_it_is_text(number: str, fits: bool) -> None:
    table = written([Events().order(price=number)], ParquetTable(("order",), ("price",)))
    (value,), (text,) = table["price"].to_pylist(), table["price_text"].to_pylist()
    assert (value is not None) == fits
    assert Decimal(text or value) == Decimal(number)
    assert (text is None) == fits


def test_what_was_not_sent_is_null() -> None:
    table = written(
        [Events().order(price=None)], ParquetTable(("order",), ("price", "stale", "ack_time"))
    )
    assert table.to_pylist() == [
        {"price": None, "price_text": None, "stale": False, "ack_time": None}
    ]


def test_many_events_are_several_row_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qehost.storage.export.parquet_table.ROW_GROUP", 3)
    events = Events()
    table = written([events.order() for _ in range(10)], ParquetTable(("order",), ("seq",)))
    assert table["seq"].to_pylist() == list(range(1, 11))


def test_one_figure_that_does_not_fit_costs_the_others_nothing() -> None:
    events = Events()
    prices = ["100.10", "1E-19", None, "2"]
    table = written(
        [events.order(price=price) for price in prices], ParquetTable(("order",), ("price",))
    )
    assert table["price"].to_pylist() == [Decimal("100.10"), None, None, Decimal("2")]
    assert table["price_text"].to_pylist() == [None, "1E-19", None, None]


def test_its_columns_can_be_chosen_from() -> None:
    own = ParquetTable(("fill",), raw=False).columns
    assert "raw" not in own
    assert "price_text" not in own
    table = ParquetTable(("fill",), (*own, "journal_id"))
    (row,) = written([Events().fill(journal_id="0123456789abcdef")], table).to_pylist()
    assert row["journal_id"] == "0123456789abcdef"
    assert list(row)[-1] == "journal_id"
    with pytest.raises(ValueError, match="did you mean quantity"):
        ParquetTable(("fill",), ("quantty",))


def test_rows_are_a_table_without_a_file() -> None:
    events = Events()
    table = ParquetTable(("order",), ("seq",))
    assert table.rows([events.order(), events.order()]).to_pylist() == [{"seq": 1}, {"seq": 2}]
    assert table.rows([]).schema == table.schema


def test_without_pyarrow_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(Error, match=r"pip install 'qehost\[parquet\]'"):
        ParquetTable(("order",))
