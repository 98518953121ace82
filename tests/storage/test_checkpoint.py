"""The checkpoint: written when it must be, on a full disk too, and no obstacle when it is bad."""

from __future__ import annotations

import logging
import shutil
from base64 import b64decode
from pathlib import Path
from zlib import crc32

import msgspec
import pytest
from journals import flip
from small_disk import fill, small_disk
from venue_account import Account, child

from qehost.events.fills import CumulativeFill
from qehost.events.order_records import ChildRecord, KnownOrders, MasterRecord, PushedFills
from qehost.storage import checkpoint
from qehost.storage.boot_id import boot_id
from qehost.storage.checkpoint import Checkpoint, CheckpointFile, is_copy, read_checkpoint

CHILD = ChildRecord(
    key="77",
    is_known=True,
    venue_id="77",
    moment=5,
    status="PLACED",
    top=CumulativeFill("1.5", "3"),
    most=1.5,
    pushed_fills=PushedFills([(0.1, 2.0, 9)]),
)
KNOWN = KnownOrders([MasterRecord(key="m-1", status="COMPLETED", is_final=True)], [CHILD])

FORMAT_1 = (
    "haNzZXEGrHVucmVhZF9zaW5jZQerb3Blbl9vcmRlcnOTkpKhTaN4LTGPqHZlbnVlX2lko1YtMaZtb21lbnTPAAABnydf"
    "hJOubW9tZW50X2JvdW5kZWTPAAABnydfhJOmc3RhdGVzkZKmUExBQ0VEy0AQAAAAAAAAqWZyb21fcmVzdJCnZmlndXJl"
    "c5WhNKM0MDCgojEwoKZmaWxsZWTLQBAAAAAAAACjdG9wk6E0ozQwMKCkbW9zdMtAEAAAAAAAAKVwbGFpbsOncm91bmRl"
    "ZMKmcHVzaGVzwKxwdXNoZWRfdW50aWwAqWFubm91bmNlZMsAAAAAAAAAAK1kZXJpdmVkX3VudGlszwAAAZ8nX4STkpKh"
    "TaNWLTKPqHZlbnVlX2lko1YtMqZtb21lbnTPAAABnydfhJOubW9tZW50X2JvdW5kZWTPAAABnydfhJOmc3RhdGVzkZKm"
    "UExBQ0VEy0AIAAAAAAAAqWZyb21fcmVzdJCnZmlndXJlc5WhM6MzMDCgojEwoKZmaWxsZWTLQAgAAAAAAACjdG9wk6Ez"
    "ozMwMKCkbW9zdMtACAAAAAAAAKVwbGFpbsOncm91bmRlZMKmcHVzaGVzwKxwdXNoZWRfdW50aWwAqWFubm91bmNlZMsA"
    "AAAAAAAAAK1kZXJpdmVkX3VudGlszwAAAZ8nX4STkpKhTaNwLTGPqHZlbnVlX2lkoKZtb21lbnT/rm1vbWVudF9ib3Vu"
    "ZGVkAKZzdGF0ZXOQqWZyb21fcmVzdJCnZmlndXJlc5WgoKCgoKZmaWxsZWTLAAAAAAAAAACjdG9wk6CgoKRtb3N0ywAA"
    "AAAAAAAApXBsYWluw6dyb3VuZGVkwqZwdXNoZXOSk8s/uZmZmZmZmstAWQAAAAAAAM8AAAGfJ1+IAJPLP8mZmZmZmZrL"
    "QFkAAAAAAADPAAABnydfiACscHVzaGVkX3VudGlsAKlhbm5vdW5jZWTLAAAAAAAAAACtZGVyaXZlZF91bnRpbACmZm9y"
    "bWF0AaxjbG9ja19vZmZzZXQF"
)
"""As the version before wrote it: V-1 with 4 filled as x-1, V-2 with 3 before it had an id at its
exchange, and p-1, of which V1 pushed 0.1 and 0.2."""


def as_written(found: Checkpoint) -> Checkpoint:
    """Without what the file fills in."""
    return msgspec.structs.replace(found, boot="", identity=())


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = Checkpoint(7, 123, clock_offset=5, heard_until=9, is_end=True, orders=KNOWN)
    CheckpointFile(tmp_path).write(written)
    found = read_checkpoint(tmp_path)
    assert as_written(found) == written
    assert found.boot == boot_id()
    assert not is_copy(tmp_path, found)


def test_it_is_due_at_first_when_what_is_unread_changes_and_after_many_events(
    tmp_path: Path,
) -> None:
    now = 0.0
    file = CheckpointFile(tmp_path, lambda: now)
    assert file.is_due(0, 0)
    file.write(Checkpoint())
    now = checkpoint.PACE
    assert not file.is_due(checkpoint.EVERY - 1, 0)
    assert file.is_due(checkpoint.EVERY, 0)
    assert file.is_due(1, 44)
    file.write(Checkpoint(1, 44))
    assert not file.is_due(checkpoint.EVERY, 44)
    assert file.is_due(1, 0)
    assert file.is_due(1, 44, clock_offset=checkpoint.STEP)
    assert file.is_due(1, 44, lacks_baseline=True)


def test_while_events_come_fast_it_is_due_after_more_of_them(tmp_path: Path) -> None:
    file = CheckpointFile(tmp_path, lambda: 0.0)
    file.write(Checkpoint())
    assert not file.is_due(checkpoint.EVERY, 0)
    assert file.is_due(checkpoint.EVERY_AT_LOAD, 0)


def test_while_the_journal_cannot_be_written_it_is_due_once_a_second(tmp_path: Path) -> None:
    now = 0.0
    file = CheckpointFile(tmp_path, lambda: now)
    file.write(Checkpoint(5))
    assert not file.is_due(6, 0, not_journalled=6)
    now = checkpoint.PACE
    assert file.is_due(6, 0, not_journalled=6)
    file.write(Checkpoint(6))
    now = 2 * checkpoint.PACE
    # It has all of it now.
    assert not file.is_due(7, 0, not_journalled=6)
    assert file.is_due(7, 0, not_journalled=7)


def test_of_finished_orders_a_bounded_number_is_kept_and_of_the_others_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "FINISHED_KEPT", 2)
    masters = [MasterRecord(key=f"m-{n}", is_final=n % 2 == 0) for n in range(10)]
    children = [ChildRecord(key=f"c-{n}", is_final=n % 2 == 0, moment=n) for n in range(10)]
    CheckpointFile(tmp_path).write(Checkpoint(1, orders=KnownOrders(masters, children, 3, 4)))
    found = read_checkpoint(tmp_path).orders
    kept = [1, 3, 5, 6, 7, 8, 9]
    assert [each.key for each in found.masters] == [f"m-{n}" for n in kept]
    assert [each.key for each in found.children] == [f"c-{n}" for n in kept]
    assert (found.forgotten_until, found.doubtful_until) == (4, 4)


def test_there_is_none_in_a_new_journal(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert read_checkpoint(tmp_path / "nowhere") == Checkpoint()
    assert not caplog.records


def test_where_one_of_the_two_files_was_damaged_the_one_before_is_read_and_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = CheckpointFile(tmp_path)
    file.write(Checkpoint(7, 123, orders=KNOWN))
    file.write(Checkpoint(8, 124, orders=KNOWN))
    flip(tmp_path / "checkpoint", b"COMPLETED")
    assert as_written(read_checkpoint(tmp_path)) == Checkpoint(7, 123, orders=KNOWN)
    assert f"{tmp_path / 'checkpoint'} is damaged; the checkpoint before it is whole" in caplog.text
    caplog.clear()
    flip(tmp_path / "checkpoint.2", b"COMPLETED")
    assert read_checkpoint(tmp_path) == Checkpoint()
    assert "of orders only that is known which the journal has" in caplog.text
    CheckpointFile(tmp_path).write(Checkpoint(9))
    assert as_written(read_checkpoint(tmp_path)) == Checkpoint(9)


def test_a_folder_that_takes_no_file_is_told_once_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    now = 0.0
    file = CheckpointFile(tmp_path / "gone", lambda: now)
    with caplog.at_level(logging.WARNING):
        file.write(Checkpoint(1, 44))
        assert not file.is_due(1, 44)
        now = checkpoint.PACE
        assert file.is_due(1, 44)
        file.write(Checkpoint(2, 45))
    assert [record.message for record in caplog.records] == [
        f"{tmp_path / 'gone' / 'checkpoint'} can't be written: No such file or directory"
    ]
    (tmp_path / "gone").mkdir()
    file.write(Checkpoint(3, 46))
    assert as_written(read_checkpoint(tmp_path / "gone")) == Checkpoint(3, 46)


def test_a_full_disk_takes_it_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with small_disk(tmp_path, "4m") as disk:
        file = CheckpointFile(disk)
        fill(disk)
        for seq in range(1, 6):
            file.write(Checkpoint(seq, orders=KNOWN))
            assert as_written(read_checkpoint(disk)) == Checkpoint(seq, orders=KNOWN)
    assert not caplog.records


def test_a_copy_is_told_from_the_original(tmp_path: Path) -> None:
    (folder := tmp_path / "folder").mkdir()
    CheckpointFile(folder).write(Checkpoint(1))
    shutil.copytree(folder, tmp_path / "copy")
    assert is_copy(tmp_path / "copy", read_checkpoint(tmp_path / "copy"))
    assert not is_copy(folder, read_checkpoint(folder))
    assert not is_copy(tmp_path / "nowhere", Checkpoint())


def test_one_of_the_version_before_is_read(tmp_path: Path) -> None:
    data = b64decode(FORMAT_1)
    (tmp_path / "memory").write_bytes(crc32(data).to_bytes(4, "little") + data)
    memory = read_checkpoint(tmp_path)
    assert (memory.seq, memory.unread_since, memory.clock_offset) == (6, 7, 5)
    account = Account()
    account.pipeline.adopt(memory.orders)
    ids = {"masterOrderId": "M"}
    assert account.push(child("PLACED", 6, id="V-1", orderId="x-1", **ids))[-1] == "fill 2"
    assert account.push(child("PLACED", 6, id="V-2", orderId="x-2", **ids))[-1] == "fill 3"
    assert account.push(child("PLACED", "0.5", id="V-3", orderId="p-1", **ids))[-1] == "fill 0.2"
    CheckpointFile(tmp_path).write(memory)
    assert not (tmp_path / "memory").exists()
    assert read_checkpoint(tmp_path).orders == memory.orders
