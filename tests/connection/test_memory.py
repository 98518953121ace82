"""The memory file: written when it must be, whole or not at all, and no obstacle when it is bad."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from qehost.connection import memory
from qehost.connection.memory import Memory, MemoryFile, read_memory
from qehost.fills import Before
from qehost.known_orders import Known

ORDER = Known("77", 5, (("PLACED", 1.5),), top=Before("1.5", "3"), most=1.5, pushes=[(0.1, 2.0, 9)])
OPEN = [(("m-1", "x-1"), ORDER)]


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    MemoryFile(tmp_path).write(7, 123, OPEN)
    assert read_memory(tmp_path) == Memory(7, 123, OPEN)
    assert (tmp_path / "memory").stat().st_mode & 0o777 == 0o600


def test_it_is_due_when_what_is_unread_changes_and_after_many_events(tmp_path: Path) -> None:
    file = MemoryFile(tmp_path)
    assert not file.is_due(memory.EVERY - 1, 0)
    assert file.is_due(memory.EVERY, 0)
    assert file.is_due(1, 44)
    file.write(1, 44, [])
    assert not file.is_due(memory.EVERY, 44)
    assert file.is_due(1, 0)
    assert not MemoryFile(tmp_path).is_due(memory.EVERY, 44)


def test_there_is_none_in_a_new_journal(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert read_memory(tmp_path / "nowhere") == Memory()
    assert not caplog.records


def test_one_that_was_changed_or_cut_is_told_and_taken_for_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    MemoryFile(tmp_path).write(7, 123, OPEN)
    whole = (tmp_path / "memory").read_bytes()
    flipped = [whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1 :] for i in range(len(whole))]
    for content in [whole[:i] for i in range(len(whole))] + flipped:
        (tmp_path / "memory").write_bytes(content)
        caplog.clear()
        assert read_memory(tmp_path) == Memory()
        assert "memory can't be read" in caplog.text


def test_a_folder_that_takes_no_file_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = MemoryFile(tmp_path / "gone")
    with caplog.at_level(logging.WARNING):
        file.write(1, 44, [])
        file.write(2, 45, [])
    assert [record.message for record in caplog.records] == [
        f"{tmp_path / 'gone' / 'memory'} can't be written: No such file or directory"
    ]
    (tmp_path / "gone").mkdir()
    file.write(3, 46, [])
    assert read_memory(tmp_path / "gone") == Memory(3, 46)
