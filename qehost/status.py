"""What `qehost status` tells: a small file that the supervisor replaces whole once a second.

Reading it needs nothing of the processes that it is about, so it works while they are stuck.  In it
all times are seconds, and moments are seconds since the epoch (0: never).
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec

from qehost.errors import JournalError
from qehost.state import trouble

__all__ = [
    "STALE_AFTER",
    "CallStatus",
    "ConnectionState",
    "CursorState",
    "HostState",
    "PluginState",
    "PluginStatistics",
    "ReloadState",
    "Status",
    "read_status",
    "write_status",
]

STALE_AFTER = 5.0
"""A file older than this (seconds) says that the supervisor does not get to writing it."""


class PluginStatistics(msgspec.Struct, frozen=True):
    """What a plugin did since the process started.  Times are nanoseconds."""

    plugin: str
    calls: int
    errors: int
    busy: int
    """All calls together; right within 128 ns a call or a fifth, as are `p50` and `p99`."""
    p50: int
    p99: int
    slowest: int
    """Exact from 65 µs on."""
    active: bool
    """False after a raise in `on_start`: it gets no further calls."""


class ConnectionState(msgspec.Struct, frozen=True):
    """One account's connection process.

    `state` is `connected`, `connecting`, `waiting` (for the next attempt), `starting` (nothing
    heard of the process yet) or `down` (the process is not there).  `protected`: what is received
    is being journalled.
    """

    account: str
    pid: int
    state: str
    since: float
    restarts: int
    reconnects: int
    last_message: float
    last_pong: float
    last_seq: int
    protected: bool
    journal_bytes: int


class CursorState(msgspec.Struct, frozen=True):
    """How far a host process has come with an account.

    `lag_events` are received and not delivered; `lag` is how long the oldest of them has waited.
    """

    account: str
    seq: int
    lag_events: int
    lag: float


class CallStatus(msgspec.Struct, frozen=True):
    """A hook call that is going on: about event `seq` of the account, or 0 and "" for none."""

    plugin: str
    hook: str
    account: str
    seq: int
    took: float


class PluginState(msgspec.Struct, frozen=True):
    """What a plugin did since its process started.  `active`: False after a raise in `on_start`."""

    name: str
    active: bool
    calls: int
    errors: int
    busy: float
    p50: float
    p99: float
    slowest: float
    dead_letters: int


class HostState(msgspec.Struct, frozen=True):
    """One host process.  `pid` is 0 where it is not there; `ready`: the plugins are started."""

    name: str
    pid: int
    ready: bool
    restarts: int
    cursors: list[CursorState]
    call: CallStatus | None
    plugins: list[PluginState]


class ReloadState(msgspec.Struct, frozen=True):
    """Reloads so far: how many have begun and ended, and how the last one did.

    `at` is its end, `text` says why it failed, or what it left to a restart.
    """

    started: int = 0
    ended: int = 0
    at: float = 0.0
    ok: bool = True
    text: str = ""


class Status(msgspec.Struct, frozen=True):
    """All of one `qehost run`.  `ended` says how, once it has; "" while it runs."""

    version: str
    pid: int
    started_at: float
    written_at: float
    ended: str
    connections: list[ConnectionState]
    hosts: list[HostState]
    reload: ReloadState = ReloadState()

    def age(self) -> float:
        """Seconds since it was written."""
        # A clock that was set back must not make it younger than new.
        return max(0.0, time.time() - self.written_at)


def write_status(path: Path, status: Status) -> None:
    """Replace the file; a reader sees the old one or the new one.  Raises JournalError."""
    draft = path.with_name(f"{path.name}.new")
    try:
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            content = msgspec.json.encode(status)
            if os.write(fd, content) != len(content):
                raise JournalError(str(path), "the disk is full")
        finally:
            os.close(fd)
        os.replace(draft, path)
    except OSError as error:
        raise trouble(path, error) from error


def read_status(path: Path) -> Status | None:
    """What was written last; None: nothing ever was.  Raises JournalError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Status)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise trouble(path, error) from error
    except msgspec.DecodeError as error:
        raise JournalError(
            str(path), f"can't be read ({error}); was it written by another version of qehost?"
        ) from error
