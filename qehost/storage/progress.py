"""What a host process does right now and how far it has come, in memory that its supervisor shares.

A word there costs a tenth of a microsecond, and SIGKILL, a segmentation fault or `os._exit` can't
take it back: the memory lasts as long as the supervisor does, who gives it to the next process of
that name, too.  It belongs to no file: where that can't be written, touching a map of it would end
the process.

It holds, in words of eight bytes, in the byte order of the machine::

       0  the current call: count, plugin, hook, account, seq, start (monotonic ns)
       8  bytes of the names, their CRC
      16  four words for each slot: CRC of its name, cursor, last event in flight, their check
       …  from NAMES_AT on, the names of plugins, hooks and accounts of the call, as JSON

A torn word can't happen: each is aligned and stored in one instruction.  The call is several words,
so its count is written last when a call begins and first when it ends, and is odd in between.  From
one plugin to the next at the same hook and event only the plugin and the start change, and either
pair of those names a call that was just made.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from time import monotonic_ns
from typing import NamedTuple
from zlib import crc32

import msgspec

from qehost.storage.cursor_file import UNKNOWN, Cursor

__all__ = ["CallRecorder", "HookCall", "ProgressMemory", "write_cursor"]

SIZE = 1 << 16
NAMES_AT = 1 << 15
COUNT, PLUGIN, HOOK, ACCOUNT, SEQ, START, NAMES_SIZE, NAMES_CHECK = 0, 1, 2, 3, 4, 5, 8, 9
SLOTS = range(16, NAMES_AT // 8, 4)
MASK = 0x736B72616D6571
"""Makes the check of two zeros another one than zero."""
NO_ACCOUNT = -1


class HookCall(NamedTuple):
    """A call that is going on, or was when the process died.

    `seq` is 0 and `account` is "" for a call that is about no event.  `since` is on the monotonic
    clock, in seconds.
    """

    plugin: str
    hook: str
    account: str
    seq: int
    since: float


class _CallNames(msgspec.Struct, frozen=True, array_like=True):
    plugins: tuple[str, ...]
    hooks: tuple[str, ...]
    accounts: tuple[str, ...]


class ProgressMemory:
    """The memory; `fd` is what another process maps it by.  Raises OSError."""

    def __init__(self, fd: int | None = None) -> None:
        """Map that of another process, by its descriptor, which is this object's then; or make a
        new one."""
        self.fd = _new_memory() if fd is None else fd
        self._map = mmap.mmap(self.fd, SIZE)
        self.words = memoryview(self._map).cast("q")

    def handle(self) -> Connection:
        """To be passed to a child process, and closed here."""
        return Connection(os.dup(self.fd))

    def current(self) -> HookCall | None:
        """The call that is going on; None: there is none."""
        words = self.words
        count = words[COUNT]
        _, plugin, hook, account, seq, start = words[:6].tolist()
        names = self._names()
        # If the process went on while this was read, the words may be of two calls, and none of
        # them is going on any more.
        if count % 2 == 0 or words[COUNT] != count or names is None:
            return None
        return HookCall(
            _name(names.plugins, plugin),
            _name(names.hooks, hook),
            _name(names.accounts, account if seq else NO_ACCOUNT),
            seq,
            start / 1e9,
        )

    def cursors(self, slots: Iterable[str]) -> dict[str, Cursor]:
        """How far the process has come, by the slots that it has among these (see `Cursors`).

        UNSET where nothing was given to it, UNKNOWN where it died while it wrote just that.
        """
        found: dict[int, Cursor] = {}
        for at in SLOTS:
            seed, done, in_flight, check = self.words[at : at + 4].tolist()
            if not check:
                break
            found[seed] = Cursor(done, in_flight) if check == _check(done, in_flight) else UNKNOWN
        seeds = {slot: crc32(slot.encode()) for slot in slots}
        return {slot: found[seed] for slot, seed in seeds.items() if seed in found}

    def slot(self, name: str, cursor: Cursor) -> memoryview | None:
        """The words of this slot, with that cursor in them; None: there are none left."""
        seed = crc32(name.encode())
        for at in SLOTS:
            if self.words[at] == seed or not self.words[at + 3]:
                self.words[at] = seed
                slot = self.words[at : at + 4]
                write_cursor(slot, cursor.done, cursor.in_flight)
                return slot
        return None

    def name(self, plugins: Sequence[str], hooks: Sequence[str], accounts: Sequence[str]) -> None:
        """What the numbers of the calls that follow mean."""
        names = msgspec.json.encode(_CallNames(tuple(plugins), tuple(hooks), tuple(accounts)))
        self.words[NAMES_SIZE] = 0
        if len(names) <= SIZE - NAMES_AT:
            self._map[NAMES_AT : NAMES_AT + len(names)] = names
            self.words[NAMES_CHECK] = crc32(names)
            self.words[NAMES_SIZE] = len(names)

    def _names(self) -> _CallNames | None:
        names = self._map[NAMES_AT : NAMES_AT + self.words[NAMES_SIZE]]
        if not names or crc32(names) != self.words[NAMES_CHECK]:
            return None
        return msgspec.json.decode(names, type=_CallNames)

    def close(self) -> None:
        """The memory stays as long as another process maps it."""
        os.close(self.fd)
        self.words.release()
        with suppress(BufferError):  # a part of it is still in use, and closes it
            self._map.close()


class CallRecorder:
    """For the host process: `enter` and `leave` around each call, which names plugin and hook by
    their places in the sequences given here."""

    def __init__(
        self,
        memory: ProgressMemory,
        plugins: Sequence[str],
        hooks: Sequence[str],
        accounts: Sequence[str] = (),
    ) -> None:
        self._words = memory.words
        self._accounts = {account: place for place, account in enumerate(accounts)}
        # From an even number: the process before this one may have died in a call.
        self._count = self._words[COUNT] = 0
        memory.name(plugins, hooks, accounts)

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
        and event, at an eighth of the price of `enter`.  `since` stays that of `enter`."""
        return self._words[PLUGIN : PLUGIN + 1]

    def leave(self) -> None:
        """The call has ended."""
        self._count = count = self._count + 2
        self._words[COUNT] = count


def write_cursor(slot: memoryview, done: int, in_flight: int) -> None:
    slot[1] = done
    slot[2] = in_flight
    slot[3] = _check(done, in_flight)


def _check(done: int, in_flight: int) -> int:
    return done ^ in_flight ^ MASK


def _name(names: tuple[str, ...], index: int) -> str:
    return names[index] if 0 <= index < len(names) else ""


def _new_memory() -> int:
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("qehost-progress", os.MFD_CLOEXEC)
    else:
        # A file without a name in the system's folder for temporary ones.
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.pwrite(fd, bytes(SIZE), 0)
    return fd
