"""What a plugin's own command works with; how it is found is in test_plugin_commands.py."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click
import msgspec
import pytest
from click.testing import CliRunner, Result

import qehost

SINK = """
import msgspec

class Config(msgspec.Struct):
    limit: int = 3

def on_fill(message): ...
"""


@click.command()
@click.argument("word")
@qehost.plugin_command("sink")
def command(context: qehost.Context, word: str) -> None:
    context.stop("nobody runs")
    context.problem("nobody", "looks")
    api = context.api("main")
    click.echo(f"{word} {context.plugin} {context.config.limit} {context.accounts} {api}")
    click.echo(context.state_dir)
    status = context.status()
    click.echo(f"status of {status and status.pid}")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("QEHOST_API_KEY", "key-of-mine")
    monkeypatch.setenv("QEHOST_API_SECRET", "secret-of-mine")
    monkeypatch.delitem(sys.modules, "own_sink", raising=False)
    (tmp_path / "own_sink.py").write_text(SINK)
    return tmp_path


def run(*arguments: str, settings: str = "limit = 4") -> Result:
    text = f'[plugins.sink]\nmodule = "own_sink.py"\n{settings}\n'
    Path("other.toml").write_text(text)
    return CliRunner().invoke(command, ["-c", "other.toml", *arguments])


def test_it_has_the_settings_the_accounts_and_the_plugins_own_folder(here: Path) -> None:
    done = run("--state-dir", "state", "hello")
    assert done.exit_code == 0, done.output
    told, folder, status = done.stdout.splitlines()
    assert told.startswith("hello sink 4 ('main',) API(")
    assert Path(folder) == here / "state" / "plugins" / "sink"
    assert status == "status of None"


def test_it_has_the_status_of_the_last_run(here: Path) -> None:
    (here / "state").mkdir()
    ended = qehost.Status("1", 77, 0.0, 0.0, "stopped", connections=[], hosts=[])
    (here / "state" / "status.json").write_bytes(msgspec.json.encode(ended))
    done = run("--state-dir", "state", "hello")
    assert done.stdout.splitlines()[-1] == "status of 77"


def test_credentials_that_only_the_service_can_read_are_not_needed(here: Path) -> None:
    accounts = '[accounts.main]\napi_key = { file = "gone" }\napi_secret = { file = "gone" }'
    done = run("--state-dir", "state", "hello", settings=f"limit = 4\n{accounts}")
    assert done.exit_code == 0, done.output
    assert "hello sink 4" in done.stdout


def test_mistakes_in_the_settings_end_it_with_4(here: Path) -> None:
    done = run("hello", settings="limmit = 4")
    assert (done.exit_code, "did you mean limit?" in done.output) == (4, True)


def test_without_the_plugin_it_is_told(here: Path) -> None:
    Path("empty.toml").write_text("")
    done = CliRunner().invoke(command, ["-c", "empty.toml", "hello"])
    assert done.exit_code == 2
    assert "no plugin of this name is installed" in done.output


@click.command()
@click.argument("word")
@qehost.plugin_folder("Large.Fills")
def switch(folder: Path, word: str) -> None:
    click.echo(f"{word} {folder}")


@pytest.mark.parametrize(
    "mistake",
    [
        '[plugins.other]\ntoken = { env = "NOT_SET" }',
        '[accounts.main]\napi_key = { file = "/nonexistent" }\n[acounts.main]',
        "[host]\nhang_timeout = -1",
    ],
)
def test_a_command_that_needs_the_folder_alone_works_whatever_else_is_wrong(
    here: Path, mistake: str
) -> None:
    Path("wrong.toml").write_text(f'state_dir = "kept"\n{mistake}\n')
    done = CliRunner().invoke(switch, ["-c", "wrong.toml", "off"])
    assert (done.exit_code, done.output) == (0, f"off {here}/kept/plugins/large-fills\n")
    assert not (here / "kept").exists()


def test_a_state_folder_that_can_not_be_known_is_refused(here: Path) -> None:
    Path("wrong.toml").write_text('statedir = "kept"\n')
    done = CliRunner().invoke(switch, ["-c", "wrong.toml", "off"])
    assert (done.exit_code, "did you mean state_dir?" in done.output) == (4, True)


@click.command()
@click.option("--since", type=qehost.TIME)
def timed(since: int) -> None:
    click.echo(since)


def test_times_are_taken_as_by_qehosts_own_commands() -> None:
    done = CliRunner().invoke(timed, ["--since", "2026-11-25T09:30:00.5+00:00"])
    assert int(done.output) == 1_795_599_000_500_000_000
    before = time.time_ns()
    ago = int(CliRunner().invoke(timed, ["--since", "15m"]).output)
    assert before <= ago + 900 * 10**9 <= time.time_ns()
    refused = CliRunner().invoke(timed, ["--since", "soon"])
    assert refused.exit_code == 2
    assert "'soon' is no time" in refused.output
