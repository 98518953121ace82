"""The status on terminals of every width: nothing that matters is cut."""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec
import pytest
from running_status import status
from terminal import ACCOUNT, PLUGIN, PROCESS, WIDTHS, shown, watched

from qehost.cli.status_screen import screen
from qehost.events.notices import Counts
from qehost.storage.state_folder import StateFolder
from qehost.storage.status import (
    CallStatus,
    ConnectionState,
    CursorState,
    HostState,
    PluginState,
    ProcessUsage,
    Status,
    write_status,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    (tmp_path / "state").mkdir()
    return StateFolder(tmp_path / "state")


# --- status -----------------------------------------------------------------------------------


def connection(account: str, now: float, *, protected: bool = True) -> ConnectionState:
    return ConnectionState(
        account=account,
        pid=1_234_567,
        state="connected",
        since=now - 400_000,
        restarts=3,
        reconnects=1_234,
        last_message=now - 3_700,
        last_pong=now - 25,
        last_seq=123_456_789,
        protected=protected,
        journal_bytes=123_456_789_012,
        counts=Counts(1_234, 12_345, 1_234, 12, 123_456),
    )


def plugin(name: str) -> PluginState:
    return PluginState(name, True, 123_456_789, 12_345, 123_456.7, 12e-6, 0.012, 12.3, 1_234)


def usual(now: float) -> Status:
    """One account, one plugin, a day's figures."""
    return Status(
        "0.1.0",
        os.getpid(),
        now - 9_000,
        now,
        "",
        [
            ConnectionState(
                *("main", 1_234_567, "connected", now - 8_000, 0, 2, now - 1, now - 25),
                *(123_456, True, 12_345_678, 0.0, "", ProcessUsage(50_000_000, 17, 1024)),
            )
        ],
        [
            HostState(
                *("main", 1_234_568, True, 0, [CursorState("main", 123_450, 6, 0.2)], None),
                [PluginState("console", True, 123_456, 0, 12.0, 12e-6, 0.012, 0.05, 0)],
                usage=ProcessUsage(40_000_000, 14, 1024),
            )
        ],
        usage=ProcessUsage(31_000_000, 20, 1024),
    )


def large(now: float) -> Status:
    """The longest names, large figures, and everything wrong that can be."""
    call = CallStatus(PLUGIN, "on_master_order", ACCOUNT, 123_456_789, 400.0)
    cursors = [CursorState(ACCOUNT, 123_456_789, 1_234_567, 400_000.0), CursorState("b", 1, 0, 0)]
    return Status(
        "0.1.0",
        os.getpid(),
        now - 900_000,
        now,
        "",
        [connection(ACCOUNT, now, protected=False), connection("b", now)],
        [HostState(PROCESS, 1_234_568, True, 12, cursors, call, [plugin(PLUGIN), plugin("b")])],
    )


def test_the_usual_status_at_eighty_columns(folder: StateFolder) -> None:
    write_status(folder.status_file, usual(time.time() + 3600))
    lines = shown(80, ["status", "--state-dir", folder.path], folder.path)
    assert lines[1].startswith(
        f" qehost 0.1.0   pid {os.getpid()}   running for 2 h 30 m   written"
    )
    assert lines[2:] == [
        "",
        " Connection  State                 Message  Pong  Lost    Event   Journal",
        " main        ● connected 2 h 13 m  1 s      25 s     2  123,456  11.8 MiB",
        "",
        " Host process  State        Event  Behind",
        " main          ● running  123,450  6 events, 0 s",
        "",
        " Plugin   Process    Calls  Errors  Dead letters    p50    p99  Slowest  Busy",
        " console  main     123,456       0             0  12 µs  12 ms    50 ms  12 s",
        "",
        " Process              Pid    Memory  Open files  Restarts",
        f" supervisor       {os.getpid():>7}  29.6 MiB          20         0",
        " connection main  1234567  47.7 MiB          17         0",
        " host main        1234568  38.1 MiB          14         0",
    ]
    documented = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    lines[-3] = lines[-3].replace(f"{os.getpid():>7}", "1234566")
    assert "```text\n" + "\n".join(lines[3:]) + "\n```" in documented


@pytest.mark.parametrize("columns", WIDTHS)
def test_long_names_and_large_figures_cost_the_status_nothing_that_matters(
    folder: StateFolder, columns: int
) -> None:
    write_status(folder.status_file, large(time.time() + 3600))
    lines = shown(columns, ["status", "--state-dir", folder.path], folder.path)
    text = "\n".join(lines)
    assert max(map(len, lines)) <= columns
    assert "…" not in text
    for whole, times in (
        (f" {ACCOUNT}", 5),
        (f" {PROCESS}", 2),
        (f" {PLUGIN}", 2),
        ("● connected 4 d 15 h", 2),
        ("● running", 1),
        ("  1,234  ", 4),  # lost, and dead letters
        ("115.0 GiB", 2),
        ("1,234,567 events, 4 d 15 h", 1),
        ("12,345", 2),
        ("12.30 s", 2),
    ):
        assert text.count(whole) >= times, whole


@pytest.mark.parametrize("columns", WIDTHS)
def test_what_is_not_protected_has_a_line_of_its_own(columns: int) -> None:
    lines = [line.plain for line in screen(large(time.time() + 3600), "", columns)]
    (place,) = [place for place, line in enumerate(lines) if "UNPROTECTED" in line]
    assert " ".join("".join(lines[place : place + 2]).split()).startswith(
        f"UNPROTECTED: account {ACCOUNT} is not journalled"
    )


@pytest.mark.parametrize("columns", WIDTHS)
def test_columns_of_the_status_that_find_no_room_are_named(columns: int) -> None:
    text = "\n".join(line.plain for line in screen(large(time.time() + 3600), "", columns))
    for heading in ("Pid", "Pong", "Event", "Message", "Restarts", "Calls", "p50", "p99", "Busy"):
        assert heading in text


# --- --watch ----------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_watching_shows_the_status_on_a_screen_of_its_own_until_ctrl_c(
    folder: StateFolder, columns: int
) -> None:
    write_status(folder.status_file, usual(time.time() + 3600))
    command = ["status", "--watch", "--state-dir", folder.path]
    written = watched(columns, command, folder.path, "connection main")
    begun, ended = "\x1b[?1049h", "\x1b[?1049l"
    assert begun in written
    assert written.rindex(ended) > written.index("connection main")
    assert "● connected" in written
    assert "Traceback" not in written


def test_watching_takes_a_terminal(tmp_path: Path) -> None:
    result = status(tmp_path, "--watch")
    assert result.exit_code == 2
    assert "--watch needs a terminal" in result.stderr


def test_each_plugin_that_does_not_run_shows_its_state(folder: StateFolder) -> None:
    now = time.time()
    plugins = [
        PluginState("sink", False, 0, 0, 0, 0, 0, 0, 0, state, "no database", now - 70)  # type: ignore[arg-type]
        for state in ("waiting", "refused", "starting", "down")
    ]
    shown_status = usual(now)
    host = msgspec.structs.replace(shown_status.hosts[0], plugins=plugins)
    lines = screen(msgspec.structs.replace(shown_status, hosts=[host]), "", 80)
    text = "\n".join(line.plain for line in lines)
    for state in ("waiting", "refused"):
        assert f" plugin sink: {state} for 1 m 10 s: no database" in text
    for state in ("waiting", "refused", "starting", "down"):
        assert f" sink ({state})" in text
