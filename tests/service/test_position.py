"""Where a service goes on: in memory from the beginning, in a state folder from where it stood."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from qehost.config.settings import JournalSettings
from qehost.errors import JournalError, StateFolderBusy
from qehost.events.codec import encode_events
from qehost.messages import StatusEvent
from qehost.service.position import HOST, Place, in_folder, in_memory
from qehost.storage import boot_id
from qehost.storage.journal import Journal
from qehost.storage.state_folder import StateFolder


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the system says of its start."""
    file = tmp_path / "boot_id"
    file.write_text("first")
    monkeypatch.setattr(boot_id, "BOOT_ID", file)
    return file


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    return StateFolder(tmp_path / "state")


@contextmanager
def place(folder: StateFolder) -> Iterator[Place]:
    opened = in_folder(folder.path, "main", JournalSettings())
    try:
        yield opened
    finally:
        opened.close()


def journal_has(folder: StateFolder, count: int) -> None:
    with Journal(folder.journal("main")) as journal:
        for seq in range(1, count + 1):
            event = StatusEvent(seq, "main", "", 0, "stream", False, "", "")
            journal.append(encode_events([event]), seq, seq, 0, 0)


def test_without_a_folder_it_begins_before_the_first_event() -> None:
    opened = in_memory("main")
    assert (opened.position.cursor, opened.position.in_flight, opened.before) == (0, 0, 0)
    assert opened.journal is None
    opened.close()


def test_a_program_that_is_new_in_a_folder_begins_at_the_end(folder: StateFolder) -> None:
    journal_has(folder, 9)
    with place(folder) as opened:
        assert (opened.position.cursor, opened.position.in_flight, opened.before) == (9, 0, 9)


def test_it_goes_on_where_it_stood_and_knows_what_was_in_flight(folder: StateFolder) -> None:
    with place(folder) as opened:
        opened.position.begin(4)
        opened.position.finish(3)
    journal_has(folder, 9)
    with place(folder) as again:
        assert (again.position.cursor, again.position.in_flight, again.before) == (3, 4, 9)


def test_after_a_power_cut_all_that_is_there_may_have_been_delivered(
    folder: StateFolder, machine: Path
) -> None:
    with place(folder):
        pass
    journal_has(folder, 9)
    machine.write_text("second")
    with place(folder) as again:
        assert (again.position.cursor, again.position.in_flight) == (0, 9)
    with place(folder) as once_more:
        assert once_more.position.in_flight == 9


def test_where_the_cursor_was_damaged_all_that_is_there_may_have_been_delivered(
    folder: StateFolder,
) -> None:
    with place(folder) as opened:
        opened.position.finish(5)
    journal_has(folder, 9)
    folder.progress_file(HOST).write_bytes(b"rubbish")
    with place(folder) as again:
        assert (again.position.cursor, again.position.in_flight) == (0, 9)


def test_a_folder_belongs_to_one_program_until_it_is_closed(folder: StateFolder) -> None:
    with place(folder), pytest.raises(StateFolderBusy, match=str(os.getpid())):
        in_folder(folder.path, "main", JournalSettings())
    with place(folder):
        pass


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError):
        in_folder(tmp_path / "file", "main", JournalSettings())
