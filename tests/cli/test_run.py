"""`qehost run`: where its settings come from, and what it logs."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from running import QEHOST, QUICK, RECORDER, Run
from waiting import PATIENCE, wait_for

from qehost.simulator import Venue
from qehost.storage.status import read_status


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
    run.wait_for_line(r"WARNING.*qehost.toml:2: accounts.main.api_key: stands in the file")
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


def test_that_no_plugin_runs_is_told_where_none_was_wanted_and_not_where_each_has_its_process(
    tmp_path: Path, venue: Venue
) -> None:
    settings = {**QUICK, "plugins.recorder.process": "side"}
    with Run(tmp_path, venue=venue, settings=settings) as run:
        run.wait_for(lambda: run.records("on_connected"))
        run.wait_for(lambda: run.logged("host process side runs recorder"), "the plugin")
        assert run.stop() == 0
        assert not run.logged("runs no plugin")
    with Run(tmp_path, "-p", "no:recorder", venue=venue, settings=QUICK) as run:
        run.wait_for(lambda: run.logged("runs no plugin, so what is received"), "the warning")
        assert run.stop() == 0


def test_standard_streams_that_are_closed_at_the_start_are_no_matter(
    tmp_path: Path, venue: Venue
) -> None:
    """A file that took the place of one of them would be written to by whoever prints."""
    environment = {
        **os.environ,
        "QEHOST_API_KEY": venue.api_key,
        "QEHOST_API_SECRET": venue.api_secret,
    }
    shutil.copy(RECORDER, tmp_path)
    records = tmp_path / "records.jsonl"
    arguments = ["run", "-p", "recorder", "--state-dir", "state"]
    urls = ["--ws-url", venue.ws_url, "--rest-url", venue.rest_url]
    command = f"exec {shlex.join([*QEHOST, *arguments, *urls])} <&- >&- 2>&-"
    with subprocess.Popen(["sh", "-c", command], cwd=tmp_path, env=environment) as process:
        try:
            wait_for(
                lambda: (
                    process.poll() is not None
                    or (records.exists() and "on_connected" in records.read_text())
                ),
                "the first event",
            )
            process.terminate()
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
    assert '"on_stop"' in records.read_text()
    for arguments in (["status", "--state-dir", "state"], ["--help"], ["no-such-command"]):
        command = shlex.join([*QEHOST, *arguments]) + " <&- >&- 2>&-"
        done = subprocess.run(["sh", "-c", command], cwd=tmp_path, check=False)
        assert done.returncode in (0, 1, 2)
    seen = read_status(tmp_path / "state" / "status.json")
    assert seen is not None
    assert seen.ended == "stopped by SIGTERM"


def test_a_service_manager_is_told_from_the_start_to_the_end(tmp_path: Path, venue: Venue) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE)
        env = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"}
        told: list[str] = []
        with Run(tmp_path, venue=venue, settings=QUICK, env=env) as run:

            def wait_for(text: str) -> None:
                del told[:]
                while not told or text not in told[-1]:
                    told.append(manager.recv(65_536).decode())

            wait_for("READY=1")
            wait_for("STATUS=1 of 1 account connected, 1 plugin running")
            wait_for("WATCHDOG=1")
            run.process.send_signal(signal.SIGHUP)
            wait_for("RELOADING=1\nMONOTONIC_USEC=")
            wait_for("READY=1")
            run.process.send_signal(signal.SIGTERM)
            wait_for("STOPPING=1")
            assert run.wait() == 0


def test_a_service_manager_need_not_wait_for_a_venue_that_is_away(tmp_path: Path) -> None:
    with Venue() as venue:
        addresses = venue.ws_url, venue.rest_url
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE)
        env = {
            "NOTIFY_SOCKET": str(tmp_path / "notify"),
            "QEHOST_LISTEN_KEY": "given",
            "NO_PROXY": "127.0.0.1",
        }
        options = ["--ws-url", addresses[0], "--rest-url", addresses[1]]
        with Run(tmp_path, *options, settings=QUICK, env=env) as run:
            assert manager.recv(65_536) == b"READY=1"
            assert b"0 of 1 account connected" in manager.recv(65_536)
            assert run.stop() == 0


def test_a_plugin_of_which_the_settings_name_the_file_runs_and_is_reloaded(
    tmp_path: Path, venue: Venue
) -> None:
    """Also where it stands elsewhere, beside the settings."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "words.py").write_text("TEXT = 'beside it'\n")
    own = elsewhere / "own-sink.py"
    source = """
import words

class Plugin:
    def on_start(self, context):
        context.logger.info("VERSION %s", words.TEXT)

    def on_connected(self): ...
"""
    own.write_text(source.replace("VERSION", "the first"))
    (elsewhere / "qehost.toml").write_text('[plugins.mine]\nmodule = "own-sink.py"\n')
    with Run(tmp_path, "-c", "elsewhere/qehost.toml", venue=venue, settings=QUICK) as run:
        run.wait_for(lambda: run.logged("plugin mine: the first beside it"), "its first version")
        own.write_text(source.replace("VERSION", "the second"))
        run.process.send_signal(signal.SIGHUP)
        run.wait_for(lambda: run.logged("plugin mine: the second beside it"), "its second version")
        assert run.stop() == 0
