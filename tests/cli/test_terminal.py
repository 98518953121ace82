"""What stands on a terminal: nothing that matters is cut, however narrow it is."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from running import QEHOST
from terminal import ACCOUNT, PLUGIN, PROCESS, WIDTHS, shown, written

from qehost.events.codec import encode_events
from qehost.messages import AnyEvent, OrderEvent, OrderMessage, StatusEvent
from qehost.storage.dead_letters import DeadLetters
from qehost.storage.journal import Journal
from qehost.storage.state_folder import StateFolder

COLOUR = re.compile(r"\x1b\[(\d+;)*3\d")
MASTER, ORDER = "mo_1764036000000000001", "o_1764036000000000412"


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    (tmp_path / "state").mkdir()
    return StateFolder(tmp_path / "state")


def test_no_color_leaves_the_colours_out(
    folder: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["check", "--state-dir", folder.path]
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert COLOUR.search(written(80, command, folder.path))
    monkeypatch.setenv("NO_COLOR", "1")
    assert not COLOUR.search(written(80, command, folder.path))


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
def test_the_list_keeps_ids_whole_at_every_width(folder: StateFolder, columns: int) -> None:
    for account in (ACCOUNT, "b"):
        write(folder, account)
    lines = shown(columns, ["journal", "list", "--state-dir", folder.path], folder.path)
    text = "\n".join(lines)
    headings = "Local time Account Seq Kind Symbol What Master order Order"
    assert " ".join(text.split()).startswith(headings)
    # Of what the venue says in words the terminal may break what is too long.
    assert max(len(line) for line in lines if "a word" not in line) <= columns
    for whole in (MASTER, ORDER, "123456789", "1000000PEPEUSDT", "PARTIALLY_FILLED"):
        assert len(re.findall(rf"(?<!\S){whole}(?!\S)", text)) == 2
    assert len(re.findall(rf"(?<!\S){ACCOUNT}(?!\S)", text)) == 2


def test_in_a_pipe_the_list_has_a_line_an_event(folder: StateFolder) -> None:
    for account in (ACCOUNT, "b"):
        write(folder, account)
    command = [*QEHOST, "journal", "list", "--state-dir", str(folder.path)]
    written = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert len(written.splitlines()) == 1 + 4


def test_of_several_accounts_the_list_shows_which_one_it_is_also_of_one_alone(
    folder: StateFolder,
) -> None:
    for account in (ACCOUNT, "b"):
        write(folder, account)
    command = ["journal", "list", "--account", "b", "--state-dir", folder.path]
    header, first, *_ = shown(200, command, folder.path)
    assert "Account" in header
    assert "  b  " in first


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
    assert words[place : place + 7] == [
        *(name, name, "loaded"),
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
