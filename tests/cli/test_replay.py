"""`qehost replay` and `qehost tail`: what was received, again and as it comes."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qehost.host.cursors import Marks, cursors_of
from qehost.journal import Journal
from qehost.messages import AnyEvent, OrderEvent, OrderMessage, StatusEvent
from qehost.records import encode_events
from qehost.state import StateFolder

QEHOST = [sys.executable, "-c", "from qehost.cli import main; main(prog_name='qehost')"]
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


def order(seq: int, symbol: str) -> OrderEvent:
    values = ["order", "mo-1", f"o-{seq}", symbol, "spot", "buy", 1.5, 2.0, "PLACED", 0, 0.0, 0.0]
    message = OrderMessage(*values, 0.0, 2.0, 0, 0, 0, "LIMIT", "", 0)  # type: ignore[arg-type]
    return OrderEvent(seq, "main", "", time.time_ns(), "derived", False, "", message)


def status(seq: int) -> StatusEvent:
    return StatusEvent(seq, "main", "", time.time_ns(), "derived", False, "", f"status {seq}")


def append(journal: Journal, *events: AnyEvent) -> None:
    first, last = events[0], events[-1]
    journal.append(encode_events(events), first.seq, last.seq, first.received_at, last.received_at)


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    """Four events, and a plugin in the folder above them."""
    folder = StateFolder(tmp_path / "state")
    with Journal(folder.journal("main")) as journal:
        append(journal, status(1), order(2, "BTCUSDT"))
        append(journal, order(3, "ETHUSDT"), status(4))
    (tmp_path / "mine.py").write_text(PLUGIN)
    return folder


def qehost(folder: StateFolder, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*QEHOST, *arguments, "--state-dir", str(folder.path)]
    return subprocess.run(
        command, cwd=folder.path.parent, capture_output=True, text=True, timeout=60
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
    marks = Marks.open(folder.marks("main"), [], [], ["main"])
    marks.advance("main", 2)
    marks.close()
    (folder.path.parent / "other.py").write_text("raise RuntimeError('loaded')")
    result = qehost(folder, "replay", "-p", "mine")
    assert result.returncode == 0
    assert "loaded" not in result.stderr
    assert cursors_of(folder, "main") == {"main": 2}


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


class Tail:
    """`qehost tail --json` in a process of its own, and the events that it showed."""

    def __init__(self, folder: StateFolder, *arguments: str) -> None:
        command = [*QEHOST, "tail", "--json", "--state-dir", str(folder.path), *arguments]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.seqs: list[int] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.seqs.append(json.loads(line)["seq"])

    def wait_for(self, seqs: list[int]) -> None:
        deadline = time.monotonic() + 30
        while self.seqs != seqs:
            assert time.monotonic() < deadline, f"{self.seqs} in place of {seqs}"
            assert self.process.poll() is None
            time.sleep(0.01)

    def stop(self, number: int) -> tuple[int, str]:
        self.process.send_signal(number)
        code = self.process.wait(30)
        self._reader.join()
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        with self.process.stdout, self.process.stderr:
            return code, self.process.stderr.read()


@pytest.fixture
def tail(folder: StateFolder, request: pytest.FixtureRequest) -> Iterator[Tail]:
    tail = Tail(folder, *request.param)
    yield tail
    if tail.process.poll() is None:
        tail.process.kill()
        tail.stop(9)


@pytest.mark.parametrize("tail", [["-n", "2"]], indirect=True)
def test_tail_shows_the_last_events_and_then_those_that_come(
    folder: StateFolder, tail: Tail
) -> None:
    tail.wait_for([3, 4])
    with Journal(folder.journal("main")) as journal:
        append(journal, status(5))
        tail.wait_for([3, 4, 5])
        append(journal, status(6), order(7, "BTCUSDT"))
        tail.wait_for([3, 4, 5, 6, 7])
    assert tail.stop(2) == (0, "")


@pytest.mark.parametrize("tail", [["--symbol", "BTCUSDT"]], indirect=True)
def test_tail_shows_only_what_was_asked_for(folder: StateFolder, tail: Tail) -> None:
    tail.wait_for([2])
    with Journal(folder.journal("main")) as journal:
        append(journal, order(5, "ETHUSDT"), order(6, "BTCUSDT"))
        tail.wait_for([2, 6])


def test_tail_without_a_journal_says_so(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    result = qehost(StateFolder(tmp_path / "state"), "tail")
    assert result.returncode == 3
    assert "there is none" in result.stderr
