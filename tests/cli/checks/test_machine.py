"""What is looked at on this machine: plugins, state folder, disk, journals, dead letters."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from checking import check, state_of

from qehost.storage.dead_letters import DeadLetters
from qehost.storage.journal import Journal
from qehost.storage.state_folder import StateFolder

pytestmark = pytest.mark.usefixtures("ready_to_run")


def test_a_plugin_that_can_not_be_used_is_told_and_the_others_are_good() -> None:
    Path("broken.py").write_text("import nowhere")
    Path("idle.py").touch()
    Path("qehost.toml").write_text("[plugins.sink]\nx = 3\n")
    checked = check("-p", "broken", "-p", "idle", "-p", "sink")
    assert checked.code == 1
    assert checked.found["plugin broken"][0][0] == "failed"
    assert "No module named 'nowhere'" in checked.found["plugin broken"][0][1]
    assert checked.found["plugin idle"][0][0] == "warning"
    assert checked.found["plugin sink"] == [("failed", "its settings are wrong: see above")]
    assert checked.found["settings"] == [
        ("failed", "qehost.toml:2: plugins.sink.x: the plugin takes no settings of its own")
    ]


def test_a_plugin_that_ends_its_process_when_imported_is_a_line_as_any_other() -> None:
    Path("broken.py").write_text("import os\nos._exit(0)")
    checked = check("-p", "broken", "-p", "sink")
    assert checked.code == 1
    assert checked.found["plugin broken"] == [
        ("failed", "broken: it ended the process while it was imported (exit code 0)")
    ]
    assert checked.found["plugin sink"][0][0] == "ok"


def test_without_any_plugin_somebody_should_know() -> None:
    state, text = state_of("plugins")
    assert state == "warning"
    assert "pip install" in text


def test_a_state_folder_that_others_may_read_is_told() -> None:
    Path("state").mkdir(mode=0o755)
    Path("state").chmod(0o755)
    lines = check().found["state folder"]
    assert lines[0][0] == "ok"
    assert lines[1] == ("warning", "others on this machine may look into it (mode 0755)")


def test_a_state_folder_that_is_a_file_is_told() -> None:
    Path("state").touch()
    assert check().found["state folder"][0][0] == "failed"


@pytest.mark.parametrize(("free", "state"), [(50, "failed"), (500, "warning"), (5000, "ok")])
def test_a_disk_that_runs_full_is_told(
    free: int, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage(NamedTuple):
        free: int

    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(free * 2**20))
    assert check().found["disk"][0][0] == state


def test_a_journal_is_read_and_a_damaged_one_is_told() -> None:
    folder = StateFolder("state").journal("main")
    with Journal(folder) as journal:
        journal.append(b"not looked into", 1, 7, 1, 2)
    assert check().found["journal main"][0][1].startswith("events up to 7, ")
    for file in folder.glob("*.events"):
        file.write_bytes(b"nonsense" * 1000)
    state, text = state_of("journal main")
    assert state == "failed"
    assert "can't be read" in text


def test_dead_letters_are_told_with_the_command_that_shows_them() -> None:
    with DeadLetters(StateFolder("state").dead_letters_file) as letters:
        letters.add(
            account="main", plugin="sink", process="main", seq=1, hook="on_fill",
            cause="raised", detail="", event=b"",
        )  # fmt: skip
    assert state_of("dead letters") == (
        "warning",
        "plugin sink could not take 1 → qehost journal dead-letters --plugin sink",
    )
