"""The file in which the cursors of a host process stand: how far its plugins have come with each
account.

Most plugins stand at the process's own cursor of the account, the head.  A plugin that does not,
since it waits or came later, has a cursor of its own beside it, until it has come level.

It is written with each slice of events, in place, by plain writes.  A memory map would cost less,
but ends the process (SIGBUS) where the disk can't be written just then.

The file, in the byte order of the machine::

      0  words of eight bytes: magic, version, number of slots, bytes of the names, check of
         these and the names; up to byte 128 zeros
    128  the slots, 48 bytes each: twice the cursor, the last event in flight, their check
      …  the names of the plugins and of the slots, as JSON: a slot is an account's, for the head,
         or `own_key`'s, for one plugin and account

A slot's check (CRC-32) covers its name, too.  A slot is written in one piece, so a reader
beside the writer, and the next process after a death, finds at least one of the two whole; a bit
that the disk has flipped costs nothing either.
"""

from __future__ import annotations

import logging
import os
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import msgspec

from qehost.errors import JournalError, NewerFormat
from qehost.storage.cursor_doubt import forget_doubt, note_doubt
from qehost.storage.private_files import open_file, private_folder, replace_file, trouble
from qehost.storage.state_folder import StateFolder

__all__ = [
    "LOST",
    "NEVER",
    "UNKNOWN",
    "UNSET",
    "Cursor",
    "CursorFile",
    "DamagedCursors",
    "StoredCursors",
    "furthest_behind",
    "own_key",
    "read_cursors",
    "stored_cursors",
]

log = logging.getLogger("qehost.cursors")

MAGIC = 0x736B72616D6571  # "qemarks"; another byte order would show in it.
VERSION = 3
"""Before 3 there were no cursors of single plugins: all stood at the head."""
HEADER = struct.Struct("=5q88x")
PAIR = struct.Struct("=qq")
CHECK = struct.Struct("=I4x")
RECORD_SIZE = PAIR.size + CHECK.size
SLOT_SIZE = 2 * RECORD_SIZE

NEVER, LOST = -1, -2
OWN = "\0"
"""Stands in no account's name."""


class Cursor(NamedTuple):
    """How far a host process, or one plugin of it, has come with an account."""

    done: int
    """The last event that it is done with; NEVER: nothing of the account was ever given to the
    process, or the plugin has no cursor of its own."""
    in_flight: int
    """The last event that may have reached a plugin; NEVER: none; LOST: it is not known."""


UNSET = Cursor(NEVER, NEVER)
UNKNOWN = Cursor(0, LOST)
"""Better all of the journal once more than an event not at all."""


class StoredCursors(NamedTuple):
    """What a file holds.  A cursor that can't be read is UNKNOWN."""

    plugins: tuple[str, ...]
    """Those that the process had."""
    cursors: dict[str, Cursor]
    """By account, and by `own_key`, for those that were ever set."""

    def heads(self) -> dict[str, Cursor]:
        """By account, without those of single plugins."""
        return {name: cursor for name, cursor in self.cursors.items() if not _is_own(name)}

    def of_plugin(self, plugin: str, account: str) -> Cursor | None:
        """How far the plugin has come; None: it is not of this process, or got nothing yet."""
        if plugin not in self.plugins:
            return None
        return self.cursors.get(own_key(plugin, account), self.cursors.get(account))

    def furthest_behind(self, account: str) -> tuple[str, int] | None:
        """Whose cursor of the account is the lowest: a plugin's name, or `""` for the head."""
        found = {"": self.cursors.get(account)}
        found |= {p: self.cursors.get(own_key(p, account)) for p in self.plugins}
        done = {who: cursor.done for who, cursor in found.items() if cursor is not None}
        return min(done.items(), key=lambda item: item[1]) if "" in done else None


def own_key(plugin: str, account: str) -> str:
    """The name of a plugin's own cursor."""
    return f"{account}{OWN}{plugin}"


def _is_own(name: str) -> bool:
    return OWN in name


def stored_cursors(plugins: tuple[str, ...], cursors: Mapping[str, Cursor]) -> StoredCursors:
    return StoredCursors(plugins, {a: cursor for a, cursor in cursors.items() if cursor != UNSET})


class DamagedCursors(JournalError):
    """The file is not what it should be."""


class CursorFile:
    """The file, for the one process that writes it.

    Nothing here raises: what can't be written is told once, and written again when that is
    possible.
    """

    def __init__(self, path: Path, plugins: Sequence[str], slots: Sequence[str]) -> None:
        self.problem: JournalError | None = None
        """Why the cursors are not on the disk."""
        self._path = path
        self._names = msgspec.json.encode(_CursorNames(tuple(plugins), tuple(slots)))
        self._seeds = [crc32(name.encode()) for name in slots]
        self._fd = -1

    def write(self, place: int, cursor: tuple[int, int]) -> None:
        """Write the slot number `place`."""
        if self._fd >= 0:
            try:
                os.pwrite(
                    self._fd, _slot(self._seeds[place], cursor), HEADER.size + place * SLOT_SIZE
                )
            except OSError as error:
                self._failed(error)

    def save(self, cursors: Sequence[tuple[int, int]]) -> None:
        """Write all of it: a new file, or, where a full disk takes none, into the one that is
        there."""
        content = self._content(cursors)
        try:
            try:
                private_folder(self._path.parent)
                replace_file(self._path, content, sync=True)
            except (OSError, JournalError):
                self._open()
                if os.fstat(self._fd).st_size < len(content):
                    raise
                os.pwrite(self._fd, content, 0)
            else:
                self._open()
        except (OSError, JournalError) as error:
            self.close()  # what is there may have other accounts
            self._failed(error)
        else:
            if self.problem is not None:
                log.warning("%s: the cursors are on the disk again", self._path)
            self.problem = None
            forget_doubt(self._path)

    def look_after(self, cursors: Sequence[tuple[int, int]]) -> None:
        """To be called about once a second: what was deleted or changed by others, or could not be
        written, is written again."""
        content = self._content(cursors)
        try:
            there = os.pread(self._fd, len(content), 0) if self._fd >= 0 else b""
            own = self._fd >= 0 and os.path.samestat(os.fstat(self._fd), os.stat(self._path))
        except OSError:
            there, own = b"", False
        if own and there == content and self.problem is None:
            return
        if self.problem is None:
            log.error("%s was deleted or changed while it was in use: writing it anew", self._path)
        self.save(cursors)

    def sync(self) -> None:
        """Bring what was written to the disk, for `durability = "power"`."""
        if self._fd >= 0:
            try:
                os.fsync(self._fd)
            except OSError as error:
                self._failed(error)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> None:
        self.close()
        self._fd = open_file(self._path)

    def _failed(self, error: OSError | JournalError) -> None:
        told = trouble(self._path, error) if isinstance(error, OSError) else error
        if self.problem is None:
            # Before the events are delivered.
            marked = "marked as redelivered" if note_doubt(self._path) else "and is not marked"
            log.critical(
                "%s. Plugins get every event, but what they get now comes again after a crash, %s",
                told,
                marked,
            )
        self.problem = told

    def _content(self, cursors: Sequence[tuple[int, int]]) -> bytes:
        words = MAGIC, VERSION, len(self._seeds), len(self._names)
        slots = map(_slot, self._seeds, cursors)
        check = _header_check(words, self._names)
        return b"".join((HEADER.pack(*words, check), *slots, self._names))


def read_cursors(path: Path) -> StoredCursors | None:
    """What stands in a file; None: there is none.

    Raises JournalError where it can't be read, DamagedCursors where nothing of it can, and
    NewerFormat for the file of a newer qehost.
    """
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise trouble(path, error) from error
    if len(content) < HEADER.size:
        raise _damaged(path, "it was cut off")
    magic, version, count, size, check = HEADER.unpack_from(content)
    if magic != MAGIC:
        raise _damaged(path, "it is no progress file")
    if version == 1:
        return _read_first_version(path, content)
    start = HEADER.size + count * SLOT_SIZE
    text = content[start : start + size]
    if len(text) != size or check != _header_check((magic, version, count, size), text):
        raise _damaged(path, "its names are damaged")
    if version > VERSION:
        raise NewerFormat(
            str(path), f"was written by a newer qehost (format {version}): update qehost"
        )
    names = msgspec.json.decode(text, type=_CursorNames)
    cursors = {
        account: _read_slot(content, HEADER.size + place * SLOT_SIZE, account)
        for place, account in enumerate(names.accounts)
    }
    return stored_cursors(names.plugins, cursors)


def furthest_behind(folder: StateFolder, account: str) -> dict[str, tuple[str, int]]:
    """By host process: its plugin that is furthest behind (`""`: those at the head), and the last
    event that it has had.  Raises JournalError."""
    found = {name: read_cursors(folder.progress_file(name)) for name in folder.processes()}
    return {
        name: behind
        for name, stored in found.items()
        if stored is not None and (behind := stored.furthest_behind(account)) is not None
    }


class _CursorNames(msgspec.Struct, frozen=True):
    plugins: tuple[str, ...]
    accounts: tuple[str, ...]


def _header_check(words: Sequence[int], names: bytes) -> int:
    return crc32(names, crc32(struct.pack(f"={len(words)}q", *words)))


def _slot(seed: int, cursor: tuple[int, int]) -> bytes:
    pair = PAIR.pack(*cursor)
    return 2 * (pair + CHECK.pack(crc32(pair, seed)))


def _read_slot(content: bytes, at: int, account: str) -> Cursor:
    seed = crc32(account.encode())
    for start in (at, at + RECORD_SIZE):
        pair = content[start : start + PAIR.size]
        if content[start + PAIR.size : start + RECORD_SIZE] == CHECK.pack(crc32(pair, seed)):
            return Cursor(*PAIR.unpack(pair))
    return UNKNOWN


def _read_first_version(path: Path, content: bytes) -> StoredCursors:
    """Without checks: words up to 128, two for each account, then the names of plugins, hooks and
    accounts."""
    _, _, length, size, check = HEADER.unpack_from(content)
    text = content[8 * length :][:size] if length > 0 else b""
    if len(text) != size or check != crc32(text):
        raise _damaged(path, "its names are damaged")
    names = msgspec.json.decode(text, type=_CursorNames)
    if 8 * length != HEADER.size + PAIR.size * len(names.accounts):
        raise _damaged(path, "its length is wrong")
    pairs = PAIR.iter_unpack(content[HEADER.size : 8 * length])
    return stored_cursors(
        names.plugins, dict(zip(names.accounts, map(Cursor._make, pairs), strict=True))
    )


def _damaged(path: Path, why: str) -> DamagedCursors:
    return DamagedCursors(str(path), f"the progress file can't be read: {why}")
