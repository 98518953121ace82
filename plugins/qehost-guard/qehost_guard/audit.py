"""The audit file: a line of JSON for each step of each intent, whole in itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from qehost_guard.intents import Intent, Intents

__all__ = ["Audit"]

TAIL = 4 * 2**20
"""Bytes.  So far back the file is searched for lines whose end could not be noted."""


class Audit:
    """Appends to the file, and brings file and table level after a crash.

    For one thread.  Raises OSError, and Error of the table.
    """

    def __init__(self, path: Path, intents: Intents) -> None:
        self._path = path
        self._intents = intents
        folder_is_new = not path.exists()
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if folder_is_new:
            folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def close(self) -> None:
        os.close(self._file)

    def write(self, intent: Intent) -> None:
        """The intent's present step: it is on the disk when this returns.  After a failure it is
        `recover` that goes on."""
        line = msgspec.json.encode(_line(intent)) + b"\n"
        while line:
            line = line[os.write(self._file, line) :]
        os.fsync(self._file)
        self._intents.audited(intent)

    def restore(self) -> None:
        """Give the table what it has lost, where it was made anew or restored from an older copy.
        To be called before anything new is found."""
        steps = {each.key: each.step for each in self._intents.all()}
        lost = {each.key: each for each in self._lines(0) if each.step > steps.get(each.key, 0)}
        for intent in lost.values():
            self._intents.take_over(intent)

    def recover(self) -> None:
        """End a torn line, and write those that are missing."""
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            os.write(self._file, b"\n")
        if missing := self._intents.not_audited():
            there = {(each.key, each.step) for each in self._lines(size - TAIL)}
            for intent in missing:
                if (intent.key, intent.step) in there:
                    self._intents.audited(intent)
                else:
                    self.write(intent)

    def _lines(self, begin: int) -> Iterator[Intent]:
        if not os.fstat(self._file).st_size:  # a device has no end
            return
        with self._path.open("rb") as file:
            file.seek(max(0, begin))
            for line in file:
                try:
                    yield msgspec.json.decode(line, type=Intent)
                except (msgspec.MsgspecError, UnicodeDecodeError):
                    continue  # a torn line, or the rest of the one at which it begins


def _line(intent: Intent) -> dict[str, Any]:
    at = datetime.fromtimestamp(intent.changed / 1000, UTC).isoformat(timespec="milliseconds")
    fields = msgspec.to_builtins(intent)
    del fields["audited"]
    first = ("intent", "step", "state", "how", "text")
    return {
        "at": at.replace("+00:00", "Z"),
        **{name: fields[name] for name in first},
        **fields,
        "mark": intent.mark,
    }
