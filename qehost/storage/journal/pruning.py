"""Deleting what a journal need not keep: whole files, oldest first, from any process."""

from __future__ import annotations

import logging
import os
import time
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from qehost.errors import JournalError
from qehost.storage.journal.layout import HEADER_SIZE, segments
from qehost.storage.journal.open_orders import keep_open_orders, remove_open_orders
from qehost.storage.journal.segments import Segment, UnreadableFile, access
from qehost.storage.private_files import trouble

__all__ = ["Pruned", "journal_bytes", "prune"]


log = logging.getLogger("qehost.journal")

EARLIEST = 1_735_689_600 * 10**9  # 2025, in epoch ns: there was no journal before
CLOCK_ERROR = 86_400 * 10**9


class Pruned(NamedTuple):
    """What was deleted: events up to `last_seq` (0: nothing), `bytes` in `files` files.

    `undelivered` of those events had not been delivered; it is never more than 0 unless the journal
    was larger than it may be.  `held_back`: something is older than it need be kept, but not
    delivered yet, and so was kept.
    """

    files: int = 0
    bytes: int = 0
    last_seq: int = 0
    undelivered: int = 0
    held_back: bool = False


def prune(
    folder: Path,
    *,
    not_past_seq: int,
    keep_seconds: float | None = None,
    keep_bytes: int | None = None,
) -> Pruned:
    """Delete the files whose last event came `keep_seconds` ago or earlier, and the oldest ones as
    long as the journal takes more than `keep_bytes`.

    `not_past_seq` is the lowest cursor: age alone deletes nothing behind it, size does, and the
    report says so.  The newest file stays: it may be in use.  Raises JournalError.
    """
    now = time.time_ns()
    files = _files(folder, now)
    total = journal_bytes(folder)
    oldest_kept = 0 if keep_seconds is None else now - int(keep_seconds * 1e9)
    report = Pruned()
    doomed: list[_File] = []
    for place, file in enumerate(files[:-1]):
        over = keep_bytes is not None and total > keep_bytes
        # Of a year of files, one or two are looked into.
        if not over and file.written_at >= oldest_kept:
            break
        first_seq, last_seq = _span(file.path)
        if not last_seq:
            # A file that can't be read ends where the next one that can begins.
            later = (_span(each.path)[0] for each in files[place + 1 :])
            begins = next(filter(None, later), 0)
            if not begins and not over:
                break
            last_seq = max(0, begins - 1)
        undelivered = max(0, last_seq - max(first_seq - 1, not_past_seq, report.last_seq))
        if undelivered and not over:
            report = report._replace(held_back=True)
            break
        doomed.append(file)
        total -= file.size
        report = Pruned(
            report.files + 1,
            report.bytes + file.size,
            max(report.last_seq, last_seq),
            report.undelivered + undelivered,
        )
    _delete(folder, files, doomed)
    return report


def _delete(folder: Path, files: list[_File], doomed: list[_File]) -> None:
    """Delete these, the first ones of all; the open orders are written down before."""
    if not doomed:
        return
    try:
        keep_open_orders(folder, files[len(doomed)].path)
    except JournalError as error:
        # The disk is full, perhaps, and this gives room.
        log.warning("%s: of orders that are silent since then the last states are lost", error)
    for file in doomed:
        try:
            file.path.unlink(missing_ok=True)
            remove_open_orders(file.path)
        except OSError as error:
            raise trouble(file.path, error) from error


def journal_bytes(folder: Path) -> int:
    """What a journal takes on the disk."""
    total = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    total += entry.stat().st_size
                except FileNotFoundError:
                    continue
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise trouble(folder, error) from error
    return total


class _File(NamedTuple):
    path: Path
    written_at: int
    """When the last event was written, epoch ns."""
    size: int


def _files(folder: Path, now: int) -> list[_File]:
    """Those that hold something, oldest first.

    A clock that is set wrong for a while must neither delete a file too early nor keep it for ever.
    So a time that can't be right says nothing, and the file counts as old as the next one.
    """
    files: list[_File] = []
    written_at = now
    for path in reversed(segments(folder)):
        try:
            found = path.stat()
        except OSError:
            continue
        if EARLIEST <= found.st_mtime_ns <= now + CLOCK_ERROR:
            written_at = found.st_mtime_ns
        if found.st_size != HEADER_SIZE:
            files.append(_File(path, written_at, found.st_size))
    return files[::-1]


def _span(path: Path) -> tuple[int, int]:
    """The first event and the last one; 0 for what is damaged.  Raises JournalError."""
    try:
        with access(path), closing(Segment(path)) as segment:
            return segment.first_seq() or 0, segment.last_seq() or 0
    except UnreadableFile:
        return 0, 0
