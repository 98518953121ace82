"""What stands in the folder: whole files, every event once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from archives import DAY_MS, START_MS, files_in, stored
from msgspec.structs import replace
from qehost.errors import EventsRefused
from qehost.messages import AnyEvent
from qehost.testing import Events

from qehost_archive.dataset import Dataset, InUseError
from qehost_archive.layout import Partition


def test_an_event_stands_in_the_folder_of_its_kind_and_its_day_in_utc(
    dataset: Dataset, events: Events
) -> None:
    midnight = (START_MS + DAY_MS) * 10**6
    assert (
        dataset.add([events.order(received_at=midnight - 1), events.fill(received_at=midnight)])
        == 2
    )
    order, fill = (name for name in files_in(dataset.folder) if "lock" not in name)
    assert sorted([order.rpartition("/")[0], fill.rpartition("/")[0]]) == [
        "kind=fill/date=2026-01-02",
        "kind=order/date=2026-01-01",
    ]


def test_every_kind_has_its_folder(dataset: Dataset, events: Events) -> None:
    made: list[AnyEvent] = [
        *(events.master_order(), events.order(), events.fill(), events.status("hello")),
        *(events.error("no margin"), events.connected(), events.disconnected("over")),
        events.unknown(),
    ]
    assert dataset.add(made) == len(made)
    for event in made:
        (row,) = stored(dataset.folder, event.kind)
        assert (row["account"], row["journal_id"], row["seq"]) == (
            *(event.account, event.journal_id, event.seq),
        )
        assert row["received_at"] == event.received_at
        assert row["raw"] == event.raw


def test_what_comes_again_is_not_written_twice(dataset: Dataset, events: Events) -> None:
    first = [events.order() for _ in range(20)]
    assert dataset.add(first[:12]) == 12
    again = [replace(event, redelivered=True) for event in first]
    assert dataset.add(again[5:15]) == 3
    dataset.close()
    later = Dataset(dataset.folder)
    later.open()
    assert later.add(first) == 5
    assert later.add([*again, *again]) == 0
    later.close()
    assert sorted(row["seq"] for row in stored(dataset.folder, "order")) == list(range(1, 21))


def test_the_number_of_another_journal_or_account_is_another_event(
    dataset: Dataset, events: Events
) -> None:
    one = events.order(journal_id="0" * 16)
    others = [replace(one, journal_id="1" * 16), replace(one, account="other"), one]
    assert dataset.add([one]) == 1
    assert dataset.add(others) == 2


def test_an_event_that_is_in_a_batch_twice_is_written_once(
    dataset: Dataset, events: Events
) -> None:
    order = events.order()
    assert dataset.add([order, order]) == 1


def test_without_the_venues_text_the_column_is_there_and_empty(
    tmp_path: Path, dataset: Dataset, events: Events
) -> None:
    dataset.add([events.order()])
    dataset.close()
    without = Dataset(dataset.folder, raw=False)
    without.open()
    without.add([events.order()])
    without.close()
    first, second = sorted(stored(dataset.folder, "order"), key=lambda row: row["seq"])
    assert first["raw"]
    assert second["raw"] is None
    assert list(first) == list(second)


def test_what_can_not_be_a_row_is_refused_alone(dataset: Dataset, events: Events) -> None:
    made = [events.status(f"number {number}") for number in range(10)]
    made[6] = replace(made[6], message="half \ud800 of a pair")
    with pytest.raises(EventsRefused) as refused:
        dataset.add(made)
    assert list(refused.value.errors) == [7]
    assert sorted(row["seq"] for row in stored(dataset.folder, "status")) == [
        1,
        2,
        3,
        4,
        5,
        6,
        8,
        9,
        10,
    ]


# --- what a killed process leaves ----------------------------------------------------------------


def test_what_was_not_whole_is_cleared_away_at_the_next_start(
    dataset: Dataset, events: Events
) -> None:
    dataset.add([events.order()])
    dataset.close()
    aside = dataset.folder / ".qehost"
    (aside / "0123.draft").write_bytes(b"PAR1")
    (aside / "4567.merged").mkdir()
    (aside / "4567.merged" / "part-1.parquet").write_bytes(b"PAR1")
    dataset.open()
    assert files_in(aside) == ["lock"]
    assert len(stored(dataset.folder, "order")) == 1


def test_a_day_that_was_taken_away_to_be_replaced_is_put_back(
    dataset: Dataset, events: Events
) -> None:
    # As between two renames, where the file system can't exchange folders.
    dataset.add([events.order()])
    dataset.close()
    day = dataset.folder / "kind=order" / "date=2026-01-01"
    replaced = dataset.folder / ".qehost" / "replaced" / "kind=order" / "date=2026-01-01"
    replaced.parent.mkdir(parents=True)
    day.rename(replaced)
    dataset.open()
    assert len(stored(dataset.folder, "order")) == 1
    assert files_in(dataset.folder / ".qehost") == ["lock"]


def test_one_that_could_not_be_opened_can_be_opened_later(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset.close()
    (dataset.folder / ".qehost" / "0123.merged").mkdir()

    def refused(path: Path) -> None:
        raise PermissionError(f"{path}: not now")

    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", refused)
        with pytest.raises(PermissionError):
            dataset.open()
    later = Dataset(dataset.folder)
    later.open()
    later.close()


@pytest.mark.parametrize("exchanges", [True, False])
def test_a_day_is_replaced_as_a_whole(
    dataset: Dataset,
    events: Events,
    exchanges: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not exchanges:
        monkeypatch.setattr("qehost_archive.dataset.exchange", lambda one, other: False)
    dataset.add([events.order()])
    dataset.add([events.order()])
    day = Partition("order", "2026-01-01")
    parts = dataset.parts(day)
    with dataset.replacement(day) as made:
        (made / "part-1.parquet").write_bytes(parts[0].read_bytes())
        assert dataset.replace(day, parts, made)
    assert [row["seq"] for row in stored(dataset.folder, "order")] == [1]
    assert files_in(dataset.folder / ".qehost") == ["lock"]


def test_a_day_to_which_something_came_meanwhile_is_not_replaced(
    dataset: Dataset, events: Events
) -> None:
    dataset.add([events.order()])
    day = Partition("order", "2026-01-01")
    parts = dataset.parts(day)
    with dataset.replacement(day) as made:
        dataset.add([events.order()])
        assert not dataset.replace(day, parts, made)
    assert len(stored(dataset.folder, "order")) == 2


def test_one_that_was_closed_replaces_nothing(dataset: Dataset, events: Events) -> None:
    dataset.add([events.order()])
    day = Partition("order", "2026-01-01")
    with dataset.replacement(day) as made:
        dataset.close()
        assert not dataset.replace(day, dataset.parts(day), made)


# --- what goes wrong -----------------------------------------------------------------------------


def test_a_second_writer_is_refused_until_the_first_one_is_gone(dataset: Dataset) -> None:
    second = Dataset(dataset.folder)
    with pytest.raises(InUseError, match="in use by another process"):
        second.open()
    dataset.close()
    second.open()
    second.close()


def test_a_damaged_file_is_named_and_nothing_is_written_twice(
    dataset: Dataset, events: Events
) -> None:
    order = events.order()
    dataset.add([order])
    dataset.close()
    (part,) = dataset.parts(Partition("order", "2026-01-01"))
    whole = part.read_bytes()
    part.write_bytes(whole[: len(whole) // 2])
    later = Dataset(dataset.folder)
    later.open()
    with pytest.raises(OSError, match=part.name):
        later.add([order, events.order()])
    part.write_bytes(whole)
    assert later.add([order, events.order()]) == 1
    later.close()


def test_what_is_known_is_read_anew_after_a_failure(dataset: Dataset, events: Events) -> None:
    first, second = events.order(), events.order()
    dataset.add([first])
    away = dataset.folder.with_name("away")
    dataset.folder.rename(away)
    with pytest.raises(OSError, match="No such file"):
        dataset.add([second])
    away.rename(dataset.folder)
    # It came back from a copy that has less.
    for part in dataset.parts(Partition("order", "2026-01-01")):
        os.unlink(part)
    assert dataset.add([first, second]) == 2
    assert len(stored(dataset.folder, "order")) == 2
