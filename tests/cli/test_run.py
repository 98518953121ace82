"""`qehost run`: where its settings come from, and what it logs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from running import QEHOST, QUICK, Run

from qehost.simulator import Venue


@pytest.fixture
def venue() -> Iterator[Venue]:
    with Venue() as venue:
        yield venue


@pytest.mark.parametrize("by_option", [True, False])
def test_every_line_of_the_log_can_be_an_object(
    tmp_path: Path, venue: Venue, by_option: bool
) -> None:
    options = ["--log-format", "json", "--log-level", "debug"] if by_option else []
    config = "" if by_option else '[log]\nformat = "json"\nlevel = "debug"\n'
    broken = {"broken": "raise SystemExit('not today')"}
    with Run(tmp_path, *options, venue=venue, settings=QUICK, config=config, plugins=broken) as run:
        run.wait_for(lambda: run.records("on_connected"))
        assert run.stop() == 0
    lines = [json.loads(line) for line in run.log]
    assert {line["process"] for line in lines} == {"supervisor", "connection main", "host main"}
    assert {"debug", "info", "error"} <= {line["level"] for line in lines}
    assert any("not today" in line.get("traceback", "") for line in lines)


@pytest.mark.parametrize("by_option", [True, False])
def test_why_it_can_not_start_is_an_object_too(tmp_path: Path, by_option: bool) -> None:
    (tmp_path / "qehost.toml").write_text(
        f'log.format = "{"text" if by_option else "json"}"\n[connection]\nping_interval = -1\n'
    )
    done = subprocess.run(
        [*QEHOST, "run", *(["--log-format", "json"] if by_option else [])],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
        check=False,
    )
    assert done.returncode == 4
    entries = [json.loads(line) for line in done.stderr.splitlines()]
    assert [entry["level"] for entry in entries] == ["critical"]
    assert "qehost.toml:3: connection.ping_interval: " in entries[0]["message"]


def test_the_log_says_which_file_the_settings_are_from_and_warns_of_secrets_in_it(
    tmp_path: Path, venue: Venue
) -> None:
    config = (
        "[accounts.main]\n"
        f'api_key = "{venue.api_key}"\napi_secret = "{venue.api_secret}"\n'
        f'ws_url = "{venue.ws_url}"\nrest_url = "{venue.rest_url}"\n'
    )
    with Run(tmp_path, settings=QUICK, config=config) as run:
        run.wait_for(lambda: run.records("on_connected"))
        assert run.stop() == 0
    assert f"settings from {tmp_path}/qehost.toml" in run.log[0]
    assert run.logged(r"WARNING.*qehost.toml:2: accounts.main.api_key: stands in the file")
    assert venue.api_key not in "".join(run.log)


def test_a_level_leaves_out_what_is_below_it(tmp_path: Path, venue: Venue) -> None:
    with Run(tmp_path, "--log-level", "error", venue=venue, settings=QUICK) as run:
        run.wait_for(lambda: run.records("on_connected"))
        assert run.stop() == 0
    assert run.log == []


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--log-level", "loud"], 2, "'loud' is not one of"),
        (["-p", "nowhere"], 2, "no module of this name can be imported"),
        (["-c", "nowhere.toml"], 2, "nowhere.toml"),
        ([], 4, "no credentials: set QEHOST_API_KEY"),
        (["--ws-url", "http://x"], 4, "--ws-url: accounts.main.ws_url: 'http://x' is no URL"),
        (["--fault", "drop=5s"], 2, "it needs --simulate"),
    ],
)
def test_a_wrong_start_ends_with_its_code_and_a_text(
    tmp_path: Path, arguments: list[str], code: int, text: str
) -> None:
    done = subprocess.run(
        [*QEHOST, "run", "--state-dir", "state", *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
        check=False,
    )
    assert done.returncode == code
    assert text in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ('ca_file = "nope"', "qehost.toml:2: accounts.main.ca_file "),
        ('client_cert = "broken"', "qehost.toml:2: accounts.main.client_cert "),
        ('private_key = { file = "broken" }', "qehost.toml:1: accounts.main: "),
        (
            'listen_key = "k"\napi_key = "two\\nlines"',
            "qehost.toml:1: accounts.main: api_key holds",
        ),
    ],
)
def test_what_config_check_refuses_no_run_begins_with(
    tmp_path: Path, setting: str, text: str
) -> None:
    (tmp_path / "broken").write_text("no PEM")
    key = "" if "api_key" in setting else 'api_key = "k"\n'
    secret = "" if "private_key" in setting else 'api_secret = "s"\n'
    (tmp_path / "qehost.toml").write_text(f"[accounts.main]\n{setting}\n{key}{secret}")
    for command in ["run", "--state-dir", "state"], ["config", "check"]:
        done = subprocess.run(
            [*QEHOST, *command],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=60,
            check=False,
        )
        assert done.returncode == 4
        assert text in done.stderr
    assert not (tmp_path / "state").exists()
