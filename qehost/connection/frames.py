"""The frames that a WebSocket server sends (RFC 6455): bytes in, messages out, no I/O.

websocket-client reads the socket anew for each message, joins fragments in quadratic time, has no
size limit and misses invalid UTF-8.  This parser works on whole reads.  Time and memory are linear
in what came in, however it was cut up.
"""

from __future__ import annotations

import codecs
import io
from typing import NamedTuple, TypeAlias

from qehost.errors import ProtocolViolation

__all__ = ["Close", "FrameParser", "Item", "Ping", "Pong"]


class Ping(NamedTuple):
    payload: bytes


class Pong(NamedTuple):
    payload: bytes


class Close(NamedTuple):
    """`code` is 1005 where the frame had none.  Nothing comes after it."""

    code: int
    reason: str


Item: TypeAlias = str | bytes | Ping | Pong | Close
"""A text message, a binary message, or a control frame."""

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
FIN = 0x80
WHOLE_TEXT = FIN | TEXT

NORMAL, PROTOCOL_ERROR, BAD_DATA, TOO_BIG = 1000, 1002, 1007, 1009
NO_CODE = 1005


class FrameParser:
    """Takes the stream apart.  `max_message` is the limit of one message in bytes.

    After a close frame or a violation the parser is at its end and takes no notice of more input.
    """

    def __init__(self, max_message: int) -> None:
        self.max_message = max_message
        self.violation: ProtocolViolation | None = None
        """What the venue did wrong; the messages before it have been returned all the same."""
        self.closed = False
        self._tail = b""  # the start of a header, or of a control frame: at most 130 bytes
        self._message = _NO_MESSAGE  # the message whose first frame, but not its last byte, is in
        self._left = 0  # payload bytes of the current data frame that are still to come
        self._last = False  # whether the current data frame ends its message

    def feed(self, data: bytes) -> list[Item]:
        """What `data` completes, in order.  Raises nothing; see `violation`."""
        items: list[Item] = []
        if not (self.closed or self.violation):
            try:
                self._feed(data, items)
            except ProtocolViolation as raised:
                # Another one: what was raised knows its frames, and by them this parser and `data`.
                self.violation = ProtocolViolation(raised.error_message, raised.close_code)
        return items

    def _feed(self, data: bytes, items: list[Item]) -> None:
        if self._tail:
            data = self._tail + data
            self._tail = b""
        at = self._continue_payload(data, 0, items) if self._left else 0
        end = len(data)
        add = items.append
        limit = self.max_message
        while end - at >= 2:
            first = data[at]
            length = data[at + 1]
            start = at + 2
            # A length written longer than need be is forbidden to senders, but unambiguous:
            # a connection is not worth ending for it.
            if length > 125:
                if length == 126:
                    start += 2
                    if start > end:
                        break
                    length = data[at + 2] << 8 | data[at + 3]
                elif length == 127:
                    start += 8
                    if start > end:
                        break
                    length = int.from_bytes(data[at + 2 : start])
                else:
                    raise ProtocolViolation("the venue sent a masked frame", PROTOCOL_ERROR)
            stop = start + length
            # Nearly every frame is a whole text message; the rest goes the long way.
            if first == WHOLE_TEXT and stop <= end and self._message is _NO_MESSAGE:
                if length > limit:
                    raise _too_big(limit)
                try:
                    add(data[start:stop].decode())
                except UnicodeDecodeError:
                    raise _bad_utf8() from None
                at = stop
            elif first & 0x08:
                _check_control(first, start - at, length)
                if stop > end:
                    break
                control = _control(first, data[start:stop])
                add(control)
                if isinstance(control, Close):
                    self.closed = True
                    return
                at = stop
            else:
                self._start_frame(first, length)
                at = self._continue_payload(data, start, items)
        self._tail = data[at:]

    def _start_frame(self, first: int, length: int) -> None:
        """The header of a data frame that is a fragment, is binary, or is not all here yet."""
        opcode = first & 0x0F
        if first & 0x70:
            raise _reserved_bits()
        if opcode == 0:
            if self._message is _NO_MESSAGE:
                raise ProtocolViolation(
                    "the venue sent a continuation of no message", PROTOCOL_ERROR
                )
        elif self._message is not _NO_MESSAGE:
            raise ProtocolViolation(
                "the venue began a message before the last one was complete", PROTOCOL_ERROR
            )
        elif opcode == TEXT:
            self._message = _TextMessage()
        elif opcode == BINARY:
            self._message = _BinaryMessage()
        else:
            raise _reserved_opcode(opcode)
        if self._message.size + length > self.max_message:
            raise _too_big(self.max_message)
        self._message.size += length
        self._left = length
        self._last = bool(first & FIN)

    def _continue_payload(self, data: bytes, at: int, items: list[Item]) -> int:
        """Take payload of the current data frame from `data[at:]`; return where it ends."""
        stop = min(at + self._left, len(data))
        self._left -= stop - at
        complete = self._last and not self._left
        self._message.add(data[at:stop], complete)
        if complete:
            items.append(self._message.whole())
            self._message = _NO_MESSAGE
        return stop


class _TextMessage:
    """A text message in the making.  Each piece is decoded at once, so bad text fails early."""

    def __init__(self) -> None:
        self.size = 0
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        # A list of pieces would take 80 bytes for each byte that a peer sends one by one.
        self._text = io.StringIO(newline="")

    def add(self, piece: bytes, final: bool) -> None:
        try:
            self._text.write(self._decode(piece, final))
        except UnicodeDecodeError:
            raise _bad_utf8() from None

    def whole(self) -> str | bytes:
        return self._text.getvalue()


class _BinaryMessage:
    """A binary message in the making."""

    def __init__(self) -> None:
        self.size = 0
        self._pieces = bytearray()

    def add(self, piece: bytes, final: bool) -> None:
        self._pieces += piece

    def whole(self) -> str | bytes:
        return bytes(self._pieces)


_NO_MESSAGE: _TextMessage | _BinaryMessage = _BinaryMessage()


def _check_control(first: int, header: int, length: int) -> None:
    """Whether the header of a control frame is allowed; before its payload is there."""
    if first & 0x70:
        raise _reserved_bits()
    if first & 0x0F not in (CLOSE, PING, PONG):
        raise _reserved_opcode(first & 0x0F)
    if not first & FIN:
        raise ProtocolViolation("the venue sent a control frame in fragments", PROTOCOL_ERROR)
    if header > 2:
        raise ProtocolViolation(
            f"the venue sent a control frame of {length} bytes, 125 are allowed", PROTOCOL_ERROR
        )


def _control(first: int, payload: bytes) -> Ping | Pong | Close:
    if first == FIN | PING:
        return Ping(payload)
    if first == FIN | PONG:
        return Pong(payload)
    if not payload:
        return Close(NO_CODE, "")
    code = int.from_bytes(payload[:2])
    if len(payload) == 1 or not _may_be_sent(code):
        raise ProtocolViolation(
            f"the venue sent a close frame with the invalid code {code}", PROTOCOL_ERROR
        )
    try:
        return Close(code, payload[2:].decode())
    except UnicodeDecodeError:
        raise ProtocolViolation(
            f"the venue closed with code {code} and a reason that is not valid UTF-8", BAD_DATA
        ) from None


def _may_be_sent(code: int) -> bool:
    """Whether a close frame may carry the code: IANA's registry, and the ranges free for use."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


def _reserved_bits() -> ProtocolViolation:
    return ProtocolViolation("the venue sent a frame with reserved bits set", PROTOCOL_ERROR)


def _reserved_opcode(opcode: int) -> ProtocolViolation:
    return ProtocolViolation(
        f"the venue sent a frame with the reserved opcode {opcode:#x}", PROTOCOL_ERROR
    )


def _bad_utf8() -> ProtocolViolation:
    return ProtocolViolation("the venue sent a text that is not valid UTF-8", BAD_DATA)


def _too_big(limit: int) -> ProtocolViolation:
    return ProtocolViolation(
        f"the venue sent a message of more than {limit} bytes; if that is right, "
        "raise connection.max_message in the settings of `qehost run`",
        TOO_BIG,
    )
