"""One file of a journal: its format, and reading it, damaged parts included.

A journal is a folder of numbered SQLite files.  Only the newest is written; a full one is closed
for good.  So pruning deletes whole files and gives the disk its space back (deleting rows does not,
and SQLite's `auto_vacuum` makes every append slower), and a damaged file costs at most
what stands in it.

A row holds one batch of events: the very bytes that the queue carries.
"""

from __future__ import annotations

import os
import sqlite3
import struct
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from qehost.database import check_format, connect, explain, is_damage, migrate, remove
from qehost.errors import JournalError

__all__ = ["Batch", "Damage", "Segment", "append_statement", "create", "row_of", "seal", "segments"]

APPLICATION_ID = 0x71656A6C  # "qejl"
TABLE = (
    "CREATE TABLE batches (first_seq INTEGER PRIMARY KEY, last_seq INTEGER NOT NULL,"
    " first_at INTEGER NOT NULL, last_at INTEGER NOT NULL,"
    " crc INTEGER NOT NULL, events BLOB NOT NULL)"
)
# Format 1.  A later format is one more entry: old files are read as they are, new ones get it all.
STEPS = ((TABLE,),)
HEAD = struct.Struct("<qqqq")
COLUMNS = "first_seq, last_seq, first_at, last_at, crc, events"
# The batch that holds event :after + 1, or else the first one behind it.
FROM = (
    "FROM batches WHERE last_seq > :after AND first_seq >= coalesce("
    "(SELECT max(first_seq) FROM batches WHERE first_seq <= :after + 1), 0) ORDER BY first_seq"
)
LARGEST_SEQ = 2**62

append_statement = f"INSERT INTO batches ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"


class Batch(NamedTuple):
    """Events `first_seq` to `last_seq`, received from `first_at` to `last_at` (epoch ns).

    `events` is what `qehost.records.encode_events` made of them.
    """

    first_seq: int
    last_seq: int
    first_at: int
    last_at: int
    events: bytes


class Damage(NamedTuple):
    """Events that were written but can't be read; `error` says where and why."""

    first_seq: int
    last_seq: int
    error: JournalError


def segments(folder: Path) -> list[Path]:
    """The files of a journal, oldest first."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise explain(folder, error) from error
    numbered = sorted(
        (int(stem), name)
        for name in names
        for stem, dot, suffix in (name.partition("."),)
        if suffix == "db" and stem.isdecimal()
    )
    return [folder / name for _, name in numbered]


def create(folder: Path, durability: str) -> tuple[Path, sqlite3.Connection]:
    """Make the next file and open it for appending.  Raises sqlite3.Error or OSError."""
    existing = segments(folder)
    path = folder / f"{int(existing[-1].stem) + 1 if existing else 1:08d}.db"
    # Under another name first: a reader must never meet a file without its table.
    draft = folder / "next"
    remove(draft)
    db = connect(draft)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        migrate(db, 0, APPLICATION_ID, STEPS)
    finally:
        db.close()
    os.rename(draft, path)
    db = connect(path)
    try:
        # Closing moves the log into the database; while it is written nothing does.  SQLite's own
        # checkpoints in mid-append cost five times as much and stall for up to 120 ms.
        db.execute("PRAGMA wal_autocheckpoint=0")
        db.execute(f"PRAGMA synchronous={'FULL' if durability == 'power' else 'NORMAL'}")
        # macOS: without it a sync stops at the disk's cache.
        db.execute("PRAGMA fullfsync=ON")
        db.execute("SELECT count(*) FROM batches").fetchone()
    except BaseException:
        db.close()
        raise
    return path, db


def seal(path: Path) -> None:
    """Bring a file that is no longer written into one piece; an empty one is deleted.

    What hinders it (a reader, a full disk, damage) leaves the file as it is, which is readable too.
    """
    with suppress(sqlite3.Error, OSError):
        db = connect(path, create=False)  # it may have been pruned
        try:
            empty = db.execute("SELECT 1 FROM batches LIMIT 1").fetchone() is None
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            db.close()
        if empty:
            remove(path)


def row_of(first_seq: int, last_seq: int, first_at: int, last_at: int, events: bytes) -> Any:
    """The parameters of `append_statement`."""
    # SQLite has no checksum of what it stores.  This one covers the numbers too.
    crc = zlib.crc32(events, zlib.crc32(HEAD.pack(first_seq, last_seq, first_at, last_at)))
    return first_seq, last_seq, first_at, last_at, crc, events


def _is_whole(row: tuple[Any, ...]) -> bool:
    *numbers, crc, events = row
    if not (isinstance(events, bytes) and all(isinstance(number, int) for number in numbers)):
        return False
    first_seq, last_seq, first_at, last_at = numbers
    return bool(row_of(first_seq, last_seq, first_at, last_at, events)[4] == crc)


class Segment:
    """One file, for reading, also while it is written by another process.

    Every call ends its read transaction before it returns, so a slow consumer holds up nothing.
    The methods raise sqlite3.Error where the file can't be read.
    """

    def __init__(self, path: Path) -> None:
        """Raises sqlite3.Error or JournalError; NewerFormat for a file of a newer qehost."""
        self.path = path
        self._db = connect(path, read_only=True, busy_timeout=1.0)
        try:
            if not check_format(self._db, path, APPLICATION_ID, len(STEPS), "journal"):
                raise JournalError(str(path), "the file is damaged (it was cut off)")
            # A flipped bit in the table's definition would make its columns empty without an error.
            if self._db.execute("SELECT sql FROM sqlite_master").fetchall() != [(TABLE,)]:
                raise JournalError(str(path), "the file is damaged (its table's definition)")
            self.cut_off = self._is_cut_off()
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        self._db.close()

    def first_seq(self) -> int | None:
        """None: there is nothing in it."""
        row = self._db.execute(
            f"SELECT {COLUMNS} FROM batches ORDER BY first_seq LIMIT 1"
        ).fetchone()
        if row is None:
            return None
        if not _is_whole(row):
            raise sqlite3.DatabaseError("its first row is damaged")
        return int(row[0])

    def last_seq(self) -> int | None:
        row = self._db.execute(
            "SELECT last_seq FROM batches ORDER BY first_seq DESC LIMIT 1"
        ).fetchone()
        return None if row is None else int(row[0])

    def newest_at(self) -> int:
        """The latest time in it, epoch ns.  Not the last row's: clocks are set back."""
        (at,) = self._db.execute("SELECT max(last_at) FROM batches").fetchone()
        return int(at or 0)

    def read(self, after_seq: int, limit_bytes: int, end: int) -> list[Batch | Damage]:
        """Batches with events after `after_seq`, until `limit_bytes` are exceeded.

        The first may begin before.  `end` is the last event that the file can hold, for telling how
        far a damage goes.
        """
        found: list[Batch | Damage] = []
        size = 0
        trouble: JournalError | None = None
        if self.cut_off:
            trouble = JournalError(str(self.path), "the file is damaged (it was cut off)")
        rows = self._db.cursor()
        try:
            for row in rows.execute(f"SELECT {COLUMNS} {FROM}", {"after": after_seq}):
                item = self._checked(row, end)
                if isinstance(item, Batch):
                    size += len(item.events)
                elif not after_seq < item.last_seq <= end:
                    trouble = item.error
                    continue
                found.append(item)
                if size >= limit_bytes:
                    break
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            trouble = explain(self.path, error)
            # What came before the damage first; the next call begins at it.
            if not found and end > after_seq:
                found = [self._at_damage(after_seq, end, trouble)]
        finally:
            rows.close()
        if trouble and end > after_seq and all(item.last_seq <= after_seq for item in found):
            return [Damage(after_seq + 1, end, trouble)]
        return found

    def keys(self, since: int, until: int) -> list[int]:
        """The `first_seq` of each batch that reaches into the time from `since` to `until`.

        It reads no events, so it takes milliseconds for a whole file.
        """
        rows = self._db.execute(
            "SELECT first_seq FROM batches WHERE last_at >= ? AND first_at <= ? ORDER BY first_seq",
            (since, until),
        )
        return [first_seq for (first_seq,) in rows]

    def batch(self, first_seq: int, end: int) -> Batch | Damage:
        """The batch of that key."""
        try:
            row = self._db.execute(
                f"SELECT {COLUMNS} FROM batches WHERE first_seq = ?", (first_seq,)
            ).fetchone()
        except sqlite3.Error as error:
            return self._damage(first_seq, self._extent(first_seq, end), explain(self.path, error))
        return self._checked(row, end)

    def _checked(self, row: tuple[Any, ...], end: int) -> Batch | Damage:
        first_seq, last_seq, first_at, last_at, _, events = row
        if _is_whole(row):
            return Batch(first_seq, last_seq, first_at, last_at, events)
        error = JournalError(str(self.path), "the disk changed what was written (checksum)")
        # Its own last_seq is not to be trusted.
        return self._damage(first_seq, self._extent(first_seq, end), error)

    def _at_damage(self, after_seq: int, end: int, error: JournalError) -> Batch | Damage:
        """The one batch behind `after_seq`, or how far the damage there goes."""
        try:
            first_seq, _ = self._next(after_seq)
        except sqlite3.Error:
            pass
        else:
            return self.batch(first_seq, end)
        # A page of the tree is damaged, so a step to the next row fails.  Going in from the top
        # finds a page further on: look for the first place from which it works.
        failing, working = after_seq, after_seq + 1
        while not self._works(working):
            failing, working = working, working + 2 * (working - after_seq)
            if working > end:
                return self._damage(after_seq + 1, end, error)
        while working - failing > 1:
            middle = (working + failing) // 2
            failing, working = (failing, middle) if self._works(middle) else (middle, working)
        first_seq, _ = self._next(working)
        return self._damage(after_seq + 1, min(first_seq - 1, end), error)

    def _next(self, after_seq: int) -> tuple[int, int]:
        row = self._db.execute(f"SELECT first_seq, last_seq {FROM} LIMIT 1", {"after": after_seq})
        return row.fetchone() or (LARGEST_SEQ, LARGEST_SEQ)

    def _is_cut_off(self) -> bool:
        """Whether pages are missing.  SQLite reads what is missing of a page as zeros, and then
        finds rows in it that nobody wrote."""
        with suppress(FileNotFoundError):
            if self.path.with_name(f"{self.path.name}-wal").stat().st_size:
                return False  # It is written, or being brought into one piece.
        (pages,) = self._db.execute("PRAGMA page_count").fetchone()
        (page_size,) = self._db.execute("PRAGMA page_size").fetchone()
        try:
            return bool(self.path.stat().st_size < pages * page_size)
        except FileNotFoundError:
            return False  # Pruned a moment ago; what is open can be read.

    def _works(self, after_seq: int) -> bool:
        try:
            self._next(after_seq)
        except sqlite3.Error:
            return False
        return True

    def _extent(self, first_seq: int, end: int) -> int:
        """The last event that the batch of that key can hold."""
        try:
            (following,) = self._db.execute(
                "SELECT min(first_seq) FROM batches WHERE first_seq > ?", (first_seq,)
            ).fetchone()
        except sqlite3.Error:
            return end
        return end if following is None else int(following) - 1

    def _damage(self, first_seq: int, last_seq: int, error: JournalError) -> Damage:
        return Damage(first_seq, max(first_seq, last_seq), error)
