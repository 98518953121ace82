"""What the supervisor and its children say to each other, over a duplex pipe for each child.

Small structs, encoded by msgspec; with `Attach` travels the writing end of a queue as a file
descriptor, so that a running connection process can be given the queue of a new host process.
"""

from __future__ import annotations

import os
from multiprocessing import reduction
from multiprocessing.connection import Connection
from typing import TypeAlias

import msgspec

__all__ = [
    "Attach",
    "Control",
    "ControlMessage",
    "Stop",
    "StopRequest",
]


class _Message(msgspec.Struct, frozen=True, array_like=True, tag=True):
    pass


class Attach(_Message, frozen=True):
    """To a connection process: from now on hand the events to this host process, too."""

    host: str


class Stop(_Message, frozen=True):
    """To any child: end in an orderly way within `timeout` seconds."""

    reason: str
    timeout: float


class StopRequest(_Message, frozen=True):
    """From a host process: a plugin asks for the whole of qehost to stop."""

    reason: str


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


class HostStatus(_Message, frozen=True):
    """From a host process, once a second: `cursors` by account."""

    cursors: dict[str, int]


ControlMessage: TypeAlias = (
    Attach | Stop | StopRequest | Ready | Refused | Ended | ConnectionStatus | HostStatus
)

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ControlMessage).decode


class Control:
    """One end of the pipe."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def fileno(self) -> int:
        return self.connection.fileno()

    def send(self, message: ControlMessage) -> bool:
        """Send; False where the other side is gone."""
        try:
            self.connection.send_bytes(_encode(message))
        except OSError:
            return False
        return True

    def send_queue(self, message: Attach, queue: Connection, pid: int) -> bool:
        """Send `Attach` with the queue's writing end; the caller's copy is closed."""
        try:
            if not self.send(message):
                return False
            reduction.send_handle(self.connection, queue.fileno(), pid)
        except OSError:
            return False
        else:
            return True
        finally:
            queue.close()

    def poll(self) -> bool:
        try:
            return self.connection.poll()
        except OSError:
            return False

    def receive(self) -> ControlMessage:
        """The next message; waits for it.  Raises `EOFError` when the other side is gone."""
        try:
            message: ControlMessage = _decode(self.connection.recv_bytes())
        except OSError:
            raise EOFError from None
        return message

    def receive_queue(self) -> Connection:
        """The queue's end that follows an `Attach`."""
        handle = reduction.recv_handle(self.connection)
        os.set_inheritable(handle, False)
        return Connection(handle, readable=False)

    def close(self) -> None:
        self.connection.close()
