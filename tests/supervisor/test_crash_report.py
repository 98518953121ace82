"""What a host process died of, read from what it left."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from qehost.events.codec import decode_events, encode_events
from qehost.messages import StatusEvent
from qehost.storage.dead_letters import DeadLetters
from qehost.storage.journal import Journal, JournalReader
from qehost.storage.progress import HookCall
from qehost.storage.state_folder import StateFolder
from qehost.supervisor.crash_report import Crashes, CrashReport, where

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


def report(crashes: Crashes, seq: int, cursor: int = 0) -> CrashReport:
    """It has died in `on_status` of `audit`."""
    now = time.monotonic()
    call = HookCall("audit", "on_status", "main", seq, now - 0.1)
    return crashes.report(call, {"main": cursor}, SEGFAULT, now, hung=False)


def test_plugin_hook_and_event_are_told(folder: StateFolder) -> None:
    found = report(Crashes("main", folder), 5)
    assert where(found.call) == ", in on_status of plugin audit with event 5 of account main"
    assert where(None) == ""


@pytest.mark.parametrize("seq", [1, 3, 4, 6])
def test_after_three_deaths_the_event_is_a_dead_letter_of_that_plugin(
    folder: StateFolder, seq: int
) -> None:
    crashes = Crashes("main", folder)
    for count in range(3):
        assert not folder.dead_letters_file.exists() or count == 0
        report(crashes, seq)
    with DeadLetters(folder.dead_letters_file) as letters:
        (letter,) = letters.letters()
        assert letters.quarantined("main", seq - 1) == {("audit", seq)}
    assert (letter.plugin, letter.hook, letter.cause) == ("audit", "on_status", "died")
    assert (letter.detail, letter.count) == ("signal SIGSEGV", 3)
    (found,) = decode_events(letter.event)
    assert found == replace(event(seq), journal_id=found.journal_id)
    with JournalReader(folder.journal("main")) as journal:
        assert journal.has(found.journal_id, seq)


def test_an_event_that_the_journal_lost_is_not_set_aside(
    folder: StateFolder, caplog: pytest.LogCaptureFixture
) -> None:
    crashes = Crashes("main", folder)
    for _ in range(3):
        report(crashes, 99)
    assert not folder.dead_letters_file.exists()
    assert "the journal does not have it" in caplog.text


def test_an_event_that_can_not_be_stored_is_delivered_again(
    folder: StateFolder, caplog: pytest.LogCaptureFixture
) -> None:
    folder.dead_letters_file.mkdir()
    crashes = Crashes("main", folder)
    for _ in range(3):
        report(crashes, 2)
    assert "It is delivered again" in caplog.text


def test_deaths_that_leave_a_cursor_further_on_are_progress(folder: StateFolder) -> None:
    crashes = Crashes("main", folder)
    reports = [report(crashes, cursor + 1, cursor) for cursor in (1, 1, 3)]
    assert [each.progressed for each in reports] == [False, False, True]
