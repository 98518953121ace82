"""The tasks of the processes, from the settings; and what a reload takes of new ones."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from qehost import config
from qehost.cli.tasks import RunOptions, SettingsReloader, connection_tasks, host_tasks
from qehost.config.settings import Settings
from qehost.errors import ConfigError, Error
from qehost.processes.logs import LogSettings

ACCOUNTS = "".join(
    f'[accounts.{name}]\napi_key = "the-key-of-{name}"\napi_secret = "the-secret-of-{name}"\n'
    for name in ("a", "b")
)
SPECS = ("one_plugin", "other_plugin")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The settings of two accounts, with two plugins that can be imported."""
    for name in SPECS:
        (tmp_path / f"{name}.py").write_text("def on_fill(message): ...")
    monkeypatch.syspath_prepend(str(tmp_path))
    file = tmp_path / "qehost.toml"
    file.write_text(ACCOUNTS)
    yield file
    for name in SPECS:
        sys.modules.pop(name, None)


def loaded(file: Path) -> Settings:
    return config.load(file, {}).settings


def reloader(file: Path) -> SettingsReloader:
    return SettingsReloader(file, {}, RunOptions(SPECS), loaded(file), LogSettings())


def test_there_is_a_connection_process_for_each_account(file: Path) -> None:
    tasks = connection_tasks(loaded(file), LogSettings())
    assert [task.account for task in tasks] == ["a", "b"]
    assert [task.settings for task in tasks] == list(loaded(file).accounts.values())


def test_there_is_a_host_process_for_each_that_plugins_name_and_always_the_common_one(
    file: Path,
) -> None:
    def processes() -> dict[str, list[str]]:
        settings = loaded(file)
        tasks = host_tasks(settings, RunOptions(SPECS), LogSettings())
        return {task.name: sorted(task.wanted) for task in tasks}

    assert processes() == {"main": ["one_plugin", "other_plugin"]}
    file.write_text(f'{ACCOUNTS}[plugins.one_plugin]\nprocess = "own"\n')
    assert processes() == {"main": ["other_plugin"], "own": ["one_plugin"]}
    own = 'process = "own"'
    file.write_text(f"{ACCOUNTS}[plugins.one_plugin]\n{own}\n[plugins.other_plugin]\n{own}\n")
    assert processes() == {"main": [], "own": ["one_plugin", "other_plugin"]}


def test_a_reload_takes_plugins_and_their_times_and_names_the_rest(file: Path) -> None:
    reread = reloader(file)
    assert reread().needs_restart == []
    file.write_text(
        f"{ACCOUNTS}[plugins.one_plugin]\norder = 3\n[host]\nhang_timeout = 5\n"
        "drain_timeout = 4\n[connection]\nping_interval = 7\n"
    )
    found = reread()
    assert sorted(found.needs_restart) == ["connection.ping_interval", "host.drain_timeout"]
    (task,) = found.hosts
    assert task.plugins["one_plugin"].order == 3
    assert (task.host.hang_timeout, task.host.drain_timeout) == (5, 10)


def test_settings_that_are_wrong_are_an_error_and_change_nothing(file: Path) -> None:
    reread = reloader(file)
    file.write_text(f"{ACCOUNTS}[host]\nhang_timeout = -1\n")
    with pytest.raises(ConfigError):
        reread()
    file.write_text(ACCOUNTS)
    assert reread().needs_restart == []


def test_another_version_of_qehost_needs_a_restart(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reread = reloader(file)
    monkeypatch.setattr("qehost.cli.tasks.version", lambda _: "99.0")
    with pytest.raises(Error, match=r"qehost 99\.0 is installed.* needs a restart"):
        reread()


def test_what_is_watched_are_the_packages_and_the_files_beside_a_file(file: Path) -> None:
    def sources(watch: bool) -> list[str] | None:
        (task,) = host_tasks(loaded(file), RunOptions(SPECS, watch=watch), LogSettings())
        return task.sources

    assert sources(False) is None
    found = sources(True)
    assert found is not None
    folder = file.parent
    assert {str(folder / f"{name}.py") for name in SPECS} <= set(found)
    (folder / "package").mkdir()
    (folder / "package" / "__init__.py").write_text("")
    (task,) = host_tasks(loaded(file), RunOptions(("package",), watch=True), LogSettings())
    assert task.sources == [str(folder / "package")]
