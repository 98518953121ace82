"""Which days are merged, and what comes of it."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

import pytest
from archives import DAY_MS, START_MS, stored
from pyarrow import parquet
from qehost.testing import Events

from qehost_archive import compaction
from qehost_archive.compaction import Compaction, Compactor, Stopped
from qehost_archive.dataset import Dataset
from qehost_archive.layout import Partition, table

DAY = Partition("order", "2026-01-01")
NEXT_DAY = (START_MS + DAY_MS) / 1000
"""Epoch seconds."""


@pytest.fixture
def day(dataset: Dataset, events: Events) -> Dataset:
    """Ten orders in five parts, an hour before midnight."""
    orders = [
        events.order(received_at=(START_MS + 23 * 3_600_000 + n) * 10**6, price=f"100.{n}")
        for n in range(10)
    ]
    for n in range(0, 10, 2):
        dataset.add(orders[n : n + 2])
    for part in dataset.parts(DAY):
        os.utime(part, (NEXT_DAY - 3600, NEXT_DAY - 3600))
    return dataset


def test_a_day_is_merged_when_it_is_over_and_nothing_came_for_a_while(day: Dataset) -> None:
    compact = Compaction(day)
    assert compact.due(NEXT_DAY - 1) == []
    assert compact.due(NEXT_DAY + compaction.LATE - 1) == []
    assert compact.due(NEXT_DAY + compaction.LATE + 1) == [DAY]
    late = NEXT_DAY + compaction.LATE
    os.utime(day.parts(DAY)[-1], (late, late))
    assert compact.due(late + 1) == []
    assert compact.due(late + compaction.QUIET + 1) == [DAY]


def test_a_day_of_many_parts_is_merged_before_it_is_over(
    day: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "MANY", 4)
    assert Compaction(day).due(NEXT_DAY - 3600) == [DAY]


def test_what_was_merged_before_a_day_is_over_is_not_merged_anew_until_then(
    day: Dataset, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "MANY", 4)
    compact, now = Compaction(day), NEXT_DAY - 3600
    assert compact.merge(DAY, is_over=False) == 10
    (large,) = day.parts(DAY)
    monkeypatch.setattr(compaction, "LARGE", large.stat().st_size)
    was = large.stat().st_ino
    later = START_MS + 23 * 3_600_000 + 10
    late = [events.order(received_at=(later + n) * 10**6) for n in range(5)]
    for order in late[:4]:
        day.add([order])
    assert compact.due(now) == []
    day.add(late[4:])
    assert compact.due(now) == [DAY]
    before = stored(day.folder, "order")
    assert compact.merge(DAY, is_over=False) == 5
    assert len(day.parts(DAY)) == 2
    assert large.stat().st_ino == was
    assert stored(day.folder, "order") == before
    assert compact.merge(DAY) == 15
    assert stored(day.folder, "order") == before


def test_a_merged_day_is_one_file_with_the_same_rows(day: Dataset) -> None:
    before = stored(day.folder, "order")
    compact = Compaction(day)
    assert compact.merge(DAY) == 10
    assert len(day.parts(DAY)) == 1
    assert stored(day.folder, "order") == before
    assert compact.due(NEXT_DAY + 2 * DAY_MS / 1000) == []


def test_what_comes_after_it_is_merged_again_and_what_is_there_is_known(
    day: Dataset, events: Events
) -> None:
    at = (START_MS + 23 * 3_600_000) * 10**6
    compact = Compaction(day)
    compact.merge(DAY)
    late = NEXT_DAY + DAY_MS / 1000
    for part in day.parts(DAY):
        os.utime(part, (NEXT_DAY, NEXT_DAY))
    assert compact.due(late) == []
    again = Events(start_ms=START_MS).order(received_at=at)
    assert day.add([again]) == 0
    assert day.add([events.order(received_at=at)]) == 1
    for part in day.parts(DAY):
        os.utime(part, (NEXT_DAY, NEXT_DAY))
    assert compact.due(late) == [DAY]
    assert compact.merge(DAY) == 11


def test_large_days_are_row_groups_of_one_size(
    day: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "ROW_GROUP", 4)
    Compaction(day).merge(DAY)
    (part,) = day.parts(DAY)
    found = parquet.read_metadata(part)
    assert [found.row_group(n).num_rows for n in range(found.num_row_groups)] == [4, 4, 2]


def test_a_file_of_an_earlier_version_gets_the_columns_of_today(day: Dataset) -> None:
    before = stored(day.folder, "order")
    compact = Compaction(day)
    compact.merge(DAY)
    (part,) = day.parts(DAY)
    parquet.write_table(parquet.read_table(part, partitioning=None).drop_columns("stale"), part)
    os.utime(part, (NEXT_DAY, NEXT_DAY))
    assert compact.due(NEXT_DAY + DAY_MS / 1000) == [DAY]
    assert compact.merge(DAY) == 10
    (part,) = day.parts(DAY)
    assert parquet.read_schema(part).equals(table("order").schema)
    assert stored(day.folder, "order") == [{**row, "stale": None} for row in before]


def test_one_that_is_stopped_leaves_everything_as_it_was(day: Dataset) -> None:
    before = day.parts(DAY)
    with pytest.raises(Stopped):
        Compaction(day, lambda: True).merge(DAY)
    assert day.parts(DAY) == before
    assert [each.name for each in (day.folder / ".qehost").iterdir()] == ["lock"]


def test_a_damaged_part_is_told_and_the_other_days_are_merged(
    day: Dataset, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Partition("fill", "2026-01-01")
    for _ in range(2):
        day.add([events.fill()])
    for part in day.parts(other):
        os.utime(part, (NEXT_DAY, NEXT_DAY))
    (damaged, *_) = day.parts(DAY)
    damaged.write_bytes(b"PAR1")
    os.utime(damaged, (NEXT_DAY, NEXT_DAY))
    told: list[str] = []
    seen = threading.Event()

    def problem(text: str) -> None:
        told.append(text)
        seen.set()

    compactor = Compactor(day, problem, logging.getLogger("test"))
    assert seen.wait(60)
    compactor.stop()
    assert len(day.parts(DAY)) == 5
    assert len(day.parts(other)) == 1
    assert told[0].startswith("kind=order/date=2026-01-01 can't be merged: ")
    assert damaged.name in told[0]


def test_its_thread_ends_when_it_is_told_to(tmp_path: Path) -> None:
    dataset = Dataset(tmp_path / "archive")
    dataset.open()
    compactor = Compactor(dataset, lambda text: None, logging.getLogger("test"))
    compactor.stop(60)
    assert "qehost archive" not in [thread.name for thread in threading.enumerate()]
    dataset.close()
