"""The sender's file: messages with what became of them, and how far the outbox was taken.

It is written by the sender alone, each change before the next step, so that a death at any moment
leaves either a message that was not sent, or one that is marked `sending`, or its answer.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec.structs import replace

from qehost_notify.message import Message, State

__all__ = ["History", "Post"]

KEPT = 1_000
"""Messages that have ended and are kept, to be looked at."""

_TABLES = """
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    state TEXT NOT NULL,
    rule TEXT NOT NULL,
    target TEXT NOT NULL,
    ended REAL,
    answer TEXT NOT NULL DEFAULT '',
    message BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS by_state ON messages (state);
CREATE INDEX IF NOT EXISTS by_rule ON messages (rule, target, state, ended);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value BLOB NOT NULL);
"""


class Post:
    """The file; used in the thread that made it."""

    def __init__(self, file: Path) -> None:
        self._database = sqlite3.connect(file, isolation_level=None, timeout=5.0)
        # NORMAL survives the death of every process, as the outbox does.
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL"):
            self._database.execute(f"PRAGMA {pragma}")
        self._database.executescript(_TABLES)

    @contextmanager
    def changes(self) -> Iterator[None]:
        """All of them, or none."""
        self._database.execute("BEGIN IMMEDIATE")
        with self._database:
            yield

    # --- messages ---------------------------------------------------------------------------------

    def open_messages(self) -> list[Message]:
        """Those that have not ended, the oldest first."""
        rows = self._database.execute(
            "SELECT message, id FROM messages WHERE state IN ('new', 'sending') ORDER BY id"
        )
        return [replace(msgspec.msgpack.decode(data, type=Message), id=id_) for data, id_ in rows]

    def save(self, message: Message) -> None:
        """Write a message; a new one (`id` 0) gets its number."""
        row = (message.state, message.rule, message.target, msgspec.msgpack.encode(message))
        if message.id:
            self._database.execute(
                "UPDATE messages SET state = ?, rule = ?, target = ?, message = ? WHERE id = ?",
                (*row, message.id),
            )
            return
        made = self._database.execute(
            "INSERT INTO messages (state, rule, target, message) VALUES (?, ?, ?, ?)", row
        )
        message.id = made.lastrowid or 0

    def finish(self, message: Message, state: State, answer: str, now: float) -> None:
        """A message has ended."""
        message.state = state
        self._database.execute(
            "UPDATE messages SET state = ?, ended = ?, answer = ?, message = ? WHERE id = ?",
            (state, now, answer, msgspec.msgpack.encode(message), message.id),
        )
        self._database.execute(
            "DELETE FROM messages WHERE id <= ? AND state NOT IN ('new', 'sending')",
            (message.id - KEPT,),
        )

    def remove(self, message: Message) -> None:
        """A message that went into another one."""
        self._database.execute("DELETE FROM messages WHERE id = ?", (message.id,))

    def last_sent(self, rule: str, target: str) -> float:
        """When a message of the rule was last taken there; 0: never."""
        (found,) = self._database.execute(
            "SELECT max(ended) FROM messages WHERE rule = ? AND target = ? AND state = 'sent'",
            (rule, target),
        ).fetchone()
        return found or 0.0

    # --- what else is remembered ------------------------------------------------------------------

    def fact(self, name: str) -> bytes:
        row = self._database.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return b"" if row is None else bytes(row[0])

    def set_fact(self, name: str, value: bytes) -> None:
        self._database.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def close(self) -> None:
        self._database.close()


class History:
    """The sender's file, for those who only look at it."""

    def __init__(self, file: Path) -> None:
        self._database = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)

    def last(self, limit: int) -> Iterator[tuple[str, float | None, str, Message]]:
        """State, end, answer and message of the last ones, the newest first."""
        for state, ended, answer, data in self._database.execute(
            "SELECT state, ended, answer, message FROM messages ORDER BY id DESC LIMIT ?", (limit,)
        ):
            yield state, ended, answer, msgspec.msgpack.decode(data, type=Message)

    def close(self) -> None:
        self._database.close()
