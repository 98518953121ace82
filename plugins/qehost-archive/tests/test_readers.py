"""Each kind's folder is read by DuckDB, pandas and polars without an option, exactly."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import duckdb
import pandas
import polars
import pytest
from archives import DAY_MS, START_MS
from qehost.testing import Events

from qehost_archive.compaction import Compaction
from qehost_archive.dataset import Dataset

Rows = list[dict[str, Any]]
PRICES = ["100.10", "0.123456789012345678", "12345678901234567890.5", None]
TOO_LONG = "3.3333333333333333333333333333333333"


def by_duckdb(folder: Path, columns: list[str]) -> Rows:
    found = query(f"select {', '.join(columns)} from '{folder}/**/*.parquet' order by seq")
    return [dict(zip(columns, row, strict=True)) for row in found]


def query(text: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        return connection.execute(text).fetchall()


def by_pandas(folder: Path, columns: list[str]) -> Rows:
    frame = pandas.read_parquet(folder).sort_values("seq")[columns]
    return [
        {name: None if pandas.isna(value) else value for name, value in row.items()}
        for row in frame.to_dict("records")
    ]


def by_polars(folder: Path, columns: list[str]) -> Rows:
    return polars.read_parquet(folder).sort("seq").select(columns).to_dicts()


READERS = [by_duckdb, by_pandas, by_polars]


@pytest.fixture(params=["parts", "merged"])
def archive(request: pytest.FixtureRequest, dataset: Dataset) -> Path:
    """Orders and fills of two days, with and without the venue's text, as parts or merged."""
    events = Events(start_ms=START_MS, step_ms=DAY_MS // 4)
    orders = [events.order(price=price) for price in (*PRICES, TOO_LONG)]
    dataset.add(orders[:2])
    dataset.close()
    without = Dataset(dataset.folder, raw=False)
    without.open()
    for order in orders[2:]:
        without.add([order])
    without.add([events.fill(), events.master_order(), events.status("hello")])
    if request.param == "merged":
        compaction = Compaction(without)
        for partition in without.partitions():
            compaction.merge(partition)
    without.close()
    return dataset.folder


@pytest.mark.parametrize("read", READERS)
def test_figures_are_exact(archive: Path, read: Callable[[Path, list[str]], Rows]) -> None:
    rows = read(archive / "kind=order", ["seq", "price", "price_text"])
    assert [row["seq"] for row in rows] == [1, 2, 3, 4, 5]
    prices = [None if price is None else Decimal(price) for price in PRICES]
    assert [row["price"] for row in rows] == [*prices, None]
    assert [row["price_text"] for row in rows] == [None] * 4 + [TOO_LONG]


@pytest.mark.parametrize("read", READERS)
def test_times_are_times_and_days_are_folders(
    archive: Path, read: Callable[[Path, list[str]], Rows]
) -> None:
    rows = read(archive / "kind=order", ["seq", "received_at", "date"])
    started = datetime.fromtimestamp(START_MS / 1000, UTC)
    assert rows[0]["received_at"] == started
    # A day is a date, or its text in pandas.
    assert [str(row["date"]) for row in rows] == ["2026-01-01"] * 4 + ["2026-01-02"]


@pytest.mark.parametrize("read", READERS)
def test_every_kind_is_read(archive: Path, read: Callable[[Path, list[str]], Rows]) -> None:
    for kind in ("fill", "master_order", "status"):
        (row,) = read(archive / f"kind={kind}", ["seq", "account", "journal_id"])
        assert row["account"] == "main"


def test_sums_are_exact(archive: Path) -> None:
    orders = f"'{archive}/kind=order/**/*.parquet'"
    with localcontext(prec=60):
        expected = sum(Decimal(price) for price in PRICES if price)
    assert query(f"select sum(price) from {orders}") == [(expected,)]
    assert polars.read_parquet(archive / "kind=order")["price"].sum() == expected


def test_a_day_is_chosen_by_its_date(archive: Path) -> None:
    orders = f"'{archive}/kind=order/**/*.parquet'"
    assert query(f"select count(*) from {orders} where date = '2026-01-01'") == [(4,)]
    frame = polars.scan_parquet(archive / "kind=order").filter(
        polars.col("date") > date(2026, 1, 1)
    )
    assert frame.collect().height == 1
    days = pandas.read_parquet(archive / "kind=order", filters=[("date", "==", "2026-01-01")])
    assert len(days) == 4
