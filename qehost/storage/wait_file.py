"""What a plugin waits for, in a file of its own for as long as it waits: the next process goes on
with it.

Without it the plugin would get everything all the same, since its cursor stands before what it has
not had.  But the tries would be counted anew, the hooks that had returned would be called again,
and what no call is in doubt of would be marked as redelivered.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path
from zlib import crc32

import msgspec

from qehost.errors import JournalError
from qehost.storage.private_files import private_folder, replace_file

__all__ = ["AccountWait", "PluginWait", "WaitFile"]

log = logging.getLogger("qehost.cursors")


class AccountWait(msgspec.Struct, frozen=True):
    """What a plugin has had of an account's events after its cursor.

    `on_raw_message` has returned up to event `raw`, the hook of the event's kind up to `typed`,
    `on_batch` up to `batch`.  `attempts` are the calls so far of the events at which it raised.
    Where the plugin's cursor is still exactly (`cursor`, `in_flight`), no call has begun since:
    then only the events up to `doubtful` may have had one of which nothing is known.
    """

    cursor: int
    in_flight: int
    doubtful: int
    raw: int
    typed: int
    batch: int
    attempts: dict[int, int]


class PluginWait(msgspec.Struct, frozen=True):
    """`since` when (epoch seconds), how often it was tried, and why it waits; `tick`: `on_tick` is
    to be called before its next event."""

    since: float
    attempts: int
    reason: str = ""
    tick: bool = False
    accounts: dict[str, AccountWait] = {}


class WaitFile:
    """`path` is `StateFolder.wait_file(plugin)`.  Nothing here raises."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> PluginWait | None:
        """None: it does not wait, or nothing is known of it."""
        try:
            check, _, text = self._path.read_bytes().partition(b" ")
            if check == _check(text):
                return msgspec.json.decode(text, type=PluginWait)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError):
            pass
        log.warning("%s can't be read: what the plugin waits for is counted anew", self._path)
        return None

    def write(self, wait: PluginWait) -> bool:
        """False: it can't be written, and what stood there before may still do so."""
        text = msgspec.json.encode(wait)
        try:
            private_folder(self._path.parent)
            replace_file(self._path, _check(text) + b" " + text)
        except (OSError, JournalError):
            # The disk is full, or the like: the cursors and the dead letters tell the user.
            return False
        return True

    def remove(self) -> None:
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


def _check(text: bytes) -> bytes:
    return b"%08x" % crc32(text)
