"""What `qehost status` tells: a small file that the supervisor replaces whole once a second.

Reading it needs nothing of the processes that it is about, so it works while they are stuck.  In it
all times are seconds, and moments are seconds since the epoch (0: never).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from qehost.errors import JournalError
from qehost.events.notices import Counts, LastGap
from qehost.events.plural import format_count
from qehost.storage.private_files import replace_file, trouble

__all__ = [
    "STALE_AFTER",
    "CallStatus",
    "ConnectionState",
    "CursorState",
    "HostState",
    "PluginCondition",
    "PluginHold",
    "PluginProblem",
    "PluginState",
    "PluginStatistics",
    "ProcessUsage",
    "ReloadState",
    "Status",
    "UnreadableJournal",
    "read_status",
    "read_status_of",
    "write_status",
]

STALE_AFTER = 5.0
"""A file older than this (seconds) says that the supervisor does not get to writing it."""


PluginCondition = Literal["running", "starting", "waiting", "refused", "down"]


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
    """False as long as its `on_start` has not returned: its events wait for it."""


class PluginHold(msgspec.Struct, frozen=True):
    """Why the events of a plugin that was loaded wait for it now, and since when.

    `attempts` is how often it was tried, `next_try` when that is done again.
    """

    plugin: str
    why: str
    since: float
    attempts: int = 0
    next_try: float = 0.0


class PluginProblem(msgspec.Struct, frozen=True):
    """What a plugin says is wrong, by its own `key`, and since when."""

    plugin: str
    key: str
    text: str
    since: float


class UnreadableJournal(msgspec.Struct, frozen=True):
    """Why a host process can't read the journal of an account now, and since when."""

    account: str
    why: str
    since: float


class ProcessUsage(msgspec.Struct, frozen=True):
    """What a process takes: resident memory in bytes, open files, and how many it may open.

    0 is unknown: there is no process, or the system does not say.
    """

    memory: int = 0
    open_files: int = 0
    max_files: int = 0


class ConnectionState(msgspec.Struct, frozen=True):
    """One account's connection process.

    `state` is `connected`, `connecting`, `waiting` (for the next attempt), `starting` (nothing
    heard of the process yet) or `down` (the process is not there).  `protected`: what is received
    is being journalled.  `down_since` is when the account was connected last, or qehost started;
    0 while it is connected.  `why` is the last error on the way to a connection.
    `counts` are since the process began, `last_gap` since qehost runs.
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
    down_since: float = 0.0
    why: str = ""
    usage: ProcessUsage = ProcessUsage()
    counts: Counts = msgspec.field(default_factory=Counts)
    last_gap: LastGap | None = None


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
    """A plugin that was wanted, and what it did since its process started.

    `state`, since `since`, because of `why`::

        running    it gets events
        starting   its process is not so far yet
        waiting    its events wait for it
        refused    it could not be loaded
        down       its process is not there

    `active`: it is `running`.  `dropped_letters` found no room among the dead letters.  One that
    waits was tried `attempts` times, and is tried again at `next_try`; in `journal_lasts` seconds
    `journal.keep_bytes` begins to take what it waits for (0: it does not).  `cursors` are those of
    the accounts in which it does not stand where its process does.
    """

    name: str
    active: bool
    calls: int
    errors: int
    busy: float
    p50: float
    p99: float
    slowest: float
    dead_letters: int
    state: PluginCondition = "running"
    why: str = ""
    since: float = 0.0
    dropped_letters: int = 0
    attempts: int = 0
    next_try: float = 0.0
    cursors: list[CursorState] = []
    journal_lasts: float = 0.0
    problems: list[PluginProblem] = []
    """What it has told by `context.problem`."""


class HostState(msgspec.Struct, frozen=True):
    """One host process.

    `pid` is 0 where it is not there, and `why` then says how it ended; `ready`: the plugins are
    started.  It has been so since `since`.  `last_gap` is about events that were received and could
    not be delivered.
    """

    name: str
    pid: int
    ready: bool
    restarts: int
    cursors: list[CursorState]
    call: CallStatus | None
    plugins: list[PluginState]
    since: float = 0.0
    why: str = ""
    unreadable: list[UnreadableJournal] = []
    usage: ProcessUsage = ProcessUsage()
    last_gap: LastGap | None = None


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
    usage: ProcessUsage = ProcessUsage()
    """Of the supervisor."""

    def positions(self) -> Iterator[tuple[str, CursorState]]:
        """All that there are, with whose they are: those of the host processes, and those of the
        plugins that stand elsewhere."""
        for host in self.hosts:
            yield from ((f"host process {host.name}", cursor) for cursor in host.cursors)
            for plugin in host.plugins:
                yield from ((f"plugin {plugin.name}", cursor) for cursor in plugin.cursors)

    def behind(self) -> int:
        """Events that are not delivered to whoever is furthest behind."""
        return max((cursor.lag_events for _, cursor in self.positions()), default=0)

    def lag(self) -> float:
        """How long the oldest event of all that are not delivered has waited."""
        return max((cursor.lag for _, cursor in self.positions()), default=0.0)

    def summary(self) -> str:
        """`1 of 2 accounts connected, 3 plugins running, 0 events behind`."""
        accounts = len(self.connections)
        connected = sum(each.state == "connected" for each in self.connections)
        plugins = sum(each.state == "running" for host in self.hosts for each in host.plugins)
        behind = self.behind()
        who = next((name for name, c in self.positions() if behind and c.lag_events == behind), "")
        return (
            f"{connected} of {format_count(accounts, 'account')} connected, "
            f"{format_count(plugins, 'plugin')} running, {format_count(behind, 'event')} behind"
            + (f" ({who})" if who else "")
        )

    def age(self) -> float:
        """Seconds since it was written."""
        # A clock that was set back must not make it younger than new.
        return max(0.0, time.time() - self.written_at)


def write_status(path: Path, status: Status) -> None:
    """Replace the file; a reader sees the old one or the new one.  Raises JournalError."""
    try:
        replace_file(path, msgspec.json.encode(status))
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


def read_status_of(path: Path, pid: int) -> Status | None:
    """What the supervisor of this process id has written last; None: nothing yet, and what is there
    is an earlier run's.  Raises JournalError."""
    status = read_status(path)
    return status if status is not None and status.pid == pid and not status.ended else None
