"""The connection to the database, a limit to the time of a call, and what its errors mean."""

from __future__ import annotations

import os
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from qehost.errors import DecodeError, Error
from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError
from sqlalchemy.pool import NullPool

__all__ = ["Database", "DatabaseError", "is_content", "reason_of"]

CONNECT = 2
"""Seconds for a connection to PostgreSQL, for each address of the server."""
LOCK = 3
"""Seconds that a statement waits for another writer."""
STATEMENT = 5
"""Seconds after which the server ends a statement."""


class DatabaseError(Error):
    """The database can't do what a command needs."""


class Database:
    """One connection, opened when it is needed, and again after it has failed.

    For one thread.  What fails raises an error of SQLAlchemy, of the driver, or OSError.  One that
    is only for `reading` keeps no writer out, and its queries may take long.
    """

    def __init__(self, url: URL, *, reading: bool = False) -> None:
        self.url = url
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self._connection: Connection | None = None
        self._raw: Any = None
        self._file: tuple[int, int] | None = None
        options: dict[str, Any] = {"timeout": LOCK}
        if not self.is_sqlite:
            asked = str(url.query.get("options", ""))
            settings = ["TimeZone=UTC"]
            if not reading:
                settings += [f"statement_timeout={STATEMENT}s", f"lock_timeout={LOCK}s"]
                # All that is read is found by its key.  A plan is made once, when tables may be
                # empty, and is kept when they have grown.
                settings += ["enable_seqscan=off"]
            options = {
                "connect_timeout": CONNECT,
                "application_name": "qehost-store",
                "options": " ".join([asked, *(f"-c {each}" for each in settings)]).strip(),
            }
        # One connection that is kept here: a pool would only hide when it is opened.
        self._engine = create_engine(
            url, poolclass=NullPool, connect_args=options, hide_parameters=True
        )
        event.listen(self._engine, "do_connect", self._connect)
        if self.is_sqlite:
            event.listen(self._engine, "connect", _set_up_sqlite)
            event.listen(self._engine, "begin", _begin_reading if reading else _begin_sqlite)

    @property
    def name(self) -> str:
        """For people: without the password."""
        if self.is_sqlite:
            return str(self.url.database)
        return f"{self.url.host or 'localhost'}/{self.url.database or ''}"

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Committed at the end, rolled back where something is raised."""
        connection = self._opened()
        with connection.begin():
            yield connection

    @contextmanager
    def limit(self, seconds: float) -> Iterator[None]:
        """What takes longer in here fails.

        Only a shut socket ends a statement whose server does not answer any more (a paused machine,
        a frozen process): the kernel goes on to answer for it, so neither time-outs of the server
        nor those of TCP come to pass.  SQLite has no such wait but that for a lock.
        """
        if self.is_sqlite:
            yield
            return
        timer = threading.Timer(seconds, self._hang_up)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def close(self) -> None:
        """The next transaction opens it again."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        with suppress(SQLAlchemyError, OSError, sqlite3.Error):
            connection.invalidate()
        with suppress(SQLAlchemyError, OSError, sqlite3.Error):
            connection.close()
        self._raw = None

    def _opened(self) -> Connection:
        if self._connection is not None and self.is_sqlite and self._file != self._on_disk():
            self.close()  # Another file has taken its place: this one would be written in vain.
        if self._connection is None:
            self._connection = self._engine.connect()
            self._file = self._on_disk() if self.is_sqlite else None
        return self._connection

    def _on_disk(self) -> tuple[int, int] | None:
        try:
            found = Path(self.url.database or "").stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _connect(self, dialect: Any, record: object, args: Any, options: Any) -> Any:
        """Known at once: SQLAlchemy asks the server some things before it hands it out."""
        self._raw = dialect.connect(*args, **options)
        return self._raw

    def _hang_up(self) -> None:
        """In the timer's thread."""
        # The connection may be closed, or never have been opened.
        with suppress(Exception), socket.socket(fileno=os.dup(self._raw.fileno())) as copy:
            copy.shutdown(socket.SHUT_RDWR)


def _set_up_sqlite(connection: sqlite3.Connection, record: object) -> None:
    # sqlite3 would begin transactions by itself, and leave DDL out of them.
    connection.isolation_level = None
    # Those who read don't hold up the writer.  FULL: a power cut takes back nothing.
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that begins by reading can't always write later.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_reading(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def is_content(error: BaseException) -> bool:
    """Whether it is what was written that can't be taken, and never will be; all else may pass.

    By SQLSTATE: the classes of the exceptions mislead.  A read-only server is an InternalError, a
    missing privilege a ProgrammingError.
    """
    if isinstance(error, DBAPIError):
        original = error.orig
        state = getattr(original, "sqlstate", None)
        if state is not None:
            return str(state)[:2] in ("22", "23")
        # Without one psycopg's DataError is a value that can't be sent.
        return type(original).__name__ in ("DataError", "IntegrityError")
    if isinstance(error, StatementError) and error.orig is not None:
        return is_content(error.orig)
    # A number beyond 64 bits, half a character, an exponent without end, a text that is no event.
    return isinstance(error, OverflowError | ArithmeticError | UnicodeError | DecodeError)


def reason_of(error: BaseException) -> str:
    """In one line, for people, without the statement."""
    original = getattr(error, "orig", None) or error
    if isinstance(original, Error):
        return str(original)
    lines = str(original).strip().splitlines()
    return lines[0] if lines else type(original).__name__
