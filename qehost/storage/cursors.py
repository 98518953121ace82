"""The cursors of a host process, for that process: in memory that outlives it, and in their file.

The memory is what the next process goes on from as long as the supervisor lives; the file is for
the next start.  So what a disk does to the file, while both live, costs nothing.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from qehost.errors import JournalError
from qehost.storage.cursor_doubt import is_in_doubt
from qehost.storage.cursor_file import (
    LOST,
    NEVER,
    OWN,
    UNKNOWN,
    UNSET,
    Cursor,
    CursorFile,
    DamagedCursors,
    StoredCursors,
    own_key,
    read_cursors,
    stored_cursors,
)
from qehost.storage.progress import ProgressMemory, write_cursor

__all__ = ["Cursors", "known_cursors"]

log = logging.getLogger("qehost.cursors")


class Cursors:
    """By slot: an account's name for the head of the process, or `own_key(plugin, account)`.

    `put_in_flight` before each slice of events, `advance` after it.  Those of accounts that are no
    longer there are kept, those of other plugins are not.
    """

    def __init__(
        self,
        file: CursorFile | None,
        cursors: Mapping[str, Cursor],
        memory: ProgressMemory | None = None,
    ) -> None:
        self.lost = frozenset(s for s, cursor in cursors.items() if cursor.in_flight == LOST)
        """The slots of which it is not known what was in flight."""
        self._file = file
        self._places = {slot: place for place, slot in enumerate(cursors)}
        self._cursors: list[tuple[int, int]] = list(cursors.values())
        self._slots = [memory.slot(*each) if memory else None for each in cursors.items()]
        if file is not None:
            file.save(self._cursors)

    @classmethod
    def in_memory(cls, accounts: Sequence[str]) -> Cursors:
        """Without a file; they end with the process."""
        return cls(None, dict.fromkeys(accounts, UNSET))

    @classmethod
    def open(
        cls,
        path: Path,
        plugins: Sequence[str],
        accounts: Sequence[str],
        memory: ProgressMemory | None = None,
        reported: Mapping[str, int] | None = None,
        place: Callable[[dict[str, Cursor]], None] | None = None,
    ) -> Cursors:
        """Open or make the file; `path` is `StateFolder.progress_file(process)`.

        What the process before this one has left in `memory` counts, too.  A file that can't be
        written is no error here: `problem` says so, and `look_after` tries again.  Of a damaged
        file a copy is kept.  A cursor that is in neither is `reported` (by an earlier status, say),
        or else 0: better all of the journal once more than an event not at all.

        `place` may change what was found, by slot, before any of it is written: all at once, so
        that nothing is ever there by half.  What it raises is passed on.

        Raises JournalError where there is a file that can't be read now, NewerFormat for that of a
        newer qehost.
        """
        aside: Path | None = None
        try:
            stored = read_cursors(path)
        except DamagedCursors as error:
            aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%dT%H%M%S')}")
            log.error("%s", f"{error}; a copy of it is {aside.name}")
            with suppress(OSError):
                os.link(path, aside)
            stored = StoredCursors((), dict.fromkeys(accounts, UNKNOWN))
        own = _own_keys(plugins, accounts)
        remembered = memory.cursors([*accounts, *own]) if memory is not None else {}
        stored = stored and _doubted(path, stored, remembered)
        cursors = dict.fromkeys([*accounts, *own], UNSET)
        if stored is not None:
            cursors.update(stored.heads())
            cursors.update({key: stored.cursors[key] for key in own if key in stored.cursors})
        elif remembered:
            log.error("%s was deleted while it was in use: writing it anew", path)
        for slot, cursor in remembered.items():
            newest = _newest_own if slot in own else _newest
            cursors[slot] = newest(cursors[slot], cursor)
        for slot, cursor in cursors.items():
            if cursor == UNKNOWN:
                cursors[slot] = _reported(path, slot, (reported or {}).get(slot, 0))
        if place is not None:
            place(cursors)
        file = CursorFile(path, plugins, list(cursors))
        found = cls(file, cursors, memory)
        # Written over, since there was no room for a new one, it is no copy any more.
        if aside is not None:
            with suppress(OSError):
                if path.samefile(aside):
                    aside.unlink()
        return found

    @property
    def problem(self) -> JournalError | None:
        """Why the cursors are not on the disk, though they should be."""
        return None if self._file is None else self._file.problem

    def cursor(self, slot: str) -> int | None:
        """The last event that this process is done with; None: none was ever set.

        For an account: nothing of it was ever given to this process; set where it begins before
        anything is delivered.  For a plugin: it stands at the head.
        """
        seq, _ = self._cursors[self._places[slot]]
        return None if seq == NEVER else seq

    def advance(self, slot: str, seq: int) -> None:
        """The events up to `seq` are done with."""
        place = self._places[slot]
        self._set(place, seq, self._cursors[place][1])

    def in_flight(self, slot: str) -> int:
        """The last event that may have reached a plugin, 0 if none did."""
        return max(0, self._cursors[self._places[slot]][1])

    def put_in_flight(self, slot: str, seq: int) -> None:
        """Events up to `seq` are about to be delivered."""
        place = self._places[slot]
        self._set(place, self._cursors[place][0], seq)

    def place(self, slot: str, cursor: Cursor) -> None:
        """Set both at once; UNSET: the plugin stands at the head from now on."""
        self._set(self._places[slot], *cursor)

    def _set(self, place: int, done: int, in_flight: int) -> None:
        self._cursors[place] = cursor = (done, in_flight)
        if (slot := self._slots[place]) is not None:
            write_cursor(slot, done, in_flight)
        if self._file is not None:
            self._file.write(place, cursor)

    def look_after(self) -> None:
        """To be called about once a second: the file is put right where it is not what it should
        be."""
        if self._file is not None:
            self._file.look_after(self._cursors)

    def sync(self) -> None:
        """Bring them to the disk, for `durability = "power"`."""
        if self._file is not None:
            self._file.sync()

    def close(self) -> None:
        """Bring them to the disk and close the file."""
        if self._file is not None:
            self._file.look_after(self._cursors)
            self._file.sync()
            self._file.close()


def known_cursors(
    path: Path,
    accounts: Sequence[str],
    memory: ProgressMemory | None = None,
    plugins: Sequence[str] = (),
) -> StoredCursors | None:
    """What is known of a process: by its file, and by its memory as far as that is newer.

    `plugins` are those that it was given, where the file may not say so.  None: nothing is known.
    Raises JournalError where all depends on a file that can't be read.
    """
    heads = memory.cursors(accounts) if memory is not None else {}
    try:
        stored = read_cursors(path)
    except JournalError:
        if not heads:
            raise
        stored = None
    if memory is None or not heads:
        return stored and _doubted(path, stored, {})
    plugins, cursors = stored or StoredCursors(tuple(plugins), {})
    own = memory.cursors(_own_keys(plugins, accounts))
    newest = {s: _newest(cursors.get(s, UNSET), cursor) for s, cursor in heads.items()}
    newest |= {s: _newest_own(cursors.get(s, UNSET), cursor) for s, cursor in own.items()}
    return stored_cursors(plugins, {**cursors, **newest})


def _doubted(path: Path, stored: StoredCursors, remembered: Mapping[str, Cursor]) -> StoredCursors:
    """Where the file was behind when the processes ended, what was in flight is known of those
    alone that are remembered."""
    if remembered.keys() >= stored.cursors.keys() or not is_in_doubt(path):
        return stored
    cursors = {
        slot: cursor if slot in remembered or cursor == UNKNOWN else Cursor(cursor.done, LOST)
        for slot, cursor in stored.cursors.items()
    }
    return StoredCursors(stored.plugins, cursors)


def _own_keys(plugins: Sequence[str], accounts: Sequence[str]) -> list[str]:
    return [own_key(plugin, account) for plugin in plugins for account in accounts]


def _newest(stored: Cursor, remembered: Cursor) -> Cursor:
    if stored in (UNSET, UNKNOWN):
        return remembered
    if remembered == UNKNOWN:
        return Cursor(stored.done, LOST)
    in_flight = remembered.in_flight
    if in_flight != LOST:
        in_flight = max(in_flight, stored.in_flight)
    return Cursor(max(stored.done, remembered.done), in_flight)


def _newest_own(stored: Cursor, remembered: Cursor) -> Cursor:
    """Of one plugin: what is remembered is never older, also where it went back to the head.

    It died while it wrote that: then the file has what was before.  Where that is "at the head", it
    was about to leave it, and the head had not moved on yet.
    """
    if remembered != UNKNOWN:
        return remembered
    return UNSET if stored == UNSET else Cursor(stored.done, LOST)


def _reported(path: Path, slot: str, seq: int) -> Cursor:
    account, _, plugin = slot.partition(OWN)
    log.error(
        "%s: the cursor of account %s%s can't be read. Everything in the journal after event %d is "
        "delivered again, marked as redelivered",
        path,
        account,
        f" for plugin {plugin}" if plugin else "",
        seq,
    )
    return Cursor(seq, LOST)
