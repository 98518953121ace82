"""Pruning while qehost runs: what it deletes, and what it says."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from qehost.events.codec import encode_events
from qehost.messages import StatusEvent
from qehost.storage.cursor_file import Cursor, own_key
from qehost.storage.cursors import Cursors
from qehost.storage.journal import Batch, Journal
from qehost.storage.journal.layout import segments
from qehost.storage.journal.reader import JournalReader
from qehost.storage.state_folder import StateFolder
from qehost.supervisor.retention import Retention

DAY = 86_400.0


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    """Three files of a journal with ten events each, the first two of them a month old."""
    folder = StateFolder(tmp_path)
    for number in range(3):
        at = time.time_ns() - (0 if number == 2 else int(30 * DAY * 1e9))
        with Journal(folder.journal("main")) as journal:
            for seq in range(1 + 10 * number, 11 + 10 * number):
                one = StatusEvent(seq, "main", "", at, "stream", False, "x" * 1000, "")
                journal.append(encode_events([one]), seq, seq, at, at)
        os.utime(segments(folder.journal("main"))[-1], ns=(at, at))
    return folder


def cursor(folder: StateFolder, host: str, seq: int) -> None:
    cursors = Cursors.open(folder.progress_file(host), [], ["main"])
    cursors.advance("main", seq)
    cursors.close()


def look(folder: StateFolder, hosts: list[str], keep_bytes: int = 0) -> list[str]:
    said: list[str] = []

    def say(text: str, *values: object) -> None:
        said.append(text % values)

    upkeep = Retention(folder, ["main"], hosts, keep=7 * DAY, keep_bytes=keep_bytes)
    upkeep.look("main", say, say)
    return said


def first_seq(folder: StateFolder) -> int:
    with JournalReader(folder.journal("main")) as journal:
        first = next(iter(journal.read(0)))
    assert isinstance(first, Batch)
    return first.first_seq


def test_what_is_old_and_delivered_is_deleted_without_a_word(folder: StateFolder) -> None:
    cursor(folder, "main", 30)
    assert look(folder, ["main"]) == []
    assert first_seq(folder) == 21


def test_what_a_host_process_has_not_got_to_stays_and_its_name_is_told(
    folder: StateFolder,
) -> None:
    cursor(folder, "main", 30)
    cursor(folder, "slow", 15)
    (said,) = look(folder, ["main", "slow"])
    assert "host process slow has come to event 15 only" in said
    assert first_seq(folder) == 11


def test_a_host_process_that_is_no_longer_there_holds_nothing_back(folder: StateFolder) -> None:
    cursor(folder, "main", 30)
    cursor(folder, "former", 2)
    assert look(folder, ["main"]) == []
    assert first_seq(folder) == 21


def test_a_host_process_without_a_cursor_holds_everything_back(folder: StateFolder) -> None:
    assert "has come to event 0 only" in look(folder, ["main"])[0]
    assert first_seq(folder) == 1


def test_size_deletes_what_is_not_delivered_too_and_says_so(folder: StateFolder) -> None:
    cursor(folder, "main", 4)
    (said,) = look(folder, ["main"], keep_bytes=1)
    assert "16 events deleted that were NOT DELIVERED" in said
    assert first_seq(folder) == 21


def test_what_a_plugin_waits_for_stays_and_it_is_named(folder: StateFolder) -> None:
    cursors = Cursors.open(folder.progress_file("main"), ["sink", "view"], ["main"])
    cursors.place("main", Cursor(30, 30))
    cursors.place(own_key("sink", "main"), Cursor(15, 15))
    cursors.close()
    (said,) = look(folder, ["main"])
    assert "plugin sink of host process main has come to event 15 only" in said
    assert first_seq(folder) == 11
    (said,) = look(folder, ["main"], keep_bytes=1)
    assert "5 events deleted that were NOT DELIVERED to plugin sink, which waits," in said
