"""What the supervisor and its children say to each other, over a duplex pipe for each child.

Small structs, encoded by msgspec.  With `Attach` travels one end of a queue as a file descriptor,
so that running processes can be given a new queue when the other side of the old one has died.
"""

from __future__ import annotations

import os
import select
import time
from multiprocessing import reduction
from multiprocessing.connection import Connection
from typing import TypeAlias

import msgspec

from qehost.logs import LogSettings
from qehost.settings import (
    AccountSettings,
    ConnectionSettings,
    HostSettings,
    JournalSettings,
    PluginSettings,
)
from qehost.status import PluginStatistics

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

    `specs` are the `-p` options as they were given, `account_settings` what plugins act with,
    `wanted` the names of the plugins that belong into it.  `beside`: the process of this name that
    runs now goes on until this one is told to `Go`.
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
    beside: bool = False


class _Message(msgspec.Struct, frozen=True, array_like=True, tag=True):
    pass


class Attach(_Message, frozen=True):
    """To any child: here is your end of the queue to or from `peer`, in place of an earlier one.

    `peer` is a host process's name for a connection process, an account for a host process.
    """

    peer: str


class Stop(_Message, frozen=True):
    """To any child: end in an orderly way within `timeout` seconds.

    `at` is when that was ordered, on the monotonic clock, which all processes share: a child may
    be in the middle of something and read the order late.
    """

    reason: str
    timeout: float
    at: float = msgspec.field(default_factory=time.monotonic)


class StopRequest(_Message, frozen=True):
    """From a host process: a plugin asks for the whole of qehost to stop."""

    reason: str


class Loaded(_Message, frozen=True):
    """From a host process: its plugins are imported and configured, and it waits for `Go`.

    `problems` says, by plugin, why it is not among them.
    """

    plugins: list[str]
    problems: dict[str, str]


class Go(_Message, frozen=True):
    """To a host process: start the plugins.  No other process has any of them."""


class Ready(_Message, frozen=True):
    """From a host process: the plugins are loaded and started; `problems` tells which are not."""

    plugins: list[str]
    problems: list[str]


class Refused(_Message, frozen=True):
    """From a child that can't start: why, and the exit code that the command should end with."""

    text: str
    exit_code: int


class Ended(_Message, frozen=True):
    """A child's last word: `undelivered` events are left for the next start."""

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


class HostStatus(_Message, frozen=True):
    """From a host process, once a second."""

    plugins: list[PluginStatistics]


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
)

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ControlMessage).decode


class Control:
    """One end of the pipe."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def fileno(self) -> int:
        return self.connection.fileno()

    def takes(self) -> bool:
        """Whether there is room for a message.  False: the other side reads nothing any more."""
        return bool(select.select([], [self.connection], [], 0)[1])

    def send(self, message: ControlMessage) -> bool:
        """Send; False where the other side is gone.

        A status is left out where it would have to wait: a supervisor that stands still must not
        hold a connection.
        """
        if isinstance(message, (ConnectionStatus, HostStatus)) and not self.takes():
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
            # The process id is for Windows, where handles are copied into a process.
            reduction.send_handle(self.connection, queue.fileno(), 0)
        except OSError:
            return False
        else:
            return True
        finally:
            queue.close()

    def poll(self) -> bool:
        """Whether there is something to receive, if only the other side's end."""
        try:
            # `Connection.poll` does the same at ten times the price: it builds a selector for it.
            return bool(select.select([self.connection], [], [], 0)[0])
        except OSError:
            return False

    def receive(self) -> ControlMessage:
        """The next message; waits for it.  Raises `EOFError` when the other side is gone."""
        try:
            message: ControlMessage = _decode(self.connection.recv_bytes())
        except OSError:
            raise EOFError from None
        return message

    def receive_queue(self, *, writable: bool) -> Connection:
        """The queue's end that follows an `Attach`."""
        handle = reduction.recv_handle(self.connection)
        os.set_inheritable(handle, False)
        return Connection(handle, readable=not writable, writable=writable)

    def close(self) -> None:
        self.connection.close()
