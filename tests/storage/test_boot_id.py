"""After a power cut, what may have been delivered before is marked."""

from __future__ import annotations

from pathlib import Path

import pytest

from qehost.config.settings import HostSettings, JournalSettings
from qehost.events.codec import encode_events
from qehost.messages import StatusEvent
from qehost.processes.control import HostTask
from qehost.processes.logs import LogSettings
from qehost.storage import boot_id
from qehost.storage.boot_id import started_anew
from qehost.storage.cursors import Cursors
from qehost.storage.journal import Journal
from qehost.storage.state_folder import StateFolder
from qehost.supervisor.children import HostChild
from qehost.supervisor.initial_cursors import place_cursors


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the system says of its start."""
    file = tmp_path / "boot_id"
    file.write_text("first")
    monkeypatch.setattr(boot_id, "BOOT_ID", file)
    return file


def test_a_start_of_the_machine_is_told_once(tmp_path: Path, machine: Path) -> None:
    note = tmp_path / "boot"
    assert [started_anew(note) for _ in range(2)] == [False, False]
    machine.write_text("second")
    assert [started_anew(note) for _ in range(2)] == [True, False]
    assert note.stat().st_mode & 0o777 == 0o600


def test_a_system_that_does_not_tell_is_never_started_anew(tmp_path: Path, machine: Path) -> None:
    machine.unlink()
    assert not started_anew(tmp_path / "boot")


def placed(folder: StateFolder) -> tuple[int | None, int]:
    """Cursor and last event in flight after a start."""
    task = HostTask(
        name="main",
        accounts=["main"],
        specs=[],
        plugins={},
        host=HostSettings(),
        journal=JournalSettings(),
        state_dir=str(folder.path),
        strict=False,
        log=LogSettings(),
    )
    place_cursors(folder, [HostChild(task)])
    cursors = Cursors.open(folder.progress_file("main"), [], ["main"])
    found = cursors.cursor("main"), cursors.in_flight("main")
    cursors.close()
    return found


def test_behind_the_cursor_everything_counts_as_in_flight(tmp_path: Path, machine: Path) -> None:
    folder = StateFolder(tmp_path / "state")
    assert placed(folder) == (0, 0)
    with Journal(folder.journal("main")) as journal:
        for seq in range(1, 10):
            event = StatusEvent(seq, "main", "", 0, "stream", False, "", "")
            journal.append(encode_events([event]), seq, seq, 0, 0)
    assert placed(folder) == (0, 0)
    machine.write_text("second")
    assert placed(folder) == (0, 9)


def test_where_the_cursor_was_damaged_everything_there_is_counts_as_in_flight(
    tmp_path: Path,
) -> None:
    folder = StateFolder(tmp_path / "state")
    placed(folder)
    with Journal(folder.journal("main")) as journal:
        event = StatusEvent(1, "main", "", 0, "stream", False, "", "")
        journal.append(encode_events([event]), 1, 1, 0, 0)
    folder.progress_file("main").write_bytes(b"rubbish")
    assert placed(folder) == (0, 1)
