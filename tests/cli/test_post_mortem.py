"""`qehost replay --pdb`, on a terminal of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from dialog import Dialog
from four_events import append, order, status

from qehost.storage.journal import Journal
from qehost.storage.state_folder import StateFolder


@pytest.fixture
def replay(tmp_path: Path):
    """Four events, and a plugin with this source."""
    with Journal(StateFolder(tmp_path / "state").journal("main")) as journal:
        append(journal, status(1), order(2, "BTCUSDT"))
        append(journal, order(3, "ETHUSDT"), status(4))

    def replay(source: str) -> Dialog:
        (tmp_path / "mine.py").write_text(source)
        arguments = ["replay", "--pdb", "-p", "mine.py", "--state-dir", "state"]
        return Dialog(arguments, tmp_path)

    return replay


def test_the_debugger_opens_where_the_hook_raised(replay) -> None:
    with replay("def on_order(message):\n    wanted = message.symbol * 2\n    1 / 0") as debugger:
        shown = debugger.wait_for("(Pdb) ")
        assert "plugin mine: on_order raised at event 2: ZeroDivisionError" in shown
        assert "-> 1 / 0" in shown
        debugger.type("p wanted\n")
        assert "BTCUSDTBTCUSDT" in debugger.wait_for("(Pdb) ")
        debugger.type("c\n")
        assert "at event 3" in debugger.wait_for("(Pdb) ")
        debugger.type("c\n")
        assert debugger.end() == 1
    assert "mine: 4 events, 2 calls, 2 errors" in debugger.written


def test_to_quit_ends_the_replay(replay) -> None:
    with replay("def on_order():\n    1 / 0\ndef on_stop():\n    print('stopped')") as debugger:
        debugger.wait_for("(Pdb) ")
        debugger.type("q\n")
        assert debugger.end() == 1
    assert "mine: 2 events" in debugger.written
    assert "stopped" in debugger.written


def test_breakpoint_stops_in_the_hook(replay) -> None:
    with replay("def on_order(event):\n    breakpoint()\n    seen = event.seq") as debugger:
        debugger.wait_for("(Pdb) ")
        debugger.type("p event.redelivered, event.seq\n")
        assert "(True, 2)" in debugger.wait_for("(Pdb) ")
        debugger.type("q\n")
        assert debugger.end() == 1
    assert "2 events" in debugger.written


def test_a_batch_that_raises_is_told_once(replay) -> None:
    with replay("def on_batch(events):\n    if len(events) == 1: 1 / 0") as debugger:
        for seq in range(1, 5):
            assert f"at event {seq}" in debugger.wait_for("(Pdb) ")
            debugger.type("c\n")
        assert debugger.end() == 1


def test_a_plugin_that_can_not_be_used_is_told(replay) -> None:
    with replay("raise RuntimeError('no such desk')") as debugger:
        assert debugger.end() == 3
    assert "no such desk" in debugger.written
