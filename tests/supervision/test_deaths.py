"""What a host process died of, read from what it left."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from qehost.errors import WebsocketClientError
from qehost.host.cursors import Marks
from qehost.host.dead_letters import DeadLetters
from qehost.journal import Journal
from qehost.messages import Connected, Disconnected, StatusEvent
from qehost.pipeline import Pipeline
from qehost.records import Record, decode_events, encode_events
from qehost.state import StateFolder
from qehost.supervision.deaths import Deaths, heard, where

SEGFAULT = -signal.SIGSEGV


def event(seq: int) -> StatusEvent:
    return StatusEvent(seq, "main", f"m{seq}", seq, "stream", False, f"text {seq}", "hello")


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    """A journal with the events 1 to 6, in two batches."""
    folder = StateFolder(tmp_path)
    with Journal(folder.journal("main")) as journal:
        for first in (1, 4):
            batch = [event(seq) for seq in range(first, first + 3)]
            journal.append(encode_events(batch), first, first + 2, first, first + 2)
    return folder


def die_in(folder: StateFolder, seq: int, cursor: int = 0) -> None:
    """Leave the marks of a process that died in `on_status` of `audit`."""
    marks = Marks.open(folder.marks("main"), ["other", "audit"], ["on_tick", "on_status"], ["main"])
    marks.account("main")
    marks.advance("main", cursor)
    marks.enter(1, 1, seq)
    marks.close()


def test_plugin_hook_and_event_are_told(folder: StateFolder) -> None:
    die_in(folder, 5)
    found = Deaths("main", folder).died(SEGFAULT, 0.0, time.monotonic(), hung=False)
    assert where(found.call) == ", in on_status of plugin audit with event 5 of account main"


def test_a_call_that_the_process_before_died_in_is_not_told_again(folder: StateFolder) -> None:
    die_in(folder, 5)
    started_at = time.monotonic()
    found = Deaths("main", folder).died(SEGFAULT, started_at, started_at, hung=False)
    assert found.call is None
    assert where(found.call) == ""


@pytest.mark.parametrize("seq", [1, 3, 4, 6])
def test_after_three_deaths_the_event_is_a_dead_letter_of_that_plugin(
    folder: StateFolder, seq: int
) -> None:
    deaths = Deaths("main", folder)
    for count in range(3):
        assert not folder.dead_letters_file.exists() or count == 0
        die_in(folder, seq)
        deaths.died(SEGFAULT, 0.0, time.monotonic(), hung=False)
    with DeadLetters(folder.dead_letters_file) as letters:
        (letter,) = letters.letters()
        assert letters.quarantined("main", seq - 1) == {("audit", seq)}
    assert (letter.plugin, letter.hook, letter.cause) == ("audit", "on_status", "died")
    assert (letter.detail, letter.count) == ("signal SIGSEGV", 3)
    assert decode_events(letter.event) == [event(seq)]


def test_an_event_that_the_journal_lost_is_not_set_aside(
    folder: StateFolder, caplog: pytest.LogCaptureFixture
) -> None:
    deaths = Deaths("main", folder)
    for _ in range(3):
        die_in(folder, 99)
        deaths.died(SEGFAULT, 0.0, time.monotonic(), hung=False)
    assert not folder.dead_letters_file.exists()
    assert "the journal does not have it" in caplog.text


def test_an_event_that_can_not_be_stored_is_delivered_again(
    folder: StateFolder, caplog: pytest.LogCaptureFixture
) -> None:
    folder.dead_letters_file.mkdir()
    deaths = Deaths("main", folder)
    for _ in range(3):
        die_in(folder, 2)
        deaths.died(SEGFAULT, 0.0, time.monotonic(), hung=False)
    assert "It is delivered again" in caplog.text


def test_deaths_that_leave_a_cursor_further_on_are_progress(folder: StateFolder) -> None:
    deaths = Deaths("main", folder)
    progress = []
    for cursor in (1, 1, 3):
        die_in(folder, cursor + 1, cursor)
        progress.append(deaths.died(SEGFAULT, 0.0, time.monotonic(), hung=False).progressed)
    assert progress == [False, False, True]


def test_marks_that_can_not_be_read_do_not_stop_the_restart(folder: StateFolder) -> None:
    folder.marks("main").parent.mkdir(parents=True)
    folder.marks("main").write_bytes(b"rubbish")
    found = Deaths("main", folder).died(SEGFAULT, 0.0, time.monotonic(), hung=False)
    assert found.call is None


def test_what_the_venue_sent_is_progress_of_a_connection_process_and_its_own_words_are_none(
    folder: StateFolder,
) -> None:
    pipeline = Pipeline("own")
    own: list[Record] = [
        pipeline.connected(Connected("ws://x", 1, 0, 1), 1),
        pipeline.problem(WebsocketClientError("no"), 2),
        pipeline.disconnected(Disconnected("it ended", 1006, 1, 1), 3),
    ]
    said = pipeline.feed(['{"type":"status","messageId":"1","userId":"","data":"hello"}'], 4)
    with Journal(folder.journal("own")) as journal:
        for number, record in enumerate([*own, *said, own[0]], 1):
            journal.append(encode_events([record]), number, number, 1, 1)
            assert heard(folder, "own", 0) == (number >= 4)
    assert heard(folder, "own", 3)
    assert not heard(folder, "own", 4)
    assert not heard(folder, "nobody", 0)
