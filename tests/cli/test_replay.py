"""`qehost replay`: what was received, again."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from four_events import four_events
from running import QEHOST
from waiting import PATIENCE

from qehost.storage.cursor_file import furthest_behind
from qehost.storage.cursors import Cursors
from qehost.storage.state_folder import StateFolder

PLUGIN = """
import json

def note(hook, **fields):
    with open("noted", "a") as file:
        file.write(json.dumps({"hook": hook, **fields}) + "\\n")

def on_start(context):
    note("on_start", accounts=context.accounts)

def on_stop(reason):
    note("on_stop")

def on_status(status, event):
    note("on_status", seq=event.seq, redelivered=event.redelivered, status=status)

def on_order(message, event):
    note("on_order", seq=event.seq, redelivered=event.redelivered, symbol=message.symbol)
"""


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    """Four events, and a plugin in the folder above them."""
    (tmp_path / "mine.py").write_text(PLUGIN)
    return four_events(tmp_path / "state")


def qehost(folder: StateFolder, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*QEHOST, *arguments, "--state-dir", str(folder.path)]
    return subprocess.run(
        command, cwd=folder.path.parent, capture_output=True, text=True, timeout=PATIENCE
    )


def noted(folder: StateFolder) -> list[dict[str, Any]]:
    text = (folder.path.parent / "noted").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_a_plugin_gets_what_is_in_the_journal_again_and_marked(folder: StateFolder) -> None:
    result = qehost(folder, "replay", "-p", "mine")
    assert result.returncode == 0, result.stderr
    assert "mine: 4 events" in result.stderr
    calls = noted(folder)
    assert [call["hook"] for call in calls] == [
        "on_start", "on_status", "on_order", "on_order", "on_status", "on_stop"
    ]  # fmt: skip
    assert [call["seq"] for call in calls[1:-1]] == [1, 2, 3, 4]
    assert all(call["redelivered"] for call in calls[1:-1])


def test_it_gets_only_what_was_asked_for(folder: StateFolder) -> None:
    assert qehost(folder, "replay", "-p", "mine", "--symbol", "ETHUSDT").returncode == 0
    assert qehost(folder, "replay", "-p", "mine", "--from-seq", "4").returncode == 0
    assert [call["seq"] for call in noted(folder) if "seq" in call] == [3, 4]


def test_no_cursor_moves_and_no_other_plugin_is_loaded(folder: StateFolder) -> None:
    cursors = Cursors.open(folder.progress_file("main"), [], ["main"])
    cursors.advance("main", 2)
    cursors.close()
    (folder.path.parent / "other.py").write_text("raise RuntimeError('loaded')")
    result = qehost(folder, "replay", "-p", "mine")
    assert result.returncode == 0
    assert "loaded" not in result.stderr
    assert furthest_behind(folder, "main") == {"main": ("", 2)}


def test_an_exported_file_takes_the_place_of_the_journal(folder: StateFolder) -> None:
    file = folder.path.parent / "day.jsonl"
    assert qehost(folder, "journal", "export", "-o", str(file)).returncode == 0
    elsewhere = StateFolder(folder.path.parent / "elsewhere")
    result = qehost(elsewhere, "replay", "-p", "mine", "--file", str(file), "--kind", "order")
    assert result.returncode == 0, result.stderr
    assert [call["seq"] for call in noted(folder) if "seq" in call] == [2, 3]


def test_a_file_that_an_editor_has_saved_is_taken_too(folder: StateFolder) -> None:
    file = folder.path.parent / "day.jsonl"
    assert qehost(folder, "journal", "export", "-o", str(file)).returncode == 0
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n") + b"\r\n\r\n")
    result = qehost(folder, "replay", "-p", "mine", "--file", str(file))
    assert result.returncode == 0, result.stderr
    assert [call["seq"] for call in noted(folder) if "seq" in call] == [1, 2, 3, 4]


def test_a_file_that_is_none_is_told_with_its_line(folder: StateFolder) -> None:
    file = folder.path.parent / "day.jsonl"
    file.write_text('{"kind": "order"}\n')
    result = qehost(folder, "replay", "-p", "mine", "--file", str(file))
    assert result.returncode == 3
    assert "day.jsonl, line 1:" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("source", "code", "text"),
    [
        ("def on_order(event):\n    1 / 0\n", 1, "mine: 4 events, 2 calls, 2 errors"),
        (
            "import os\ndef on_order(event):\n    os._exit(7)\n",
            1,
            "exit code 7, in on_order of plugin mine with event 2 of account main",
        ),
        ("raise RuntimeError('no such desk')\n", 3, "no such desk"),
        ("def on_start():\n    1 / 0\n", 3, "ZeroDivisionError"),
    ],
)
def test_what_goes_wrong_is_told_and_is_in_the_exit_code(
    folder: StateFolder, source: str, code: int, text: str
) -> None:
    (folder.path.parent / "mine.py").write_text(source)
    result = qehost(folder, "replay", "-p", "mine")
    assert result.returncode == code
    assert text in result.stderr


@pytest.mark.parametrize("arguments", [["replay"], ["replay", "-p", "nowhere"]])
def test_without_a_plugin_it_is_a_usage_error(folder: StateFolder, arguments: list[str]) -> None:
    assert qehost(folder, *arguments).returncode == 2
