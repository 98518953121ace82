"""What the state machine of a stream asks its shell to do: small immutable values."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from qehost.connection.listen_key import Key
from qehost.errors import ConnectionLost, WebsocketClientError

__all__ = [
    "Action",
    "CloseStream",
    "Connect",
    "DrainStream",
    "GiveUp",
    "MakeKey",
    "SendPing",
    "TellDisconnected",
    "TellError",
    "UseStream",
    "WriteLog",
]


class MakeKey(msgspec.Struct, frozen=True):
    """Make a listen key in the background; then call `key_made` or `key_failed`."""


class Connect(msgspec.Struct, frozen=True):
    """Open a connection with this key in the background; then call `opened` or `not_opened`."""

    key: Key


class DrainStream(msgspec.Struct, frozen=True):
    """Close the stream that is read, take all that it still brings, then call `drained`.

    The stream that was opened waits meanwhile: its messages are newer.
    """


class UseStream(msgspec.Struct, frozen=True):
    """Read the stream that was opened last.

    `attempt`, from 1, is for the event `connected`; 0: a change of keys, which makes no event.
    """

    attempt: int


class CloseStream(msgspec.Struct, frozen=True):
    """Close the stream, `at_once` or with close frames both ways."""

    at_once: bool


class SendPing(msgspec.Struct, frozen=True):
    """Ask the venue for a sign of life."""


class TellDisconnected(msgspec.Struct, frozen=True):
    """Make the event `disconnected`.  `outlook` says in the log what comes next."""

    error: ConnectionLost
    outlook: str = ""


class TellError(msgspec.Struct, frozen=True):
    """Make an event for `on_error`.  `outlook` says in the log what comes next."""

    error: WebsocketClientError
    outlook: str = ""


class WriteLog(msgspec.Struct, frozen=True):
    """Write a line to the log; nothing that a plugin needs to know of."""

    text: str


class GiveUp(msgspec.Struct, frozen=True):
    """End the connection process."""

    reason: str


Action: TypeAlias = (
    MakeKey
    | Connect
    | DrainStream
    | UseStream
    | CloseStream
    | SendPing
    | TellDisconnected
    | TellError
    | WriteLog
    | GiveUp
)
