"""Commands beside `qehost run --simulate` find its state."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from running_status import write

from qehost.cli import main
from qehost.cli.simulated_state import announced
from qehost.storage.folder_lock import FolderLock


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder for state."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    monkeypatch.setattr("qehost.config.folders.SYSTEM_FOLDER", tmp_path / "none")
    monkeypatch.setattr(
        "qehost.config.folders.platformdirs.user_state_path",
        lambda name, **_: tmp_path / "home" / name,
    )
    monkeypatch.delenv("QEHOST_STATE_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def simulated(tmp_path: Path) -> Path:
    """A state folder with a status; nobody holds it yet."""
    folder = tmp_path / "simulated"
    folder.mkdir()
    write(folder)
    return folder


def test_the_state_of_a_simulated_run_is_found_while_it_runs(home: Path, simulated: Path) -> None:
    lock = FolderLock(simulated)
    assert lock.acquire()
    with announced(str(simulated)):
        found = CliRunner().invoke(main, ["status", "--json"])
        assert found.exit_code == 0
        assert found.stderr == (
            f"qehost: run --simulate has its state in {simulated} (--state-dir)\n"
        )
        lock.release()
        # What was killed has left its name behind.
        assert "nothing has run in" in CliRunner().invoke(main, ["status"]).output
    assert list(home.iterdir()) == []


def test_a_folder_that_was_used_or_is_named_comes_before_it(home: Path, simulated: Path) -> None:
    lock = FolderLock(simulated)
    assert lock.acquire()
    with announced(str(simulated)):
        named = CliRunner().invoke(main, ["status", "--state-dir", "elsewhere"])
        assert str(simulated) not in named.output
        (home / "qehost").mkdir()
        own = CliRunner().invoke(main, ["status"])
        assert f"this is {home / 'qehost'}; run --simulate has its state in {simulated}" in (
            own.stderr
        )
        assert f"nothing has run in {home / 'qehost'} yet" in own.output
    lock.release()


def test_two_at_a_time_do_not_take_each_others_name_away(home: Path, simulated: Path) -> None:
    with announced(str(simulated)):
        with announced("/another"):
            pass
        assert list(home.iterdir()) == []
    with announced("/first"):
        second = announced(str(simulated))
        second.__enter__()
    assert (home / "qehost-simulated").read_text() == f"{simulated}\n"
    second.__exit__(None, None, None)
