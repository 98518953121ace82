"""The venue's side of one WebSocket: a bounded outbox, a writer thread, a reader.

The market never waits for a client.  What is sent is put into the outbox, which the writer thread
empties; if a client lets it grow past its bound the connection is reset, as at a real venue.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from websocket import (
    ABNF,
    STATUS_NORMAL,
    STATUS_PROTOCOL_ERROR,
    WebSocketProtocolException,
    frame_buffer,
)

from qehost.simulator.accounts import Account
from qehost.simulator.encode import MessageVersion

__all__ = ["ClientConnection", "frame", "text_frame"]

OUTBOX_LIMIT = 16 * 1024 * 1024
"""Bytes in the outbox of one client; about 20,000 messages."""

_WRITE_SIZE = 256 * 1024
_LINGER_RESET = struct.pack("ii", 1, 0)

# The writer sends bytes and calls functions.
_Item: TypeAlias = bytes | Callable[[], object]


def frame(opcode: int, payload: bytes, *, fin: int = 1, rsv1: int = 0) -> bytes:
    """A frame as a server sends it: not masked."""
    return ABNF(fin, rsv1, 0, 0, opcode, 0, payload).format()


def text_frame(text: bytes) -> bytes:
    return frame(ABNF.OPCODE_TEXT, text)


class ClientConnection:
    """An open stream.  Every method but `serve` returns at once and may be called by any thread.

    `form` is the version that the client asked for; `closed` is set at the end of the stream.
    The writer pauses for `write_pause` seconds before each write.
    """

    def __init__(
        self,
        account: Account,
        listen_key: str,
        form: MessageVersion,
        sock: socket.socket,
        read: Callable[[int], bytes],
        write_pause: float = 0.0,
    ) -> None:
        self.account = account
        self.listen_key = listen_key
        self.form = form
        self.closed = threading.Event()
        self._socket = sock
        self._read = read
        self._frames = frame_buffer(self._receive, skip_utf8_validation=True)
        self._outbox: deque[_Item] = deque()
        self.waiting = 0  # bytes in the outbox
        self._changed = threading.Condition()
        self._ending = False  # nothing more is accepted for sending
        self._gone = threading.Event()  # the client has gone: pauses end
        self._silent = False  # nothing more is sent at all
        self._muted = False  # no message is sent any more
        self._write_pause = write_pause
        self._sending = False  # the writer may hang in the socket

    def __repr__(self) -> str:
        return f"ClientConnection({self.form}, {'closed' if self.closed.is_set() else 'open'})"

    @property
    def open(self) -> bool:
        """Whether a message that is sent now would still be written."""
        return not (self._ending or self._silent or self._muted)

    def send(self, data: bytes) -> None:
        """Sends bytes as they are, usually a whole frame."""
        with self._changed:
            if self._ending or self._silent:
                return
            self._outbox.append(data)
            self.waiting += len(data)
            if self.waiting <= OUTBOX_LIMIT:
                if len(self._outbox) == 1:
                    self._changed.notify()
                return
        self.reset()

    def then(self, action: Callable[[], object]) -> None:
        """Calls `action` in the writer's thread after everything sent before was written."""
        with self._changed:
            if not self._ending:
                self._outbox.append(action)
                self._changed.notify()

    def pause(self, seconds: float) -> None:
        """Waits between what was sent before and what is sent after this call."""
        self.then(lambda: self._gone.wait(seconds))

    def silence(self) -> None:
        """Sends nothing more, not even a pong, and stays open."""
        with self._changed:
            self._silent = True
            self._forget()

    def mute(self) -> None:
        """Gets no more messages, since it does not count as open; answers pings."""
        self._muted = True

    def close(self, code: int = STATUS_NORMAL, reason: str = "") -> None:
        """Ends the stream with a close frame, then the end of the file."""
        self.send(frame(ABNF.OPCODE_CLOSE, struct.pack("!H", code) + reason.encode()))
        self.end()

    def end(self) -> None:
        """Ends the stream by the end of the file; without `close` there is no close frame."""
        with self._changed:
            if not self._ending:
                self._outbox.append(self._shut_write)
                self._ending = True
                self._changed.notify()

    def reset(self) -> None:
        """Ends the stream by a TCP reset; what is not yet sent is lost."""
        self._gone.set()
        with self._changed:
            self._ending = True
            self._forget()
            # Shutting down the sending side sends an end of file before the reset, so it is done
            # only if the writer is blocked by a full socket, where nothing else would wake it.
            how = socket.SHUT_RDWR if self._sending else socket.SHUT_RD
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
        with contextlib.suppress(OSError):  # wakes the reader; the socket is closed after it
            self._socket.shutdown(how)

    def serve(self) -> None:
        """Reads until the stream ends.  The caller closes the socket afterwards."""
        writer = threading.Thread(target=self._write, name="venue writer", daemon=True)
        writer.start()
        try:
            while self._read_frame():
                pass
        except WebSocketProtocolException as error:
            self.close(STATUS_PROTOCOL_ERROR, str(error)[:100])
        except (OSError, EOFError):
            self._gone.set()
            with self._changed:
                self._ending = True
                self._forget()
                hanging = self._sending
            if hanging:
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)
        writer.join()
        self.closed.set()

    def _forget(self) -> None:
        """Drops what is not yet sent, and wakes the writer."""
        self._outbox.clear()
        self.waiting = 0
        self._changed.notify()

    def _receive(self, size: int) -> bytes:
        data = self._read(size)
        if not data:
            raise EOFError
        return data

    def _read_frame(self) -> bool:
        """Handles one frame; False after a close frame."""
        received = self._frames.recv_frame()
        if not received.mask_value:
            raise WebSocketProtocolException("a client's frame must be masked")
        payload = received.data if isinstance(received.data, bytes) else received.data.encode()
        match received.opcode:
            case ABNF.OPCODE_PING:
                self.send(frame(ABNF.OPCODE_PONG, payload))
            case ABNF.OPCODE_TEXT if payload == b"ping":
                self.send(text_frame(b"pong"))
            case ABNF.OPCODE_CLOSE:
                self.send(frame(ABNF.OPCODE_CLOSE, payload[:2]))
                self.end()
                return False
        return True

    def _write(self) -> None:
        while True:
            with self._changed:
                while not self._outbox and not self._ending:
                    self._changed.wait()
                if not self._outbox:
                    return
                data, action = self._next()
                self._sending = bool(data)
            if data:
                if self._write_pause:
                    self._gone.wait(self._write_pause)
                with contextlib.suppress(OSError):  # the reader notices, and ends the stream
                    self._socket.sendall(data)
            with self._changed:
                self._sending = False
            if action is not None:
                action()

    def _next(self) -> tuple[bytes, Callable[[], object] | None]:
        """As many bytes as are worth one write, and the action that comes after them."""
        chunks: list[bytes] = []
        size = 0
        while self._outbox and size < _WRITE_SIZE:
            item = self._outbox.popleft()
            if not isinstance(item, bytes):
                self.waiting -= size
                return b"".join(chunks), item
            chunks.append(item)
            size += len(item)
        self.waiting -= size
        return b"".join(chunks), None

    def _shut_write(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
