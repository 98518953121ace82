"""Where the settings' file and the state are, if nothing says so."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from qehost.cli import main
from qehost.config.folders import default_file


def test_without_a_named_file_the_folder_is_looked_at_then_the_users_own_then_the_systems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "platformdirs.user_config_path", lambda name, appauthor: tmp_path / "home" / name
    )
    monkeypatch.setattr("qehost.config.folders.SYSTEM_FOLDER", tmp_path / "etc")
    assert default_file() is None
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "qehost.toml").touch()
    assert default_file() == tmp_path / "etc" / "qehost.toml"
    (tmp_path / "home" / "qehost").mkdir(parents=True)
    users = tmp_path / "home" / "qehost" / "qehost.toml"
    users.touch()
    assert default_file() == users
    Path("qehost.toml").touch()
    assert default_file() == Path("qehost.toml")


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, which this user may not look into; nor may root, being nobody here."""
    folder = tmp_path / "locked"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "home"))
    folder.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield folder
    os.seteuid(user)
    folder.chmod(0o700)


@pytest.mark.usefixtures("locked")
def test_folders_that_may_not_be_looked_into_have_no_settings() -> None:
    assert default_file() is None


def test_who_has_no_home_folder_is_told_to_name_a_state_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a container with a user id that its system does not know."""

    def unknown(_: int) -> None:
        raise KeyError

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert default_file() is None
    result = CliRunner().invoke(main, ["status"])
    assert result.exit_code == 4
    assert "this user has no home folder" in result.stderr
    assert "QEHOST_STATE_DIR" in result.stderr
    assert os.listdir(tmp_path) == []
    result = CliRunner().invoke(main, ["status"], env={"QEHOST_STATE_DIR": str(tmp_path / "s")})
    assert f"nothing has run in {tmp_path}/s yet" in result.stderr
