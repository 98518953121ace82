"""Whole files are deleted, oldest first, and nothing that is still to be delivered."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from journals import append, append_until, files, many_files, seqs

from qehost.errors import JournalError
from qehost.storage.journal import Journal
from qehost.storage.journal.pruning import journal_bytes, prune

# --- pruning ----------------------------------------------------------------------------------


def test_pruning_by_age_deletes_whole_files_and_keeps_the_newest(folder: Path) -> None:
    last = many_files(folder)
    report = prune(folder, not_past_seq=last, keep_seconds=60)
    assert (report.files, report.last_seq, report.undelivered, report.held_back) == (
        2,
        40,
        0,
        False,
    )
    assert report.bytes > 0
    assert seqs(folder) == list(range(41, last + 1))


def test_pruning_by_age_stops_at_the_cursor_and_says_so(folder: Path) -> None:
    many_files(folder)
    report = prune(folder, not_past_seq=25, keep_seconds=60)
    assert (report.files, report.last_seq, report.held_back) == (1, 20, True)
    assert seqs(folder)[0] == 21


def test_pruning_by_size_goes_past_the_cursor_and_says_how_far(folder: Path) -> None:
    last = many_files(folder)
    report = prune(folder, not_past_seq=25, keep_bytes=1)
    assert (report.files, report.last_seq, report.undelivered) == (2, 40, 15)
    assert seqs(folder) == list(range(41, last + 1))


def test_what_is_young_and_small_is_kept(folder: Path) -> None:
    last = many_files(folder)
    size = journal_bytes(folder)
    assert prune(folder, not_past_seq=last, keep_seconds=1e9 * 5, keep_bytes=size).files == 0
    assert seqs(folder) == list(range(1, last + 1))


def test_pruning_while_it_is_written_leaves_the_file_in_use(folder: Path, small: Journal) -> None:
    last = append_until(small, 0, lambda: len(files(folder)) >= 4)
    prune(folder, not_past_seq=last, keep_seconds=0)
    append(small, last + 1, last + 1)
    assert seqs(folder)[-1] == last + 1
    assert len(files(folder)) <= 3


def test_a_damaged_file_is_pruned_when_it_is_old(folder: Path) -> None:
    last = many_files(folder)
    path = files(folder)[0]
    written_at = path.stat().st_mtime_ns
    path.write_bytes(b"not a journal at all, " * 1000)
    os.utime(path, ns=(written_at, written_at))
    report = prune(folder, not_past_seq=last, keep_seconds=60)
    assert report.files == 2
    assert not path.exists()


@pytest.mark.parametrize("year", [1970, 2106])
@pytest.mark.parametrize("which", [0, 1, 3])
def test_a_clock_that_was_wrong_for_a_while_neither_deletes_too_early_nor_keeps_for_ever(
    folder: Path, year: int, which: int
) -> None:
    last = many_files(folder, 5)
    wrong = (year - 1970) * 365.25 * 86_400
    os.utime(files(folder)[which], (wrong, wrong))
    kept = prune(folder, not_past_seq=last, keep_seconds=60 * 86_400)
    assert kept.files == 0
    assert prune(folder, not_past_seq=last, keep_seconds=60).files == 4


def test_files_that_cannot_be_looked_into_for_now_are_not_taken_for_delivered(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many_files(folder)

    def refusing(*_: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "open", refusing)
    with pytest.raises(JournalError, match="Too many"):
        prune(folder, not_past_seq=5, keep_seconds=60)
    monkeypatch.undo()
    assert len(files(folder)) == 3


def test_damaged_neighbours_that_were_not_delivered_are_held_back(folder: Path) -> None:
    many_files(folder, 4)
    for path in files(folder)[1:3]:
        written_at = path.stat().st_mtime_ns
        path.write_bytes(b"not a journal at all, " * 1000)
        os.utime(path, ns=(written_at, written_at))
    report = prune(folder, not_past_seq=20, keep_seconds=60)
    assert (report.files, report.last_seq, report.held_back) == (1, 20, True)
    assert prune(folder, not_past_seq=60, keep_seconds=60).files == 2
