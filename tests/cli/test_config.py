"""`qehost config create`, `check` and `show`."""

from __future__ import annotations

import importlib.metadata
import json
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from qehost.cli import main

Run = Callable[..., Result]

SINK = """
from typing import Annotated
import msgspec
from msgspec import Meta
from qehost.secret import Secret

print("noise at import")

class Config(msgspec.Struct):
    table: Annotated[str, Meta(description="Where to write.")] = "fills"
    token: Secret | None = None
    password: str = "letmein-please"
    limits: dict[str, int] = msgspec.field(default_factory=dict)

def on_fill(message): ...
"""


@pytest.fixture(autouse=True)
def only_this_tests_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    path = list(sys.path)
    monkeypatch.setattr(importlib.metadata, "distributions", lambda: iter(()))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("QEHOST_API_KEY", "key-of-mine")
    monkeypatch.setenv("QEHOST_API_SECRET", "secret-of-mine")
    (tmp_path / "sink.py").write_text(SINK, encoding="utf-8")
    yield
    sys.path[:] = path
    for name in ("sink", "broken"):
        sys.modules.pop(name, None)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["config", *arguments])


def settings(text: str) -> None:
    Path("qehost.toml").write_text(text, encoding="utf-8")


# --- create ----------------------------------------------------------------------------------


def test_the_file_alone_goes_to_standard_output_with_a_section_for_each_plugin() -> None:
    result = run("create", "-p", "sink")
    assert result.exit_code == 0
    assert "noise" not in result.stdout
    assert "[plugins.sink]" in result.stdout
    assert '## Where to write.\n# table = "fills"\n' in result.stdout


def test_a_file_is_written_for_the_user_alone_and_checks_as_it_is() -> None:
    assert run("create", "-p", "sink", "-o", "qehost.toml").exit_code == 0
    assert stat.S_IMODE(Path("qehost.toml").stat().st_mode) == 0o600
    result = run("check", "-p", "sink")
    assert (result.exit_code, result.stdout) == (
        0,
        f"OK: {Path('qehost.toml').absolute()} (1 account, 1 plugin)\n",
    )


def test_a_file_that_exists_is_left_alone() -> None:
    settings("# mine\n")
    result = run("create", "-o", "qehost.toml")
    assert result.exit_code == 3
    assert "qehost.toml exists already and was left as it is" in result.stderr
    assert Path("qehost.toml").read_text(encoding="utf-8") == "# mine\n"


def test_a_plugin_that_can_not_be_imported_has_its_section_and_the_reason() -> None:
    Path("broken.py").write_text("raise SystemExit(9)", encoding="utf-8")
    result = run("create", "-p", "broken")
    assert result.exit_code == 0
    assert "[plugins.broken]" in result.stdout
    assert "not known: broken can't be imported: SystemExit: 9" in result.stdout


# --- check -----------------------------------------------------------------------------------


def test_every_mistake_is_told_at_once_with_its_place_and_the_exit_code_is_4() -> None:
    settings(
        "\n".join(
            [
                "[accounts.main]",
                'ca_file = "nowhere.pem"',
                "[conection]",
                "ping_interval = 3",
                "[plugins.sink]",
                'tabel = "x"',
                'token = { env = "NOT_SET" }',
                'limits.a = "many"',
                "process = 'a b'",
                "[plugins.snik]",
            ]
        )
    )
    result = run("check", "-p", "sink")
    assert result.exit_code == 4
    assert sorted(result.stderr.removeprefix("noise at import\n").splitlines()) == [
        f"qehost: qehost.toml{line}"
        for line in (
            (
                ":10: plugins.snik: no plugin of this name is installed or given with -p "
                "(did you mean sink?)"
            ),
            f":2: accounts.main.ca_file {Path.cwd()}/nowhere.pem: no such file or directory",
            ":4: conection.ping_interval: unknown setting (did you mean connection?)",
            ":6: plugins.sink.tabel: unknown setting (did you mean table?)",
            ":7: plugins.sink.token: the environment variable NOT_SET is not set",
            ":8: plugins.sink.limits[...]: expected `int`, got `str`",
            (
                ":9: plugins.sink.process: expected a name of 1 to 32 letters, digits, - and _, "
                'got "a b"'
            ),
        )
    ]


def test_missing_credentials_are_a_mistake_as_they_are_for_a_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("QEHOST_API_KEY")
    monkeypatch.delenv("QEHOST_API_SECRET")
    result = run("check")
    assert result.exit_code == 4
    assert "set QEHOST_API_KEY and QEHOST_API_SECRET in the environment" in result.stderr


def test_a_setting_that_can_not_be_checked_is_told_and_no_mistake() -> None:
    Path("broken.py").write_text("import nowhere", encoding="utf-8")
    settings("[plugins.broken]\nx = 3\n")
    result = run("check", "-p", "broken")
    assert result.exit_code == 0
    assert "warning: the settings of plugin broken were not checked" in result.stderr


def test_secrets_that_stand_in_the_file_are_warned_about(
    capfd: pytest.CaptureFixture[str],
) -> None:
    settings(
        '[accounts.main]\nproxy = "http://me:hunter2@host:1"\n[plugins.sink]\ntoken = "letmein"\n'
    )
    result = run("check", "-p", "sink")
    assert result.exit_code == 0
    assert "qehost.toml:2: accounts.main.proxy: stands in the file as it is" in result.stderr
    # A plugin's settings are read in a process of their own.
    told = capfd.readouterr().err
    assert "qehost.toml:4: plugins.sink.token: stands in the file as it is" in told
    assert "hunter2" not in result.output
    assert "letmein" not in result.output + told


# --- which file ------------------------------------------------------------------------------


def test_the_file_is_named_or_in_the_environment_or_in_the_folder_or_the_users_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def used() -> str:
        return run("check").stdout.split(" (")[0].removeprefix("OK: ")

    assert used() == "no file, the environment and the defaults"
    users = Path("home/qehost/qehost.toml")
    users.parent.mkdir(parents=True)
    users.touch()
    assert used() == str(users.absolute())
    settings("")
    assert used() == str(Path("qehost.toml").absolute())
    Path("other.toml").touch()
    monkeypatch.setenv("QEHOST_CONFIG", "other.toml")
    assert used() == str(Path("other.toml").absolute())
    Path("named.toml").touch()
    assert run("check", "-c", "named.toml").stdout.startswith(f"OK: {Path.cwd()}/named.toml")


@pytest.mark.parametrize("by_variable", [False, True])
def test_a_named_file_that_is_not_there_is_wrong_usage(
    by_variable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if by_variable:
        monkeypatch.setenv("QEHOST_CONFIG", "nowhere.toml")
    result = run("check", *([] if by_variable else ["-c", "nowhere.toml"]))
    assert result.exit_code == 2
    assert "nowhere.toml" in result.stderr


# --- show ------------------------------------------------------------------------------------


def test_each_value_is_shown_with_where_it_came_from_and_no_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings(
        "[accounts.main]\n"
        'proxy = "http://me:hunter2@host:1"\n'
        "[connection]\nping_interval = 3\n"
        '[plugins.sink]\ntoken = "letmein-too"\ntable = "pg://me:hunter2@db/x"\n'
    )
    monkeypatch.setenv("QEHOST_LOG__LEVEL", "debug")
    result = run("show", "-p", "sink")
    assert result.exit_code == 0
    rows = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines()}
    assert rows["accounts.main.api_key"] == ['"••••"', "$QEHOST_API_KEY"]
    assert rows["accounts.main.proxy"] == ['"http://••••@host:1"', "qehost.toml:2"]
    assert rows["connection.ping_interval"] == ["3.0", "qehost.toml:4"]
    assert rows["connection.pong_timeout"] == ["10.0", "default"]
    assert rows["log.level"] == ['"debug"', "$QEHOST_LOG__LEVEL"]
    assert rows["plugins.sink.token"] == ['"••••"', "qehost.toml:6"]
    assert rows["plugins.sink.table"] == ['"pg://••••@db/x"', "qehost.toml:7"]
    assert rows["plugins.sink.password"] == ['"••••"', "default"]
    for secret in ("hunter2", "letmein", "key-of-mine", "secret-of-mine"):
        assert secret not in result.output


def test_json_holds_the_same_and_the_mistakes_and_nothing_else() -> None:
    settings('[connection]\npong_timeout = "soon"\n')
    result = run("show", "-p", "sink", "--json")
    assert result.exit_code == 4
    shown = json.loads(result.stdout)
    assert shown["file"] == str(Path("qehost.toml").absolute())
    assert shown["mistakes"] == [
        'qehost.toml:2: connection.pong_timeout: expected a number > 0 and ≤ 86,400, got "soon"'
    ]
    rows = {row["setting"]: (row["value"], row["from"]) for row in shown["settings"]}
    assert rows["connection.pong_timeout"] == (10.0, "qehost.toml:2")
    assert rows["plugins.sink.limits"] == ({}, "default")


def test_what_is_wrong_is_told_beside_what_holds() -> None:
    settings("[connection]\nping_intervall = 3\n")
    result = run("show")
    assert result.exit_code == 4
    assert "connection.ping_interval" in result.stdout
    assert "(did you mean ping_interval?)" in result.stderr


@pytest.mark.parametrize("command", ["create", "check", "show"])
def test_a_plugin_that_ends_its_process_when_imported_ends_no_command(command: str) -> None:
    Path("broken.py").write_text("import os\nos._exit(0)", encoding="utf-8")
    result = run(command, "-p", "broken", "-p", "sink")
    assert result.exit_code == 0
    output = " ".join(result.output.replace("## ", "").split())
    assert "it ended the process while it was imported (exit code 0)" in output
    assert "sink" in output or command == "check"


# --- a plugin that is not installed ---------------------------------------------------------


def test_a_plugin_of_which_the_settings_name_the_file_is_checked(tmp_path: Path) -> None:
    (tmp_path / "sink.py").rename(tmp_path / "my-sink.py")
    settings('[plugins.mine]\nmodule = "my-sink.py"\ntable = 3\n')
    result = run("check")
    assert result.exit_code == 4
    assert "qehost.toml:3: plugins.mine.table: expected a text, got 3" in result.stderr
    settings('[plugins.mine]\nmodule = "my-sink.py"\ntable = "x"\n')
    assert "1 plugin)" in run("check").stdout
    shown = json.loads(run("show", "--json").stdout)["settings"]
    values = {row["setting"]: row["value"] for row in shown}
    assert values["plugins.mine.module"] == f"{tmp_path}/my-sink.py"


def test_the_section_of_a_file_that_was_given_names_it() -> None:
    assert '\n# module = "./sink.py"\n' in run("create", "-p", "./sink.py").stdout
