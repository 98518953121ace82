"""After a power cut, what may have been delivered before is marked."""

from __future__ import annotations

from pathlib import Path

import pytest

from qehost.control import HostTask
from qehost.host.cursors import Marks
from qehost.journal import Journal
from qehost.logs import LogSettings
from qehost.messages import StatusEvent
from qehost.records import encode_events
from qehost.settings import HostSettings, JournalSettings
from qehost.state import StateFolder
from qehost.supervision import boot
from qehost.supervision.boot import started_anew
from qehost.supervision.placing import place_cursors


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the system says of its start."""
    file = tmp_path / "boot_id"
    file.write_text("first")
    monkeypatch.setattr(boot, "BOOT_ID", file)
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


def host_task(folder: StateFolder) -> HostTask:
    return HostTask(
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


def handed(folder: StateFolder) -> tuple[int | None, int]:
    marks = Marks.open(folder.marks("main"), [], [], ["main"])
    found = marks.cursor("main"), marks.handed("main")
    marks.close()
    return found


def test_behind_the_cursor_everything_counts_as_handed_over(tmp_path: Path, machine: Path) -> None:
    folder = StateFolder(tmp_path / "state")
    task = host_task(folder)
    place_cursors(folder, [task])
    assert handed(folder) == (0, 0)
    with Journal(folder.journal("main")) as journal:
        for seq in range(1, 10):
            event = StatusEvent(seq, "main", "", 0, "stream", False, "", "")
            journal.append(encode_events([event]), seq, seq, 0, 0)
    place_cursors(folder, [task])
    assert handed(folder) == (0, 0)
    machine.write_text("second")
    place_cursors(folder, [task])
    assert handed(folder) == (0, 9)


def test_where_the_cursor_was_damaged_everything_there_is_counts_as_handed_over(
    tmp_path: Path,
) -> None:
    folder = StateFolder(tmp_path / "state")
    task = host_task(folder)
    place_cursors(folder, [task])
    with Journal(folder.journal("main")) as journal:
        event = StatusEvent(1, "main", "", 0, "stream", False, "", "")
        journal.append(encode_events([event]), 1, 1, 0, 0)
    folder.marks("main").write_bytes(b"rubbish")
    place_cursors(folder, [task])
    assert handed(folder) == (0, 1)
