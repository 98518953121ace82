"""Deleting what a journal need not keep: whole files, oldest first, from any process."""

from __future__ import annotations

import os
import time
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from qehost.errors import JournalError
from qehost.journal.layout import segments
from qehost.journal.segments import Segment
from qehost.state import trouble

__all__ = ["Pruned", "journal_bytes", "prune"]


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
    """Delete the files whose events are all older than `keep_seconds`, and the oldest ones as long
    as the journal takes more than `keep_bytes`.

    `not_past_seq` is the lowest cursor: age alone deletes nothing behind it, size does, and the
    report says so.  The newest file stays: it may be in use.  Raises JournalError.
    """
    paths = segments(folder)
    # Lazily: of a year of files, one or two are looked into.
    files = (file for path in paths if (file := _File.read(path)) is not None)
    total = journal_bytes(folder)
    oldest_kept = 0 if keep_seconds is None else time.time_ns() - int(keep_seconds * 1e9)
    report = Pruned()
    for file, following in pairwise(files):
        over = keep_bytes is not None and total > keep_bytes
        if not over and file.newest_at >= oldest_kept:
            break
        # A file that can't be read ends where the next one begins.
        last_seq = file.last_seq or following.first_seq - 1
        undelivered = max(0, last_seq - max(file.first_seq - 1, not_past_seq, report.last_seq))
        if undelivered and not over:
            return report._replace(held_back=True)
        try:
            size = file.path.stat().st_size
            file.path.unlink()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise trouble(file.path, error) from error
        total -= size
        report = Pruned(
            report.files + 1,
            report.bytes + size,
            max(report.last_seq, last_seq),
            report.undelivered + undelivered,
        )
    return report


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
    first_seq: int
    last_seq: int
    newest_at: int

    @classmethod
    def read(cls, path: Path) -> _File | None:
        """None: there is nothing in it.  All that is known of a damaged file is its age."""
        try:
            segment = Segment(path)
            try:
                first, last = segment.first_seq(), segment.last_seq()
                if first is None or last is None:
                    return None
                return cls(path, first, last, segment.newest_at())
            finally:
                segment.close()
        except (OSError, JournalError):
            try:
                return cls(path, 0, 0, path.stat().st_mtime_ns)
            except OSError:
                return None
