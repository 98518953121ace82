"""The marks of a host process: how far it has come, and what it is doing right now.

They stand in a file that the process maps into its memory, so a mark costs a tenth of a
microsecond, and SIGKILL, a segmentation fault or `os._exit` can't take it back: the pages belong to
the kernel.

The file, in words of eight bytes, in the byte order of the machine::

     0  magic, version, number of words before the names, bytes of the names, their CRC
     8  the current call: count, plugin, hook, account, seq, start (monotonic ns)
    16  two words for each account: its cursor and the last event handed; −1: never set
     …  the names of plugins, hooks and accounts, as JSON

A torn write can't happen: each word is aligned and stored in one instruction.  The call is several
words, so its count is written last when a call begins and first when it ends, and is odd in
between.  From one plugin to the next at the same hook and event only the plugin and the start
change, and either pair of those names a call that was just made.
"""

from __future__ import annotations

import errno
import logging
import mmap
import os
import sys
import time
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic_ns
from typing import NamedTuple, TypeAlias

import msgspec

from qehost.errors import JournalError, NewerFormat
from qehost.state import StateFolder, private_folder, trouble

__all__ = ["Call", "Marks", "MarksView", "Standing", "cursors_of"]

log = logging.getLogger("qehost.cursors")

MAGIC = 0x736B72616D6571  # "qemarks"; another byte order would show in it.
VERSION = 1
COUNT, PLUGIN, HOOK, ACCOUNT, SEQ, START = range(8, 14)
CURSORS = 16
NEVER, LOST = -1, -2

# For each account its cursor and the last event handed.
Cursors: TypeAlias = dict[str, tuple[int, int]]


class Call(NamedTuple):
    """A call that is going on, or was when the process died.

    `seq` is 0 and `account` is "" for a call that is about no event.  `since` is on the monotonic
    clock, in seconds.
    """

    plugin: str
    hook: str
    account: str
    seq: int
    since: float


class Standing(NamedTuple):
    """How far a host process has come, and which plugins it had."""

    plugins: tuple[str, ...]
    cursors: dict[str, int]
    """By account, for those that were ever set."""
    handed: dict[str, int]
    """By account: the last event that may have been handed to a plugin."""


class Names(msgspec.Struct, frozen=True):
    plugins: tuple[str, ...]
    hooks: tuple[str, ...]
    accounts: tuple[str, ...]


class Marks:
    """For the host process: `enter` and `leave` around each call, `advance` after each event.

    Plugins and hooks, marked at every call, go by their place in the sequences given to `open`;
    accounts go by name.
    """

    def __init__(self, memory: mmap.mmap, accounts: Sequence[str]) -> None:
        self._memory = memory
        self._accounts = {account: place for place, account in enumerate(accounts)}
        self._words = memoryview(memory).cast("q")
        self.lost = LOST in self._words[CURSORS + 1 : CURSORS + 2 * len(accounts) : 2].tolist()
        """The file was damaged: `handed` does not know what was handed over before."""
        # From an even number: the process before this one may have died in a call.
        self._count = 0
        self._words[COUNT] = 0

    @classmethod
    def open(
        cls, path: Path, plugins: Sequence[str], hooks: Sequence[str], accounts: Sequence[str]
    ) -> Marks:
        """Open or make the marks of this host process; `path` is `StateFolder.marks(process)`.

        The cursors of a process before this one are kept, whatever plugins it had, and those of
        accounts that are no longer there too.  A damaged file is set aside, and every account's
        cursor is then 0: better all of the journal once more than an event not at all.

        The call that a dead process was in is gone after this: read it with `MarksView` before.

        Where no new file can be made (a full disk) the one that is there is used as it is, as far
        as it has room for these names.

        Raises JournalError where neither can be had; `in_memory` goes on without a file.
        Raises NewerFormat for the file of a newer qehost.
        """
        try:
            private_folder(path.parent)
            known, damage = _known(path, accounts)
            former = [name for name in known if name not in accounts]
            names = Names(tuple(plugins), tuple(hooks), (*accounts, *former))
            try:
                return cls._written(path, names, known, damage)
            except OSError:
                if (marks := cls._as_it_is(path, names)) is None:
                    raise
                return marks
        except OSError as error:
            raise trouble(path, error) from error

    @classmethod
    def _written(cls, path: Path, names: Names, known: Cursors, damage: str) -> Marks:
        """In a new file.  Raises OSError."""
        # Written in full, not stretched: a page without a place on a full disk would kill the
        # process when it is touched.
        draft = path.with_name(f"{path.name}.new")
        draft.unlink(missing_ok=True)
        fd = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            content = _content(names, known)
            if os.write(fd, content) != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(fd)
            if damage:
                aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%dT%H%M%S')}")
                os.replace(path, aside)
                log.error(
                    "the cursors in %s can't be read (%s); they are now %s. Everything that is in "
                    "the journal is delivered again, marked as redelivered",
                    path,
                    damage,
                    aside.name,
                )
            os.replace(draft, path)
            return cls(mmap.mmap(fd, len(content)), names.accounts)
        finally:
            os.close(fd)

    @classmethod
    def _as_it_is(cls, path: Path, names: Names) -> Marks | None:
        """In the file that is there; None where it is of no use for these names."""
        try:
            _, found = _read(path)
            fits = (
                found.plugins[: len(names.plugins)] == names.plugins
                and found.hooks[: len(names.hooks)] == names.hooks
                and set(names.accounts) <= set(found.accounts)
            )
            if not fits:
                return None
            with path.open("r+b") as file:
                return cls(mmap.mmap(file.fileno(), 0), found.accounts)
        except (OSError, ValueError):
            return None

    @classmethod
    def in_memory(
        cls,
        plugins: Sequence[str],
        hooks: Sequence[str],
        accounts: Sequence[str],
        after: Path | None = None,
    ) -> Marks:
        """Marks that end with the process, for a state folder that can't be written.

        The cursors begin where they stand in the file `after`, as far as that can be read.
        """
        known: Cursors = {}
        if after is not None:
            with suppress(OSError):
                known, _ = _known(after, accounts)
        content = _content(Names(tuple(plugins), tuple(hooks), tuple(accounts)), known)
        memory = mmap.mmap(-1, len(content))
        memory.write(content)
        return cls(memory, accounts)

    def account(self, account: str) -> None:
        """The account of the calls that follow, as far as they are about an event."""
        self._words[ACCOUNT] = self._accounts[account]

    def enter(self, plugin: int, hook: int, seq: int) -> None:
        """A call begins, of event `seq` (0: of none), or the next plugin's turn of the same."""
        words = self._words
        words[PLUGIN] = plugin
        words[HOOK] = hook
        words[SEQ] = seq
        words[START] = monotonic_ns()
        words[COUNT] = self._count + 1

    @property
    def plugin(self) -> memoryview:
        """The plugin's word alone: `plugin[0] = place` is the next plugin's turn of the same hook
        and event, at an eighth of the price of `enter`.  `since` stays that of `enter`.

        Not to be kept: `close` waits for nobody.
        """
        return self._words[PLUGIN : PLUGIN + 1]

    def leave(self) -> None:
        """The call has ended."""
        self._count = count = self._count + 2
        self._words[COUNT] = count

    def cursor(self, account: str) -> int | None:
        """The last event that this process is done with; None: none was ever set.

        Then nothing of this account was ever given to this process: set where it begins before
        anything is delivered.
        """
        seq = self._words[CURSORS + 2 * self._accounts[account]]
        return None if seq == NEVER else seq

    def advance(self, account: str, seq: int) -> None:
        """This process is done with the account's events up to `seq`."""
        self._words[CURSORS + 2 * self._accounts[account]] = seq

    def handed(self, account: str) -> int:
        """The last event that may have been handed to a plugin before, 0 if none was."""
        return max(0, self._words[CURSORS + 2 * self._accounts[account] + 1])

    def hand(self, account: str, seq: int) -> None:
        """Events up to `seq` are about to be handed over."""
        self._words[CURSORS + 2 * self._accounts[account] + 1] = seq

    def sync(self) -> None:
        """Bring the marks to the disk, for `durability = "power"`."""
        self._memory.flush()

    def close(self) -> None:
        """Bring the marks to the disk and let go of the file."""
        self._memory.flush()
        self._words.release()
        self._memory.close()


class MarksView:
    """For the supervisor and the command line: what a host process has marked.

    Each call reads the file anew, so it follows a process that was started again, and tells the
    last words of one that has died.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def current(self) -> Call | None:
        """The call that is going on; None: there is none, or no such file.

        Raises JournalError for a file that can't be read.
        """
        found, again = self._read(), self._read()
        if found is None or again is None:
            return None
        words, names = found
        # If the process went on while this was read, the words may be of two calls, and none of
        # them is going on any more.
        if words[COUNT] % 2 == 0 or words[COUNT] != again[0][COUNT]:
            return None
        account = words[ACCOUNT] if words[SEQ] else NEVER
        return Call(
            _name(names.plugins, words[PLUGIN]),
            _name(names.hooks, words[HOOK]),
            _name(names.accounts, account),
            words[SEQ],
            words[START] / 1e9,
        )

    def cursors(self) -> dict[str, int]:
        """The cursor of each account that has one.  Raises JournalError."""
        standing = self.standing()
        return standing.cursors if standing is not None else {}

    def standing(self) -> Standing | None:
        """How far it has come; None: there is no such file.  Raises JournalError."""
        found = self._read()
        if found is None:
            return None
        pairs = _cursors(*found)
        return Standing(
            found[1].plugins,
            {name: cursor for name, (cursor, _) in pairs.items() if cursor != NEVER},
            {name: max(0, handed) for name, (_, handed) in pairs.items()},
        )

    def _read(self) -> tuple[memoryview, Names] | None:
        try:
            return _read(self.path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise JournalError(str(self.path), f"the marks can't be read: {error}") from error


def cursors_of(folder: StateFolder, account: str) -> dict[str, int]:
    """How far each host process has come with an account; those that have nothing of it left out.

    Raises JournalError.
    """
    found = {name: MarksView(folder.marks(name)).cursors() for name in folder.processes()}
    return {name: cursors[account] for name, cursors in found.items() if account in cursors}


def _known(path: Path, accounts: Sequence[str]) -> tuple[Cursors, str]:
    """The cursors in a file, and what is wrong with it: then they are those that a damaged one is
    worth.  Raises OSError, and NewerFormat."""
    try:
        return _cursors(*_read(path)), ""
    except FileNotFoundError:
        return {}, ""
    except ValueError as error:
        return dict.fromkeys(accounts, (0, LOST)), str(error)


def _content(names: Names, known: Cursors) -> bytes:
    text = msgspec.json.encode(names)
    text = text.ljust(-(-len(text) // 8) * 8)
    length = CURSORS + 2 * len(names.accounts)
    words = [0] * length
    words[:5] = [MAGIC, VERSION, length, len(text), zlib.crc32(text)]
    words[ACCOUNT] = NEVER
    words[CURSORS:] = [
        word for account in names.accounts for word in known.get(account, (NEVER, NEVER))
    ]
    return b"".join(word.to_bytes(8, sys.byteorder, signed=True) for word in words) + text


def _read(path: Path) -> tuple[memoryview, Names]:
    """Raises OSError, or ValueError for a file that is not what it should be."""
    content = path.read_bytes()
    try:
        head = memoryview(content[: CURSORS * 8]).cast("q")
        magic, version, length, size, crc = head[:5]
    except (TypeError, ValueError) as error:
        raise ValueError("it was cut off") from error
    if magic != MAGIC:
        raise ValueError("it holds no marks")
    if version > VERSION:
        raise NewerFormat(
            str(path), f"was written by a newer qehost (format {version}): update qehost"
        )
    text = content[length * 8 :][:size]
    if len(text) != size or zlib.crc32(text) != crc:
        raise ValueError("its names are damaged")
    names = msgspec.json.decode(text, type=Names)
    if length != CURSORS + 2 * len(names.accounts):
        raise ValueError("its length is wrong")
    return memoryview(content[: length * 8]).cast("q"), names


def _cursors(words: memoryview, names: Names) -> Cursors:
    pairs = words[CURSORS:].tolist()
    return dict(zip(names.accounts, zip(pairs[::2], pairs[1::2], strict=True), strict=True))


def _name(names: tuple[str, ...], index: int) -> str:
    return names[index] if 0 <= index < len(names) else ""
