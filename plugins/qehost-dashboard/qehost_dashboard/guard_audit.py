"""What the plugin `guard` did or would do: the end of its audit file, a line of JSON for each step.

The file and its fields are documented in guard's README; where it is not installed there is none.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

__all__ = ["GuardAudit", "Intent"]

TAIL = 256 * 1024
"""Bytes that are read at the first time, and at most at a time."""
KEPT = 50


class Intent(msgspec.Struct, frozen=True, omit_defaults=True):
    """The last step of one intent."""

    intent: int
    at: str = ""
    state: str = ""
    how: str = ""
    text: str = ""
    armed: bool = False
    account: str = ""
    master_order_id: str = ""
    symbol: str = ""
    rule: str = ""
    action: str = ""
    reason: str = ""
    figures: Any = None


class GuardAudit:
    """Reads what was appended since the last time."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._at = 0
        self._file_id = (0, 0)
        self._intents: dict[int, Intent] = {}

    def read(self) -> list[Intent] | None:
        """The last intents, the newest first; None: none is another one since the last time."""
        if self._path is None:
            return None
        try:
            with self._path.open("rb") as file:
                lines = self._new_lines(file)
        except OSError:
            return None  # no guard, or one that has written nothing yet
        found = [intent for line in lines if (intent := _decoded(line)) is not None]
        for intent in found:
            self._intents.pop(intent.intent, None)
            self._intents[intent.intent] = intent
        while len(self._intents) > KEPT:
            del self._intents[next(iter(self._intents))]
        return self.intents() if found else None

    def intents(self) -> list[Intent]:
        return list(self._intents.values())[::-1]

    def _new_lines(self, file: BinaryIO) -> list[bytes]:
        facts = os.fstat(file.fileno())
        if (facts.st_dev, facts.st_ino) != self._file_id or facts.st_size < self._at:
            self._file_id, self._at = (facts.st_dev, facts.st_ino), 0
        begin = max(self._at, facts.st_size - TAIL)
        file.seek(begin)
        whole, newline, _ = file.read(facts.st_size - begin).rpartition(b"\n")
        self._at = begin + len(whole) + len(newline)
        return whole.split(b"\n")


def _decoded(line: bytes) -> Intent | None:
    try:
        return msgspec.json.decode(line, type=Intent)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None  # a torn line, or the rest of the one at which reading began
