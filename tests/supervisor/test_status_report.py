"""The status goes on being written, whatever the state folder does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qehost.storage.dead_letters import DeadLetters
from qehost.storage.state_folder import StateFolder
from qehost.storage.status import read_status
from qehost.supervisor.service_manager import ServiceManager
from qehost.supervisor.status_report import StatusReporter


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    folder = StateFolder(tmp_path)
    with DeadLetters(folder.dead_letters_file) as letters:
        letters.add(
            account="main", plugin="audit", process="main", seq=1, hook="on_fill",
            cause="raised", detail="", event=b"",
        )  # fmt: skip
    return folder


def stat_that_refuses(refused: Path, error: type[OSError]) -> object:
    real = Path.stat

    def stat(path: Path, **options: bool) -> os.stat_result:
        if path == refused:
            raise error(13, "no", str(path))
        return real(path, **options)

    return stat


@pytest.mark.parametrize("error", [PermissionError, FileNotFoundError])
@pytest.mark.parametrize("suffix", ["", "-wal"])
def test_dead_letters_that_can_not_be_looked_at_or_vanish_meanwhile_end_nothing(
    folder: StateFolder, error: type[OSError], suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite removes its companions at any time; an operator takes the rights away."""
    letters = folder.dead_letters_file
    refused = letters.with_name(letters.name + suffix)
    reporter = StatusReporter(folder, [], [], ServiceManager({}))
    with monkeypatch.context() as patched:
        # For `exists` it is there: what happens to it, happens between the two.
        patched.setattr(Path, "exists", lambda _: True)
        patched.setattr(Path, "stat", stat_that_refuses(refused, error))
        reporter.write({})
    reporter.write({})
    assert read_status(folder.status_file) is not None
    reporter.close()
