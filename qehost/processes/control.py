"""The messages between a child process and its parent, over a duplex pipe for each child.

Small structs, encoded by msgspec.  With `Attach` travels one end of a queue as a file descriptor,
so that running processes can be given a new queue when the other side of the old one has died.
"""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import TypeAlias

import msgspec

from qehost.config.settings import (
    AccountSettings,
    ConnectionSettings,
    HostSettings,
    JournalSettings,
    PluginSettings,
)
from qehost.events.notices import Counts, LastGap
from qehost.processes.logs import LogSettings
from qehost.storage.status import PluginHold, PluginProblem, PluginStatistics, UnreadableJournal

__all__ = [
    "Attach",
    "ConnectionStatus",
    "ConnectionTask",
    "Control",
    "ControlMessage",
    "Ended",
    "Go",
    "HostStatus",
    "HostTask",
    "Loaded",
    "LogLine",
    "Ready",
    "Refused",
    "Stop",
    "StopRequest",
]


class ConnectionTask(msgspec.Struct, frozen=True):
    """What a connection process is started with."""

    account: str
    settings: AccountSettings
    connection: ConnectionSettings
    journal: JournalSettings
    host: HostSettings
    state_dir: str
    log: LogSettings


class HostTask(msgspec.Struct, frozen=True):
    """What a host process is started with.

    `specs` are the `-p` options as they were given, `account_settings` the ones that plugins'
    REST clients use, `wanted` the names of its plugins, `starts` their settings of that name.
    """

    name: str
    accounts: list[str]
    specs: list[str]
    plugins: dict[str, PluginSettings]
    host: HostSettings
    journal: JournalSettings
    state_dir: str
    strict: bool
    log: LogSettings
    account_settings: dict[str, AccountSettings] = {}
    wanted: list[str] = []
    starts: dict[str, str] = {}
    debug: bool = False
    """A plugin of it is debugged: it has the terminal."""
    sources: list[str] | None = None
    """The files and folders of its plugins, where those are watched: it reads no old bytecode."""


class _Message(msgspec.Struct, frozen=True, array_like=True, tag=True):
    pass


class Attach(_Message, frozen=True):
    """To any child: its end of the queue to or from `peer` follows, in place of an earlier one.

    `peer` is a host process's name for a connection process, an account for a host process.
    """

    peer: str


class Stop(_Message, frozen=True):
    """To any child: end in an orderly way within `timeout` seconds.

    `at` is when it was sent, on the monotonic clock, which all processes share: a child may be in
    the middle of something and read it late.
    """

    reason: str
    timeout: float
    at: float = msgspec.field(default_factory=time.monotonic)


class StopRequest(_Message, frozen=True):
    """From a host process: a plugin asks for the whole of qehost to stop."""

    reason: str


class Loaded(_Message, frozen=True):
    """From a host process: its plugins are imported and configured, and it waits for `Go`.

    `problems` holds, by plugin, why it is not among them; `invalid` are those of them whose
    settings are wrong, `idle` the plugins that implement no hook.
    """

    plugins: list[str]
    problems: dict[str, str]
    invalid: list[str] = []
    idle: list[str] = []


class Go(_Message, frozen=True):
    """To a host process: start the plugins.  No other process runs any of them.

    To a connection process: open the stream.  The plugins are loaded.
    """


class Ready(_Message, frozen=True):
    """From a host process: the plugins are loaded and started, but for those in `problems`.

    `waiting` are those of them whose `on_start` raised, and why: they are tried again.
    """

    plugins: list[str]
    problems: list[str]
    waiting: dict[str, str] = {}


class Refused(_Message, frozen=True):
    """From a child that can't start: why, and the exit code that the command should end with."""

    text: str
    exit_code: int


class Ended(_Message, frozen=True):
    """From a child, last: `undelivered` events are left for the next start."""

    undelivered: int


class ConnectionStatus(_Message, frozen=True):
    """From a connection process, once a second.  Times are epoch seconds, 0 for never."""

    state: str
    since: float
    reconnects: int
    last_message: float
    last_pong: float
    last_seq: int
    protected: bool
    why: str = ""
    counts: Counts = msgspec.field(default_factory=Counts)
    last_gap: LastGap | None = None


class HostStatus(_Message, frozen=True):
    """From a host process, once a second."""

    plugins: list[PluginStatistics]
    held: list[PluginHold] = []
    unreadable: list[UnreadableJournal] = []
    last_gap: LastGap | None = None
    problems: list[PluginProblem] = []
    collecting: dict[str, tuple[int, float]] = {}
    """By plugin, of those whose `on_batch` waits for more: how many events, and seconds, that one
    may be behind by it."""


class LogLine(_Message, frozen=True):
    """From the connection process of a service: a line for the program's logger."""

    level: int
    text: str


ControlMessage: TypeAlias = (
    Attach
    | Stop
    | StopRequest
    | Loaded
    | Go
    | Ready
    | Refused
    | Ended
    | ConnectionStatus
    | HostStatus
    | LogLine
)

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ControlMessage).decode


class Control:
    """One end of the pipe.  Any thread may send."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._sending = threading.Lock()

    def fileno(self) -> int:
        return self.connection.fileno()

    def has_room(self) -> bool:
        """Whether a message can be sent without waiting.  False: the other side reads nothing."""
        return self._is_ready(select.POLLOUT)

    def send(self, message: ControlMessage) -> bool:
        """Send; False where the other side has ended.

        A status or a line of the log is left out where it would have to wait: a parent that stands
        still must not hold up a connection.
        """
        with self._sending:
            if isinstance(message, ConnectionStatus | HostStatus | LogLine) and not self.has_room():
                return False
            try:
                self.connection.send_bytes(_encode(message))
            except OSError:
                return False
        return True

    def send_queue(self, message: Attach, queue: Connection) -> bool:
        """Send `Attach` with an end of the queue; the caller's copy is closed."""
        try:
            if not self.send(message):
                return False
            with self._socket() as pipe:
                socket.send_fds(pipe, [b"\0"], [queue.fileno()])
        except OSError:
            return False
        else:
            return True
        finally:
            queue.close()

    def poll(self) -> bool:
        """Whether `receive` returns at once."""
        try:
            return self._is_ready(select.POLLIN)
        except OSError:
            return False

    def _is_ready(self, event: int) -> bool:
        # `Connection.poll` takes ten times as long: it builds a selector.  `select.select` knows no
        # descriptors from 1024 on, which a program with many sockets has.
        poll = select.poll()
        poll.register(self.connection, event)
        return bool(poll.poll(0))

    def receive(self) -> ControlMessage:
        """The next message; waits for it.  Raises `EOFError` when the other side has ended."""
        try:
            message: ControlMessage = _decode(self.connection.recv_bytes())
        except OSError:
            raise EOFError from None
        return message

    def receive_queue(self, *, writable: bool) -> Connection:
        """The queue's end that follows an `Attach`."""
        with self._socket() as pipe:
            _, descriptors, _, _ = socket.recv_fds(pipe, 1, 1)
        if not descriptors:
            raise EOFError
        os.set_inheritable(descriptors[0], False)
        return Connection(descriptors[0], readable=not writable, writable=writable)

    @contextmanager
    def _socket(self) -> Iterator[socket.socket]:
        """The pipe as the socket that it is: descriptors go over no other."""
        pipe = socket.socket(fileno=self.connection.fileno())
        try:
            yield pipe
        finally:
            pipe.detach()

    def close(self) -> None:
        self.connection.close()
