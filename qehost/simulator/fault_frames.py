"""The bytes of each fault of a stream or a message."""

from __future__ import annotations

import struct
from collections.abc import Callable

from websocket import ABNF, STATUS_GOING_AWAY

from qehost.simulator.connection import ClientConnection, frame, text_frame

__all__ = ["STREAM", "shaped"]

_STATUS = b'{"type":"status","messageId":"","userId":"","data":"%s"}'
_HUGE = 1 << 40
_PIECES = 50
_PIECE_PAUSE = 0.005  # seconds


def _torn(connection: ClientConnection) -> None:
    whole = text_frame(_STATUS % b"torn")
    connection.send(whole[: len(whole) // 2])
    connection.end()


def _reserved(connection: ClientConnection) -> None:
    connection.send(frame(ABNF.OPCODE_TEXT, _STATUS % b"reserved", rsv1=1))


def _opcode(connection: ClientConnection) -> None:
    connection.send(b"\x83\x00")  # final, opcode 3, empty


def _oversized(connection: ClientConnection) -> None:
    """Everything that is sent after it is part of this frame."""
    connection.send(b"\x81\x7f" + struct.pack("!Q", _HUGE) + b"x" * 1024)


def _invalid_utf8(connection: ClientConnection) -> None:
    connection.send(text_frame(_STATUS % b"\xce\xba\xed\xa0\x80"))


STREAM: dict[str, Callable[[ClientConnection], None]] = {
    "drop": lambda connection: connection.close(STATUS_GOING_AWAY, "going away"),
    "end": ClientConnection.end,
    "reset": ClientConnection.reset,
    "silence": ClientConnection.silence,
    "mute": ClientConnection.mute,
    "torn": _torn,
    "reserved": _reserved,
    "opcode": _opcode,
    "oversized": _oversized,
    "invalid-utf8": _invalid_utf8,
}
"""The faults of streams by name."""


def shaped(text: bytes, faults: list[str]) -> Callable[[ClientConnection], None]:
    """A function that sends one message with these faults."""
    data = _fragments(text) if "fragmented" in faults else text_frame(text)
    if "duplicate" in faults:
        data *= 2
    if "dribble" in faults:
        return lambda connection: _dribble(connection, data)
    return lambda connection: connection.send(data)


def _fragments(text: bytes) -> bytes:
    """Three fragments, cut without regard for characters, with a ping between them."""
    third = len(text) // 3
    return b"".join(
        (
            frame(ABNF.OPCODE_TEXT, text[:third], fin=0),
            frame(ABNF.OPCODE_PING, b"between"),
            frame(ABNF.OPCODE_CONT, text[third : 2 * third], fin=0),
            frame(ABNF.OPCODE_CONT, text[2 * third :]),
        )
    )


def _dribble(connection: ClientConnection, data: bytes) -> None:
    size = max(1, len(data) // _PIECES)
    for start in range(0, len(data), size):
        connection.send(data[start : start + size])
        connection.pause(_PIECE_PAUSE)
