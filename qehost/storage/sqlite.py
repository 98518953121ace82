"""How qehost's SQLite files are opened: their modes, their format's version, their errors."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from qehost.errors import JournalError, NewerFormat
from qehost.storage.private_files import open_file, trouble

__all__ = [
    "CORRUPT",
    "check_format",
    "connect",
    "explain",
    "migrate",
    "set_aside",
]

CORRUPT = frozenset((sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB))
# What SQLite may put beside a database; they take the database's mode.
COMPANIONS = ("-wal", "-shm", "-journal")


def connect(path: Path, *, busy_timeout: float = 0.0) -> sqlite3.Connection:
    """Open a database in autocommit mode; the file is made if it is missing.

    The connection may be handed from one thread to another, not used by two at once.
    `busy_timeout` is in seconds.  Raises sqlite3.Error or OSError.
    """
    try:
        # SQLite would follow a link.
        os.close(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC))
    except FileNotFoundError:
        os.close(open_file(path))
    # `%` and `?` in a path would be read as parts of the URI.
    return sqlite3.connect(
        f"file:{quote(str(path))}?mode=rw",
        uri=True,
        timeout=busy_timeout,
        isolation_level=None,
        check_same_thread=False,
    )


def check_format(
    db: sqlite3.Connection, path: Path, application_id: int, newest: int, what: str
) -> int:
    """The version of the file's format, 0 for an empty file.

    Raises NewerFormat, or JournalError for a file that is something else.
    """
    (found_id,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if found_id != application_id and (found_id or version or tables):
        raise JournalError(str(path), f"is a database, but no {what} of qehost")
    if version > newest:
        raise NewerFormat(
            str(path),
            f"was written by a newer qehost (format {version}, this one knows up to {newest}): "
            "update qehost, or choose another state folder with --state-dir",
        )
    return int(version)


def migrate(
    db: sqlite3.Connection, version: int, application_id: int, steps: Sequence[Sequence[str]]
) -> None:
    """Bring a file from `version` to `len(steps)`; each step of statements adds one.

    A new file is version 0, so creating one is the same thing.  All steps or none are done.
    """
    if version == len(steps):
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have done it while this one waited for the lock.
        (version,) = db.execute("PRAGMA user_version").fetchone()
        for step in steps[version:]:
            for statement in step:
                db.execute(statement)
        db.execute(f"PRAGMA application_id={application_id}")
        db.execute(f"PRAGMA user_version={len(steps)}")
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def explain(path: Path, error: Exception) -> JournalError:
    """What SQLite or the system says of a database, for people."""
    if isinstance(error, OSError):
        return trouble(path, error)
    text = str(error) or type(error).__name__
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        text = "the disk is full"
    elif code == sqlite3.SQLITE_READONLY:
        text = "the file or its folder is read-only"
    elif code == sqlite3.SQLITE_CANTOPEN:
        text = "can't be opened: it does not exist, or this user may not read it"
    elif code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        text = "another process has it locked"
    elif code == sqlite3.SQLITE_IOERR:
        text = f"the disk is full or failing ({text})"
    elif code in CORRUPT:
        text = f"the file is damaged ({text})"
    return JournalError(str(path), text)


def set_aside(path: Path) -> Path | None:
    """Rename a damaged database with its companions; the new name, None if there was none.

    Raises OSError.
    """
    aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%dT%H%M%S')}")
    for suffix in (*COMPANIONS, ""):
        part = path.with_name(path.name + suffix)
        try:
            os.rename(part, aside.with_name(aside.name + suffix))
        except FileNotFoundError:
            if not suffix:
                return None
    return aside
