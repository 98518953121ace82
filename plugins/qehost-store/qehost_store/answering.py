"""For `qehost check`: whether the database is there, and has tables that can be written."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from sqlalchemy import URL, delete, false
from sqlalchemy.exc import SQLAlchemyError

from qehost_store.database import Database, DatabaseError, reason_of
from qehost_store.schema import STEPS, version_of
from qehost_store.tables import cursors

__all__ = ["answer"]

ANSWER = 7.0
"""Seconds that a server has to answer."""


def answer(url: URL) -> str:
    """What is well.  Raises DatabaseError.  Nothing is changed."""
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        folder = Path(url.database or "").parent
        if not folder.is_dir():
            raise DatabaseError(f"{folder} is no folder, so {url.database} can't be made in it")
        return f"{url.database} is made at the first run"
    with closing(Database(url)) as database:
        try:
            with database.limit(ANSWER):
                return _answer(database)
        except (SQLAlchemyError, OSError) as error:
            raise DatabaseError(f"{database.name}: {reason_of(error)}") from error


def _answer(database: Database) -> str:
    with database.transaction() as connection:
        version = version_of(connection)
        if version == 0:
            return f"{database.name} answers, and gets its tables at the first run"
        if version != len(STEPS):
            raise DatabaseError(
                f"{database.name} has tables of version {version}, and this qehost-store writes "
                f"version {len(STEPS)}: `qehost store init` brings older ones to it"
            )
        # No row is changed; without the right, or on a server that only reads, it is refused.
        connection.execute(delete(cursors).where(false()))
    return f"{database.name} answers: tables of version {version}"
