"""`qehost status`: what it says, and its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from qehost.cli import main
from qehost.cli.status_screen import duration
from qehost.state import StateFolder
from qehost.status import (
    CallStatus,
    ConnectionState,
    CursorState,
    HostState,
    PluginState,
    Status,
    write_status,
)


def write(folder: Path, *, pid: int = 0, age: float = 0.0, ended: str = "") -> None:
    now = time.time() - age
    connection = ConnectionState(
        account="main",
        pid=11,
        state="connected",
        since=now - 600,
        restarts=0,
        reconnects=3,
        last_message=now - 1,
        last_pong=0.0,
        last_seq=1_234,
        protected=False,
        journal_bytes=5 << 20,
    )
    host = HostState(
        name="main",
        pid=12,
        ready=True,
        restarts=1,
        cursors=[CursorState("main", 1_000, 234, 61.0)],
        call=CallStatus("sluggish", "on_order", "main", 1_001, 12.0),
        plugins=[PluginState("sluggish", True, 10, 1, 1.0, 8e-6, 0.2, 2.0, 7)],
    )
    write_status(
        StateFolder(folder).status_file,
        Status("0.1", pid or os.getpid(), now - 3_700, now, ended, [connection], [host]),
    )


def status(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["status", "--state-dir", str(folder), *options])


def test_it_tells_what_runs_how_far_it_has_come_and_what_it_is_at(tmp_path: Path) -> None:
    write(tmp_path)
    result = status(tmp_path)
    assert result.exit_code == 0
    for text in (
        "running for 1 h 1 m",
        "connected 10 m",
        "UNPROTECTED",
        "234 events, 1 m 1 s",
        "main has been in on_order of plugin sluggish with event 1,001 of account main for 12 s",
        "8.0 µs",
        "2.00 s",
    ):
        assert text in result.output


def test_json_has_it_all_with_its_age(tmp_path: Path) -> None:
    write(tmp_path)
    found = json.loads(status(tmp_path, "--json").output)
    assert found["running"] is True
    assert found["age"] < 5
    assert found["connections"][0]["reconnects"] == 3
    assert found["hosts"][0]["call"]["took"] == 12.0
    assert found["hosts"][0]["plugins"][0]["dead_letters"] == 7


def gone() -> int:
    """The id of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({"age": 34.0}, "is stuck"),
        ({"ended": "stopped by SIGTERM"}, "not running: stopped by SIGTERM"),
        ({"pid": "gone"}, "did not end in an orderly way"),
    ],
)
def test_what_does_not_run_is_told_and_is_exit_code_1(
    tmp_path: Path, facts: dict[str, object], text: str
) -> None:
    if facts.get("pid"):
        facts = {"pid": gone()}
    write(tmp_path, **facts)  # type: ignore[arg-type]
    result = status(tmp_path)
    assert result.exit_code == 1
    assert text in result.output
    assert text in json.loads(status(tmp_path, "--json").output)["trouble"]


def test_where_nothing_ever_ran_that_is_told(tmp_path: Path) -> None:
    result = status(tmp_path)
    assert result.exit_code == 1
    assert f"nothing has run in {tmp_path}" in result.output.replace("\n", "")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.9, "59 s"), (60, "1 m"), (3_661, "1 h 1 m"), (90_000, "1 d 1 h")],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def told(tmp_path: Path, settings: str) -> Result:
    """With the settings' file alone to say where the state folder is."""
    (tmp_path / "state").mkdir()
    write(tmp_path / "state")
    file = tmp_path / "qehost.toml"
    file.write_text(settings, encoding="utf-8")
    return CliRunner().invoke(main, ["status", "--json", "-c", str(file)])


@pytest.mark.parametrize(
    "mistake",
    [
        '[accounts.main]\napi_key = { file = "/not/readable/here" }',
        "[accounts.main]\nws_url = 3\nnot_done_yet = 1",
        "[connection]\nping_interval = -1",
        "[plugins.sink]\nenabled = 3",
    ],
)
def test_what_is_wrong_with_other_settings_does_not_hide_the_status(
    tmp_path: Path, mistake: str
) -> None:
    result = told(tmp_path, f'state_dir = "state"\n{mistake}\n')
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    "settings",
    [
        "state_dir = 3",
        'state_dri = "state"',
        '[accounts.main]\nstate_dir = "state"',
        'state_dir = "state',
    ],
)
def test_what_would_lead_to_another_folder_is_refused(tmp_path: Path, settings: str) -> None:
    assert told(tmp_path, settings).exit_code == 4


def test_a_folder_of_nobodys_is_a_mistake_of_the_option(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["status", "--state-dir", "~no-such-user/x"])
    assert result.exit_code == 4
    assert result.stderr == (
        "qehost: --state-dir: state_dir: nobody's home folder is ~no-such-user\n"
    )
