"""The SQLite file of the dead letters: its tables, and how it is opened.

Not in WAL mode: its index is a memory map of a file, and a process that touches it dies (SIGBUS)
when the folder can't be written just then, also one that only reads.  A rollback journal costs two
waits for the disk a transaction; letters are rare, and come together.
"""

from __future__ import annotations

import logging
import sqlite3
from contextlib import suppress
from pathlib import Path

from qehost.storage.private_files import private_folder
from qehost.storage.sqlite import CORRUPT, check_format, connect, explain, migrate, set_aside

__all__ = ["open_tables"]

log = logging.getLogger("qehost.dead_letters")

APPLICATION_ID = 0x7165646C  # "qedl"
STEPS = (
    (
        """
        CREATE TABLE letters (
            id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, account TEXT NOT NULL,
            plugin TEXT NOT NULL, process TEXT NOT NULL, seq INTEGER NOT NULL, hook TEXT NOT NULL,
            cause TEXT NOT NULL, detail TEXT NOT NULL, count INTEGER NOT NULL,
            state TEXT NOT NULL, event BLOB NOT NULL,
            UNIQUE (plugin, account, seq, hook)
        )
        """,
        "CREATE INDEX marked ON letters (plugin) WHERE state = 'retry'",
        "CREATE INDEX counted ON letters (plugin, state)",
        """
        CREATE TABLE plugins (
            plugin TEXT PRIMARY KEY, letters INTEGER NOT NULL, bytes INTEGER NOT NULL,
            left_out INTEGER NOT NULL DEFAULT 0
        ) WITHOUT ROWID
        """,
        """
        CREATE TRIGGER letter_added AFTER INSERT ON letters BEGIN
            INSERT INTO plugins (plugin, letters, bytes) VALUES (new.plugin, 1, length(new.event))
            ON CONFLICT DO UPDATE SET letters = letters + 1, bytes = bytes + length(new.event);
        END
        """,
        """
        CREATE TRIGGER letter_removed AFTER DELETE ON letters BEGIN
            UPDATE plugins SET letters = letters - 1, bytes = bytes - length(old.event)
            WHERE plugin = old.plugin;
        END
        """,
    ),
)


def open_tables(path: Path, busy_timeout: float) -> sqlite3.Connection:
    """Open the file, or make it; a damaged one is set aside.

    `busy_timeout` (seconds) is how long another process's write is waited for.  Raises
    JournalError.
    """
    private_folder(path.parent)
    try:
        try:
            return _open(path, busy_timeout)
        except sqlite3.Error as error:
            if error.sqlite_errorcode not in CORRUPT:
                raise
            log.error("%s; it is now %s", explain(path, error), set_aside(path))
            return _open(path, busy_timeout)
    except (sqlite3.Error, OSError) as error:
        raise explain(path, error) from error


def _open(path: Path, busy_timeout: float) -> sqlite3.Connection:
    db = connect(path, busy_timeout=busy_timeout)
    try:
        # Earlier versions used WAL.  That ends when nobody else has the file open.
        with suppress(sqlite3.OperationalError):
            db.execute("PRAGMA journal_mode=TRUNCATE")
        db.execute("PRAGMA synchronous=NORMAL")
        version = check_format(db, path, APPLICATION_ID, len(STEPS), "file")
        migrate(db, version, APPLICATION_ID, STEPS)
        # Damage shows when a page is read; better here than when a letter must be written.
        db.execute("SELECT count(*) FROM letters").fetchone()
    except BaseException:
        db.close()
        raise
    return db
