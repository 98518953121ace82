"""`qehost check`: a line for each thing that a run needs, and what to do where one is wrong."""

from __future__ import annotations

import importlib.metadata
import json
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner
from limits import no_room

from qehost.cli import main
from qehost.host.dead_letters import DeadLetters
from qehost.journal import Journal
from qehost.simulator import Venue
from qehost.simulator.faults import parse
from qehost.state import StateFolder


class Checked(NamedTuple):
    code: int
    output: str
    found: dict[str, list[tuple[str, str]]]
    """By subject: state and text."""


@pytest.fixture(scope="module")
def venue() -> Iterator[Venue]:
    with Venue(port=0) as venue:
        yield venue


@pytest.fixture(autouse=True)
def only_this_tests_plugins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, venue: Venue
) -> Iterator[None]:
    path = list(sys.path)
    monkeypatch.setattr(importlib.metadata, "distributions", lambda: iter(()))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("QEHOST_API_KEY", venue.api_key)
    monkeypatch.setenv("QEHOST_API_SECRET", venue.api_secret)
    monkeypatch.setenv("QEHOST_ACCOUNTS__MAIN__WS_URL", venue.ws_url)
    monkeypatch.setenv("QEHOST_ACCOUNTS__MAIN__REST_URL", venue.rest_url)
    monkeypatch.setenv("QEHOST_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "sink.py").write_text("print('noise')\ndef on_fill(message): ...")
    yield
    sys.path[:] = path
    for name in ("sink", "broken", "idle"):
        sys.modules.pop(name, None)


def check(*arguments: str) -> Checked:
    result = CliRunner().invoke(main, ["check", "--json", *arguments])
    shown = json.loads(result.stdout)
    found: dict[str, list[tuple[str, str]]] = {}
    for each in shown["checks"]:
        found.setdefault(each["subject"], []).append((each["state"], each["text"]))
    assert shown["ok"] == (result.exit_code == 0)
    return Checked(result.exit_code, result.output, found)


def state_of(subject: str, *arguments: str) -> tuple[str, str]:
    """The state of this line, and its text and advice."""
    lines = CliRunner().invoke(main, ["check", *arguments]).stdout.splitlines()
    line = next(line for line in lines if line.split(maxsplit=1)[1].startswith(f"{subject}: "))
    state, text = line.split(maxsplit=1)
    return state, text.removeprefix(f"{subject}: ")


def test_where_a_run_would_work_every_line_is_good_and_nothing_is_written() -> None:
    checked = check("-p", "sink")
    assert checked.code == 0
    assert list(checked.found) == [
        "settings",
        "plugin sink",
        "state folder",
        "disk",
        "journal main",
        "REST main",
        "clock main",
        "credentials main",
        "stream main",
    ]
    assert {state for lines in checked.found.values() for state, _ in lines} == {"ok"}
    assert not Path("state").exists()


def test_a_line_for_each_when_piped() -> None:
    result = CliRunner().invoke(main, ["check", "-p", "sink"])
    assert result.exit_code == 0
    assert "ok       plugin sink: -p sink: 1 hook\n" in result.stdout
    assert "noise" not in result.stdout


def test_no_listen_key_is_made_unless_it_is_asked_for(venue: Venue) -> None:
    key = venue.new_listen_key()
    assert "HTTP 401 without a listen key" in state_of("stream main")[1]
    assert venue.accounts[0].listen_key == key
    state, text = state_of("stream main", "--listen-key-test")
    assert (state, text) == ("ok", "connected with a new listen key")
    assert venue.accounts[0].listen_key != key


@pytest.mark.parametrize("disk", ["with room", "full"])
def test_no_listen_key_is_made_while_a_run_uses_the_state_folder(disk: str) -> None:
    with no_room() if disk == "full" else nullcontext():
        lock = StateFolder("state").lock()
    try:
        state, text = state_of("stream main", "--listen-key-test")
        assert state == "skipped"
        assert text.startswith("a qehost runs" if disk == "full" else "process")
        assert "in use by the qehost with process id" in state_of("state folder")[1]
    finally:
        lock.release()


def test_every_mistake_in_the_settings_is_told_and_the_accounts_are_not_tried() -> None:
    Path("qehost.toml").write_text("[accounts.main]\nproxi = 3\n[log]\nlevel = 4\n")
    checked = check()
    assert checked.code == 1
    assert [state for state, _ in checked.found["settings"]] == ["failed", "failed"]
    assert checked.found["venue"][0][0] == "skipped"
    assert "REST main" not in checked.found


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
        ("failed", "-p broken: it ended the process while it was imported (exit code 0)")
    ]
    assert checked.found["plugin sink"][0][0] == "ok"


def test_without_any_plugin_somebody_should_know() -> None:
    state, text = state_of("plugins")
    assert state == "warning"
    assert "pip install" in text


def test_wrong_credentials_are_told_with_what_to_look_at_and_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("QEHOST_API_SECRET", "not-the-secret-at-all")
    checked = check()
    assert checked.code == 1
    assert checked.found["REST main"][0][0] == "ok"
    assert checked.found["credentials main"][0][0] == "failed"
    assert "check api_key, api_secret and rest_url" in checked.output
    assert "not-the-secret-at-all" not in checked.output


def test_without_credentials_the_way_to_the_venue_is_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("QEHOST_API_KEY")
    monkeypatch.delenv("QEHOST_API_SECRET")
    checked = check()
    assert checked.code == 1
    assert "no credentials" in checked.found["settings"][0][1]
    assert checked.found["credentials main"] == [("skipped", "there are none")]
    assert checked.found["REST main"][0][0] == checked.found["stream main"][0][0] == "ok"


def test_a_venue_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    checked = check("--ws-url", "ws://127.0.0.1:1", "--rest-url", "http://127.0.0.1:1")
    assert checked.code == 1
    assert checked.found["REST main"][0][0] == "failed"
    assert checked.found["stream main"][0][0] == "failed"
    assert "clock main" not in checked.found


def test_a_wrong_path_of_the_stream_is_told(venue: Venue) -> None:
    state, text = state_of("stream main", "--ws-url", f"{venue.ws_url}/elsewhere")
    assert state == "failed"
    assert "is ws_url right?" in text


def test_a_clock_that_is_off_is_told_and_no_failure() -> None:
    with Venue(port=0, faults=[parse("clock=+120s")]) as venue:
        arguments = ["--ws-url", venue.ws_url, "--rest-url", venue.rest_url]
        state, text = state_of("clock main", *arguments)
    assert state == "warning"
    assert "120.0 s" in text


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
