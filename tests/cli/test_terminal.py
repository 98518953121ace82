"""What stands on a terminal: nothing that matters is cut, however narrow it is."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from terminal import shown

from qehost.cli.status_screen import screen
from qehost.host.dead_letters import DeadLetters
from qehost.journal import Journal
from qehost.messages import AnyEvent, OrderEvent, OrderMessage, StatusEvent
from qehost.records import encode_events
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

ROOT = Path(__file__).parents[2]
WIDTHS = (60, 80, 100, 120, 200)
ACCOUNT = "desk-hong-kong-derivatives-00001"
PLUGIN = "large-fills-of-the-whole-desk-01"
PROCESS = "slow-archive-process-00000000001"
MASTER, ORDER = "mo_1764036000000000001", "o_1764036000000000412"


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
                *(123_456, True, 12_345_678),
            )
        ],
        [
            HostState(
                *("main", 1_234_568, True, 0, [CursorState("main", 123_450, 6, 0.2)], None),
                [PluginState("console", True, 123_456, 0, 12.0, 12e-6, 0.012, 0.05, 0)],
            )
        ],
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
    write_status(folder.status_file, usual(time.time()))
    lines = shown(80, ["status", "--state-dir", folder.path], folder.path)
    assert lines[1].startswith(
        f" qehost 0.1.0   pid {os.getpid()}   running for 2 h 30 m   written"
    )
    assert lines[2:] == [
        "",
        " Connection  State                 Message  Lost  Restarts    Event   Journal",
        " main        ● connected 2 h 13 m  1 s         2         0  123,456  11.8 MiB",
        "",
        " Host process      Pid  State        Event  Behind         Restarts",
        " main          1234568  ● running  123,450  6 events, 0 s         0",
        "",
        " Plugin   Process    Calls  Errors  Dead letters    p50    p99  Slowest  Busy",
        " console  main     123,456       0             0  12 µs  12 ms    50 ms  12 s",
        "",
        " No room here for Pid, Pong; --json has everything.",
    ]
    documented = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    assert "```text\n" + "\n".join(lines[3:]) + "\n```" in documented


@pytest.mark.parametrize("columns", WIDTHS)
def test_long_names_and_large_figures_cost_the_status_nothing_that_matters(
    folder: StateFolder, columns: int
) -> None:
    write_status(folder.status_file, large(time.time()))
    lines = shown(columns, ["status", "--state-dir", folder.path], folder.path)
    text = "\n".join(lines)
    assert max(map(len, lines)) <= columns
    assert "…" not in text
    for whole, times in (
        (f" {ACCOUNT}", 4),
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
    lines = [line.plain for line in screen(large(time.time()), "", columns)]
    (place,) = [place for place, line in enumerate(lines) if "UNPROTECTED" in line]
    assert " ".join("".join(lines[place : place + 2]).split()).startswith(
        f"UNPROTECTED: account {ACCOUNT} is not journalled"
    )


@pytest.mark.parametrize("columns", WIDTHS)
def test_columns_of_the_status_that_find_no_room_are_named(columns: int) -> None:
    text = "\n".join(line.plain for line in screen(large(time.time()), "", columns))
    for heading in ("Pid", "Pong", "Event", "Message", "Restarts", "Calls", "p50", "p99", "Busy"):
        assert heading in text


# --- the journal ------------------------------------------------------------------------------


def events(account: str) -> list[AnyEvent]:
    order = OrderMessage(
        *("order", MASTER, ORDER, "1000000PEPEUSDT", "SPOT", "BUY", 97_123.45, 123_456.5),
        *("PARTIALLY_FILLED", 1, 0.5, 97_123.45, 0.51234567, 1.5, 1, 1, 0, "LIMIT", "", 1000),
    )
    at = 1_764_036_000 * 10**9
    return [
        StatusEvent(123_456_788, account, "id-1", at, "stream", False, "raw", "a word " * 30),
        OrderEvent(123_456_789, account, "id-2", at, "stream", False, "raw", order),
    ]


def write(folder: StateFolder, account: str) -> None:
    batch = events(account)
    with Journal(folder.journal(account)) as journal:
        journal.append(encode_events(batch), batch[0].seq, batch[-1].seq, 0, batch[-1].received_at)


@pytest.mark.parametrize("columns", WIDTHS)
def test_the_list_has_a_line_an_event_and_its_ids_can_be_copied(
    folder: StateFolder, columns: int
) -> None:
    for account in (ACCOUNT, "b"):
        write(folder, account)
    lines = shown(columns, ["journal", "list", "--state-dir", folder.path], folder.path)
    headings = ["Time", "Account", "Seq", "Kind", "Symbol", "What", "Master", "order", "Order"]
    assert lines[0].split() == headings
    assert len(lines) == 1 + 4
    for line in lines[1:]:
        *_, master, order = line.split()
        assert (" order " not in line) or (master, order) == (MASTER, ORDER)
    assert sum(" order " in line for line in lines[1:]) == 2


@pytest.mark.parametrize("columns", WIDTHS)
def test_a_dead_letter_shows_its_id_its_plugin_and_its_cause_whole(
    folder: StateFolder, columns: int
) -> None:
    why = "ValueError: the database is locked, and /a/path/of/it/that/is/long"
    with DeadLetters(folder.dead_letters_file) as letters:
        letters.add(
            account=ACCOUNT,
            plugin=PLUGIN,
            process=PROCESS,
            seq=123_456_789,
            hook="on_master_order",
            cause="raised",
            detail=f"Traceback …\n{why}",
            event=encode_events(events(ACCOUNT)[1:]),
        )
    lines = shown(columns, ["journal", "dead-letters", "--state-dir", folder.path], folder.path)
    words = " ".join(lines).split()
    place = words.index(PLUGIN)
    assert words[place - 3] == "1"
    assert words[place:] == [
        *(PLUGIN, ACCOUNT, "123456789", "on_master_order", "dead", "1"),
        *("raised:", *why.split()),
    ]
    assert max(map(len, lines)) <= columns


# --- settings and plugins ---------------------------------------------------------------------


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with a plugin and settings, with long names."""
    (tmp_path / f"{PLUGIN.replace('-', '_')}.py").write_text(
        "def on_fill(message): ...\ndef on_master_order(message): ...\n"
        "def on_order(message): ...\ndef on_disconnected(reason): ...\n"
    )
    (tmp_path / "qehost.toml").write_text(
        f'state_dir = "state"\n[accounts.{ACCOUNT}]\n'
        'ws_url = "ws://127.0.0.1:9"\nrest_url = "http://127.0.0.1:9"\n'
        'api_key = { env = "HOME" }\napi_secret = { env = "HOME" }\n'
    )
    with DeadLetters(StateFolder(tmp_path / "state").dead_letters_file) as letters:
        letters.add(
            account=ACCOUNT,
            plugin=PLUGIN,
            process="main",
            seq=1,
            hook="on_fill",
            cause="died",
            detail="signal SIGSEGV",
            event=encode_events(events(ACCOUNT)[1:]),
        )
    return tmp_path


@pytest.mark.parametrize("columns", WIDTHS)
def test_a_plugin_is_listed_with_its_whole_name_and_hooks(desk: Path, columns: int) -> None:
    name = PLUGIN.replace("-", "_")
    lines = shown(columns, ["plugins", "-p", name], desk)
    words = " ".join(lines).split()
    place = words.index(name)
    assert words[place : place + 8] == [
        *(name, "-p", name, "loaded"),
        *("on_disconnected,", "on_master_order,", "on_order,", "on_fill"),
    ]
    assert max(map(len, lines)) <= columns


@pytest.mark.parametrize("columns", WIDTHS)
def test_a_setting_is_shown_with_its_whole_name_value_and_source(desk: Path, columns: int) -> None:
    words = " ".join(shown(columns, ["config", "show", "-c", "qehost.toml"], desk)).split()
    place = words.index(f"accounts.{ACCOUNT}.rest_url")
    assert words[place + 1] == '"http://127.0.0.1:9"'
    assert words[place + 2].endswith("qehost.toml:4")


@pytest.mark.parametrize("columns", WIDTHS)
def test_what_a_check_advises_can_be_copied_in_one_piece(desk: Path, columns: int) -> None:
    lines = shown(columns, ["check", "-c", "qehost.toml"], desk)
    advice = f"→ qehost journal dead-letters --plugin {PLUGIN}"
    assert [line.strip() for line in lines if "→ qehost journal" in line] == [advice]
    assert any(line == f"✗ REST {ACCOUNT}" or f"REST {ACCOUNT}  " in line for line in lines)
