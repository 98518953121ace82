"""Pruning while qehost runs: what it deletes, and what it says."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from qehost.host.cursors import Marks
from qehost.journal import Batch, Journal
from qehost.journal.layout import segments
from qehost.journal.reader import JournalReader
from qehost.messages import StatusEvent
from qehost.records import encode_events
from qehost.state import StateFolder
from qehost.supervision.upkeep import Upkeep

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
    marks = Marks.open(folder.marks(host), [], [], ["main"])
    marks.advance("main", seq)
    marks.close()


def look(folder: StateFolder, hosts: list[str], keep_bytes: int = 0) -> list[str]:
    said: list[str] = []

    def say(text: str, *values: object) -> None:
        said.append(text % values)

    upkeep = Upkeep(folder, ["main"], hosts, keep=7 * DAY, keep_bytes=keep_bytes)
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
