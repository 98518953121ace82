"""What hooks leave for the sender: a file that only hooks write, so that no hook waits for it.

The sender has a file of its own (`post.py`) and reads this one.  A second writer would hold hooks
up: with one that commits in a loop, one commit of a hundred took 55 ms.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

import msgspec

from qehost_notify.notice import Notice

__all__ = ["Arrived", "Inbox", "Outbox"]

KEPT = 20_000
"""Notices that are remembered after they were taken, so that an event that comes again after a
crash is known: many more than come again."""

_TABLES = """
CREATE TABLE IF NOT EXISTS notices (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    rule TEXT NOT NULL,
    journal_id TEXT NOT NULL,
    account TEXT NOT NULL,
    seq INTEGER NOT NULL,
    subject TEXT NOT NULL,
    kind TEXT NOT NULL,
    happened REAL NOT NULL,
    notice BLOB NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS by_event ON notices (journal_id, account, seq, rule)
    WHERE seq > 0;
CREATE UNIQUE INDEX IF NOT EXISTS by_subject ON notices (rule, account, subject)
    WHERE subject <> '';
"""
_INSERT = """
INSERT OR IGNORE INTO notices
    (rule, journal_id, account, seq, subject, kind, happened, notice)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""


class Outbox:
    """The file, as hooks have it: used in the thread that made it."""

    def __init__(self, file: Path) -> None:
        self._database = sqlite3.connect(file, isolation_level=None, timeout=5.0)
        self._encode = msgspec.msgpack.Encoder().encode
        # NORMAL survives the death of every process, and costs a fifth; the sender checkpoints.
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "wal_autocheckpoint = 0"):
            self._database.execute(f"PRAGMA {pragma}")
        self._database.executescript(_TABLES)

    def put(self, found: Iterable[tuple[str, Notice]]) -> int:
        """Keep what rules tell, in one transaction; what is there already stays as it is.  The
        number of the last one, 0 if there is none."""
        rows = [
            (
                rule,
                each.journal_id,
                each.account,
                each.seq,
                each.subject,
                each.when,
                each.happened,
                self._encode(each),
            )
            for rule, each in found
        ]
        self._database.execute("BEGIN IMMEDIATE")
        with self._database:  # commits, or rolls back
            self._database.executemany(_INSERT, rows)
            return _last(self._database)

    def last(self) -> int:
        """The number of the last notice; 0: there is none."""
        return _last(self._database)

    def forget(self, taken: int) -> None:
        """Delete what the sender has taken, but for the last of it: a few at a time."""
        self._database.execute(
            "DELETE FROM notices WHERE id IN "
            "(SELECT id FROM notices WHERE id <= ? ORDER BY id LIMIT 500)",
            (taken - KEPT,),
        )

    def close(self) -> None:
        self._database.close()


class Arrived(msgspec.Struct, frozen=True):
    """What has come for a rule: counts by kind, and of its things the first ones and the last."""

    rule: str
    kinds: dict[str, int]
    notices: list[Notice]


class Inbox:
    """The file, as the sender reads it.  Counting is done by SQLite, which lets hooks run."""

    def __init__(self, file: Path) -> None:
        self._database = sqlite3.connect(file, isolation_level=None, timeout=5.0)
        self._decode = msgspec.msgpack.Decoder(Notice).decode

    def last(self) -> int:
        """The number of the last notice; 0: there is none."""
        return _last(self._database)

    def arrived(self, after: int, until: int, since: float, shown: int) -> list[Arrived]:
        """By rule, what came after the one number, up to the other, and has happened `since`
        (epoch seconds)."""
        counts: dict[str, dict[str, int]] = {}
        place = (after, until, since)
        for rule, kind, count in self._database.execute(
            "SELECT rule, kind, count(*) FROM notices "
            "WHERE id > ? AND id <= ? AND happened >= ? GROUP BY rule, kind",
            place,
        ):
            counts.setdefault(rule, {})[kind] = count
        query = "SELECT id, notice FROM notices WHERE id > ? AND id <= ? AND happened >= ?"
        query += " AND rule = ? ORDER BY id"
        found = []
        for rule, kinds in counts.items():
            first = self._database.execute(f"{query} LIMIT {shown:d}", (*place, rule)).fetchall()
            last = self._database.execute(f"{query} DESC LIMIT 1", (*place, rule)).fetchall()
            notices = [self._decode(data) for _, data in sorted(dict([*first, *last]).items())]
            found.append(Arrived(rule, kinds, notices))
        return found

    def checkpoint(self) -> None:
        """Bring the write-ahead log into the file, as far as that delays nobody."""
        self._database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def close(self) -> None:
        self._database.close()


def _last(database: sqlite3.Connection) -> int:
    (found,) = database.execute("SELECT max(id) FROM notices").fetchone()
    return found or 0
