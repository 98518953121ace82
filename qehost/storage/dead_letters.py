"""Events that a plugin could not take: its hook raised, or its process died of them.

One SQLite file for all processes: hosts and the supervisor write it, the command line lists, purges
and marks letters to be delivered again.  A host asks with `take`, about once a second, for what is
marked.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import msgspec

from qehost.errors import JournalError
from qehost.storage.dead_letter_tables import open_tables
from qehost.storage.sqlite import explain

__all__ = ["Cause", "DeadLetter", "DeadLetters", "LetterState"]

FIELDS = "id, at, account, plugin, process, seq, hook, cause, detail, count, state, event"
# A traceback can be as long as what a plugin puts into its exception.
DETAIL_LIMIT = 16_384
COUNT_EVERY = 1.0
"""Seconds between two notes of how many letters there was no room for."""

Cause = Literal["raised", "died"]
LetterState = Literal["dead", "retry", "delivered"]


class DeadLetter(msgspec.Struct, frozen=True):
    """One event that one plugin did not get, or not in one piece.

    `at` is epoch ns.  `cause` is `raised` (`detail` is the traceback) or `died` (`detail` says how
    the process ended: `signal SIGSEGV`).  `count` is how often it has gone wrong.  `state` is
    `dead`, `retry` (to be delivered again) or `delivered` (that went well).  `event` is the one
    event as `qehost.events.codec.encode_events` makes it of a list.
    """

    id: int
    at: int
    account: str
    plugin: str
    process: str
    seq: int
    hook: str
    cause: Cause
    detail: str
    count: int
    state: LetterState
    event: bytes


class DeadLetters:
    """The dead letters in a state folder; `path` is `StateFolder.dead_letters_file`.

    An instance belongs to one thread; any number of processes may have one.  Every method raises
    JournalError where the file can't be read or written.
    """

    def __init__(
        self,
        path: Path,
        *,
        limit: int = 10_000,
        limit_bytes: int = 64 << 20,
        busy_timeout: float = 2.0,
    ) -> None:
        """Open the file, or make it.

        `limit` letters, and `limit_bytes` bytes of events, are kept for each plugin: one that
        raises at every event must not fill the disk.  What goes beyond is counted.  `busy_timeout`
        (seconds) is how long another process's write is waited for.  A damaged file is set aside.
        """
        self.path = path
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._db = open_tables(path, busy_timeout)
        self._left_out: Counter[str] = Counter()
        self._count_at = 0.0

    def close(self) -> None:
        with suppress(JournalError):
            self._write_counts()
        self._db.close()

    def __enter__(self) -> DeadLetters:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(
        self,
        *,
        account: str,
        plugin: str,
        process: str,
        seq: int,
        hook: str,
        cause: Cause,
        detail: str,
        event: bytes,
        count: int = 1,
    ) -> bool:
        """Keep an event for a plugin.  False: the plugin has too many, it was only counted.

        The same event, plugin and hook again (after a crash, or a retry that went wrong) is the
        same letter, with `count` added to its own.  An event that a process died of is always
        kept, since only then may it be passed over.
        """
        if len(detail) > DETAIL_LIMIT:
            half = DETAIL_LIMIT // 2
            detail = f"{detail[:half]}\n[… {len(detail) - 2 * half} characters …]\n{detail[-half:]}"
        with self.together():
            known = self._db.execute(
                "SELECT id, length(event) FROM letters"
                " WHERE plugin = ? AND account = ? AND seq = ? AND hook = ?",
                (plugin, account, seq, hook),
            ).fetchone()
            if known:
                # With its event: where the numbers began anew, it is another one.
                self._db.execute(
                    "UPDATE letters SET at = ?, process = ?, cause = ?, detail = ?,"
                    " count = count + ?, state = 'dead', event = ? WHERE id = ?",
                    (time.time_ns(), process, cause, detail, count, event, known[0]),
                )
                self._db.execute(
                    "UPDATE plugins SET bytes = bytes + ? WHERE plugin = ?",
                    (len(event) - known[1], plugin),
                )
                return True
            if cause == "raised" and not self._has_room(plugin, len(event)):
                self._left_out[plugin] += 1
                return False
            self._db.execute(
                "INSERT INTO letters (at, account, plugin, process, seq, hook, cause, detail,"
                " count, state, event) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'dead', ?)",
                (
                    time.time_ns(), account, plugin, process, seq, hook, cause, detail, count, event
                ),
            )  # fmt: skip
            return True

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is done within is written all at once, or not at all: the disk is waited for once,
        for some 20 ms, and not for each letter."""
        if self._db.in_transaction:
            yield
            return
        with self._explained():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
        if time.monotonic() >= self._count_at:
            self._write_counts()

    def letters(
        self,
        *,
        ids: Collection[int] = (),
        plugin: str = "",
        account: str = "",
        cause: Cause | None = None,
        state: LetterState | None = None,
        limit: int = -1,
    ) -> list[DeadLetter]:
        """The letters that fit all that is given, the newest `limit` of them, oldest first."""
        where, values = _conditions(ids, plugin, account, cause, state)
        with self._explained():
            rows = self._db.execute(
                f"SELECT {FIELDS} FROM letters WHERE {where} ORDER BY id DESC LIMIT ?",
                (*values, limit),
            ).fetchall()
        return [DeadLetter(*row) for row in reversed(rows)]

    def counts(self) -> dict[str, int]:
        """How many letters each plugin has that were not delivered after all."""
        with self._explained():
            return dict(
                self._db.execute(
                    "SELECT plugin, count(*) FROM letters WHERE state IN ('dead', 'retry')"
                    " GROUP BY plugin"
                )
            )

    def left_out(self) -> dict[str, int]:
        """How many letters of each plugin were only counted since its last purge."""
        self._write_counts()
        with self._explained():
            return dict(self._db.execute("SELECT plugin, left_out FROM plugins WHERE left_out > 0"))

    def quarantined(self, account: str, after_seq: int) -> set[tuple[str, int]]:
        """(plugin, seq) of the events that killed a process, to be passed over for that plugin.

        A host asks once, when it starts, with its cursor.
        """
        with self._explained():
            return set(
                self._db.execute(
                    "SELECT plugin, seq FROM letters"
                    " WHERE cause = 'died' AND account = ? AND seq > ?",
                    (account, after_seq),
                )
            )

    def mark(self, ids: Collection[int]) -> list[int]:
        """Ask for these letters to be delivered again; the ids of those that there are."""
        with self._explained():
            rows = self._db.execute(
                f"UPDATE letters SET state = 'retry' WHERE id IN ({_places(ids)}) RETURNING id",
                (*ids,),
            ).fetchall()
        return sorted(id_ for (id_,) in rows)

    def take(self, plugins: Collection[str], limit: int = 100) -> list[DeadLetter]:
        """Letters that are marked, for these plugins, oldest first; they count as dead again.

        Call `delivered` after the hook has returned, or `add` if it raised.  If the process dies in
        between, the letter is still here, dead, and does not kill the next process too.
        """
        self._write_counts()
        with self._explained():
            marked = self._db.execute(
                f"SELECT id FROM letters WHERE state = 'retry' AND plugin IN ({_places(plugins)})"
                " ORDER BY id LIMIT ?",
                (*plugins, limit),
            ).fetchall()
            if not marked:
                return []
            ids = [id_ for (id_,) in marked]
            # Another host may have been quicker.
            taken = self._db.execute(
                f"UPDATE letters SET state = 'dead' WHERE id IN ({_places(ids)})"
                f" AND state = 'retry' RETURNING {FIELDS}",
                ids,
            ).fetchall()
        return sorted((DeadLetter(*row) for row in taken), key=lambda letter: letter.id)

    def delivered(self, id_: int) -> None:
        """The plugin has taken the event after all."""
        with self._explained():
            self._db.execute("UPDATE letters SET state = 'delivered' WHERE id = ?", (id_,))

    def purge(
        self,
        *,
        ids: Collection[int] = (),
        plugin: str = "",
        account: str = "",
        state: LetterState | None = None,
    ) -> int:
        """Remove the letters that fit all that is given; with nothing given, all.  How many."""
        self._write_counts()
        where, values = _conditions(ids, plugin, account, None, state)
        with self.together():
            count = self._db.execute(f"DELETE FROM letters WHERE {where}", values).rowcount
            if not ids and not account and state is None:
                self._db.execute(
                    "UPDATE plugins SET left_out = 0 WHERE ? IN ('', plugin)", (plugin,)
                )
        return count

    def _has_room(self, plugin: str, size: int) -> bool:
        row = self._db.execute(
            "SELECT letters, bytes FROM plugins WHERE plugin = ?", (plugin,)
        ).fetchone()
        return row is None or (row[0] < self._limit and row[1] + size <= self._limit_bytes)

    def _write_counts(self) -> None:
        """Not with each letter that there is no room for: each time waits for the disk."""
        if not self._left_out:
            return
        left_out, self._left_out = self._left_out, Counter()
        self._count_at = time.monotonic() + COUNT_EVERY
        with self.together():
            self._db.executemany(
                "INSERT INTO plugins (plugin, letters, bytes, left_out) VALUES (?, 0, 0, ?)"
                " ON CONFLICT DO UPDATE SET left_out = left_out + excluded.left_out",
                left_out.items(),
            )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise explain(self.path, error) from error


def _places(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))


def _conditions(
    ids: Collection[int], plugin: str, account: str, cause: str | None, state: str | None
) -> tuple[str, Sequence[object]]:
    where, values = ["1"], list[object]()
    for column, value in (
        ("plugin", plugin), ("account", account), ("cause", cause), ("state", state)
    ):  # fmt: skip
        if value:
            where.append(f"{column} = ?")
            values.append(value)
    if ids:
        where.append(f"id IN ({_places(ids)})")
        values.extend(ids)
    return " AND ".join(where), values
