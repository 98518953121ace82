"""What the guard means to do and what came of it: one SQLite row each, committed before each step.

::

    intent ──► calling ──► done | refused | moot
      │          │  ▲
      │          ▼  │ (after the venue was asked)
      │        unknown ──► done | refused | moot
      └──► moot                (nothing was sent, or nothing that was carried out)

A dry run's row is `dry` at once, a warning's `done`.

A rule acts on a master order once: the row under (account, master order, rule, action, armed,
round) is unique, but for those that came to nothing before the venue took anything.  The journal's
id is no part of it: every restart draws another.  `rearm` begins another round.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec
from qehost.errors import Error

from qehost_guard.rules import Finding

__all__ = ["OPEN", "How", "Intent", "Intents", "State"]

State: TypeAlias = Literal["intent", "calling", "unknown", "done", "refused", "moot", "dry"]
How: TypeAlias = Literal["", "answered", "read back", "pushed", "not sent", "busy", "refused"]
"""How an outcome is known: by the venue's answer, by asking for the order, by the stream; or since
nothing was sent, or nothing but what the venue answered that it is too busy for.  `refused` is of a
call that was, while the order is still to be read."""
OPEN: tuple[State, ...] = ("intent", "calling", "unknown")
"""The states that are no outcome."""

FORMAT = 1
LONGEST_TEXT = 1_000
_BUSY = 2.0  # seconds for which another process may hold the file, and so hold up a hook
_TABLES = """
CREATE TABLE IF NOT EXISTS intents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL, master_order_id TEXT NOT NULL, symbol TEXT NOT NULL,
    rule TEXT NOT NULL, action TEXT NOT NULL, armed INTEGER NOT NULL, round INTEGER NOT NULL,
    reason TEXT NOT NULL, figures TEXT NOT NULL, journal_id TEXT NOT NULL, seq INTEGER NOT NULL,
    made INTEGER NOT NULL,          -- epoch ms, as all times
    state TEXT NOT NULL, step INTEGER NOT NULL, changed INTEGER NOT NULL,
    attempts INTEGER NOT NULL,      -- calls that were begun
    first_call INTEGER NOT NULL, unclear INTEGER NOT NULL,
    how TEXT NOT NULL, text TEXT NOT NULL,
    audited INTEGER NOT NULL        -- the step that the audit file has
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS once
    ON intents (account, master_order_id, rule, action, armed, round)
    WHERE NOT (state = 'moot' AND how IN ('not sent', 'busy'));
CREATE INDEX IF NOT EXISTS unfinished ON intents (id)
    WHERE state IN ('intent', 'calling', 'unknown');
CREATE TABLE IF NOT EXISTS rounds (rule TEXT PRIMARY KEY, round INTEGER NOT NULL) STRICT;
"""


class Intent(msgspec.Struct, frozen=True, rename={"id": "intent"}):
    """One row.  Times are epoch milliseconds."""

    id: int
    account: str
    master_order_id: str
    symbol: str
    rule: str
    action: str
    armed: bool
    round: int
    reason: str
    figures: dict[str, str]
    journal_id: str
    seq: int
    made: int
    state: State
    step: int
    changed: int
    attempts: int
    first_call: int
    unclear: int
    """Calls whose fate was not answered."""
    how: How
    text: str
    """In words, the venue's where there are some."""
    audited: int = 0
    """The step that the audit file has."""

    @property
    def key(self) -> tuple[int, int]:
        """Which no other intent has, also of another table in the same folder."""
        return self.id, self.made

    @property
    def mark(self) -> str:
        """What is sent to the venue as the reason of a cancel, and found there again."""
        return f"guard-{self.id}-{self.made}"


class Intents:
    """The table.  From any thread; another process may read and write it, too.

    Raises Error where the file can't be used.  With `only_read` nothing is changed or made, and
    whoever has the file meanwhile is not waited for.
    """

    def __init__(self, path: Path, *, only_read: bool = False) -> None:
        self._path = path
        self._lock = threading.Lock()
        with self._told():
            if only_read:
                self._db = sqlite3.connect(
                    f"{path.absolute().as_uri()}?mode=ro", timeout=0.2, uri=True
                )
                return
            # Autocommit: each statement is a transaction, and synced when it returns.
            self._db = sqlite3.connect(
                path, timeout=_BUSY, isolation_level=None, check_same_thread=False
            )
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = FULL")
                (version,) = self._db.execute("PRAGMA user_version").fetchone()
                if version > FORMAT:
                    raise Error(f"{path} was written by a newer qehost-guard: update this one")
                self._db.executescript(_TABLES)
                self._db.execute(f"PRAGMA user_version = {FORMAT}")
            except BaseException:
                self._db.close()
                raise

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def add(self, finding: Finding, state: State, *, armed: bool) -> Intent | None:
        """A new row; None if this rule has its row for this order already."""
        rule, now = finding.rule, _now()
        values = {
            "account": finding.account,
            "master_order_id": finding.master_order_id,
            "symbol": finding.symbol,
            "rule": rule.label,
            "action": rule.action,
            "armed": int(armed),
            "reason": finding.reason,
            "figures": msgspec.json.encode(finding.figures).decode(),
            "journal_id": finding.journal_id,
            "seq": finding.seq,
            "made": now,
            "state": state,
            "changed": now,
        }
        # Looked for first: a conflict would count up the id, and that is a write that is synced.
        statement = """
            WITH present(round) AS
                (SELECT coalesce((SELECT round FROM rounds WHERE rule = :rule), 0))
            INSERT INTO intents SELECT NULL, :account, :master_order_id, :symbol, :rule, :action,
            :armed, present.round, :reason, :figures,
            :journal_id, :seq, :made, :state, 1, :changed, 0, 0, 0, '', '', 0
            FROM present WHERE NOT EXISTS (
                SELECT 1 FROM intents AS acted WHERE account = :account
                AND master_order_id = :master_order_id AND rule = :rule AND action = :action
                AND armed = :armed AND acted.round = present.round
                AND NOT (state = 'moot' AND how IN ('not sent', 'busy'))
            ) ON CONFLICT DO NOTHING RETURNING *"""
        rows = self._read(statement, values)
        return rows[0] if rows else None

    def get(self, number: int) -> Intent:
        return self._read("SELECT * FROM intents WHERE id = :id", {"id": number})[0]

    def step(
        self, intent: Intent, state: State, text: str = "", how: How = "", *, unclear: bool = False
    ) -> Intent:
        """The next state, on the disk when this returns.  `unclear`: the call that was going on may
        have been carried out."""
        now = _now()
        is_call = state == "calling"
        changed: dict[str, Any] = {
            "state": state,
            "step": intent.step + 1,
            "changed": now,
            # The venue's words may be long, or such as no text can hold.
            "text": text[:LONGEST_TEXT].encode(errors="backslashreplace").decode(),
            "how": how,
            "attempts": intent.attempts + is_call,
            "first_call": (intent.first_call or now) if is_call else intent.first_call,
            "unclear": intent.unclear + unclear,
        }
        columns = ", ".join(f"{name} = :{name}" for name in changed)
        rows = self._read(
            f"UPDATE intents SET {columns} WHERE id = :id AND step = :was RETURNING *",
            {**changed, "id": intent.id, "was": intent.step},
        )
        if not rows:
            raise Error(f"intent {intent.id} was changed by another process")
        return rows[0]

    def audited(self, intent: Intent) -> None:
        """The audit file has the row's present step."""
        self._read(
            "UPDATE intents SET audited = max(audited, :step) WHERE id = :id RETURNING *",
            {"step": intent.step, "id": intent.id},
        )

    def not_audited(self) -> list[Intent]:
        return self._read("SELECT * FROM intents WHERE audited < step ORDER BY id", {})

    def unfinished(self) -> list[Intent]:
        """Those without an outcome, the oldest first."""
        states = "', '".join(OPEN)
        return self._read(f"SELECT * FROM intents WHERE state IN ('{states}') ORDER BY id", {})

    def take_over(self, intent: Intent) -> None:
        """What the table has lost: a row, or the later steps of one."""
        columns = Intent.__struct_fields__
        changed = ", ".join(f"{name} = excluded.{name}" for name in columns)
        self._read(
            f"INSERT INTO intents VALUES ({', '.join(f':{name}' for name in columns)}) "
            f"ON CONFLICT (id) DO UPDATE SET {changed} "
            "WHERE made = excluded.made AND step < excluded.step "
            "ON CONFLICT DO NOTHING RETURNING *",
            {
                **{name: getattr(intent, name) for name in columns},
                "armed": int(intent.armed),
                "figures": msgspec.json.encode(intent.figures).decode(),
                "audited": intent.step,
            },
        )
        with self._told(), self._lock:
            self._db.execute(
                "INSERT INTO rounds VALUES (:rule, :round) "
                "ON CONFLICT DO UPDATE SET round = max(round, excluded.round)",
                {"rule": intent.rule, "round": intent.round},
            )

    def all(self) -> list[Intent]:
        return self._read("SELECT * FROM intents ORDER BY id", {})

    def rearm(self, rule: str) -> int:
        """Let a rule act anew, also on orders on which it has acted; how many those are.

        Raises Error while something of it has no outcome.
        """
        if any(each.rule == rule for each in self.unfinished()):
            raise Error(f"rule {rule} has an action without an outcome: wait for it")
        acted = {(e.account, e.master_order_id) for e in self.all() if e.rule == rule}
        with self._told(), self._lock:
            self._db.execute(
                "INSERT INTO rounds VALUES (?, 1) ON CONFLICT DO UPDATE SET round = round + 1",
                (rule,),
            )
        return len(acted)

    def _read(self, statement: str, values: dict[str, Any]) -> list[Intent]:
        with self._told(), self._lock:
            rows = self._db.execute(statement, values).fetchall()
        return [_intent(row) for row in rows]

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise Error(f"{self._path}: {error}") from error


def _intent(row: tuple[Any, ...]) -> Intent:
    found = dict(zip(Intent.__struct_fields__, row, strict=True))
    found["armed"] = bool(found["armed"])
    found["figures"] = msgspec.json.decode(found["figures"], type=dict[str, str])
    return Intent(**found)


def _now() -> int:
    return time.time_ns() // 1_000_000
