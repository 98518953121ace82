"""The status file: whole, private, and read by whoever asks."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from qehost.errors import JournalError
from qehost.storage.status import Status, read_status, read_status_of, write_status


def status(**fields: object) -> Status:
    values: dict[str, object] = {
        "version": "1",
        "pid": 1,
        "started_at": 0.0,
        "written_at": time.time(),
        "ended": "",
        "connections": [],
        "hosts": [],
    }
    return Status(**{**values, **fields})  # type: ignore[arg-type]


def test_what_is_written_is_read_and_is_for_the_user_alone(tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    for pid in (1, 2):
        write_status(file, status(pid=pid))
    found = read_status(file)
    assert found is not None
    assert found.pid == 2
    assert file.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["status.json"]


def test_a_reader_never_sees_half_of_it(tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    write_status(file, status(ended="x" * 100_000))
    with file.open("rb") as held:
        write_status(file, status(ended="y"))
        assert len(held.read()) > 100_000


def test_nothing_written_is_none_and_rubbish_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    assert read_status(file) is None
    file.write_bytes(b'{"pid": 1')
    with pytest.raises(JournalError, match="another version"):
        read_status(file)


def test_a_folder_that_can_not_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(JournalError):
        write_status(tmp_path / "missing" / "status.json", status())


def test_a_clock_that_was_set_back_does_not_make_it_younger_than_new() -> None:
    assert status(written_at=time.time() + 3600).age() == 0.0


def test_what_an_earlier_run_has_left_is_not_that_of_this_one(tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    assert read_status_of(file, 7) is None
    write_status(file, status(pid=6))
    assert read_status_of(file, 7) is None
    write_status(file, status(pid=7, ended="stopped by SIGTERM"))
    assert read_status_of(file, 7) is None, "a container gives the same id again"
    write_status(file, status(pid=7))
    assert read_status_of(file, 7) == read_status(file)
