"""A server of the stream that costs next to nothing: it sends frames that were made before.

It runs in a process of its own and does what the benchmark tells it over a pipe: wait for a client,
send many messages as fast as they are taken, or send them at a pace.  After each of these it sends
one status message, and tells the benchmark when each message went out.
"""

from __future__ import annotations

import base64
import hashlib
import multiprocessing
import socket
import threading
import time
from array import array
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, NamedTuple

import corpus

__all__ = ["Accept", "Blast", "Pace", "Server"]

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CHUNK = 256 * 1024
_PING, _PONG, _CLOSE = 0x9, 0xA, 0x8


class Accept(NamedTuple):
    """Wait for the next client and begin the corpus anew for it."""


class Blast(NamedTuple):
    """Send the next `total` messages as fast as the client takes them, then the status `end`."""

    total: int
    end: str


class Pace(NamedTuple):
    """Send the next `total` messages, `rate` of them a second, then the status `end`."""

    total: int
    end: str
    rate: float


class Server:
    """The server's process, as the benchmark sees it.  `total` bounds what one client can get."""

    def __init__(self, total: int) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(theirs, total), daemon=True)
        self._process.start()
        theirs.close()
        self.url = f"ws://127.0.0.1:{self._pipe.recv()}"

    def order(self, command: Accept | Blast | Pace) -> None:
        self._pipe.send(command)

    def done(self, client: Callable[[], object], timeout: float = 60.0) -> array[int]:
        """Waits for the last order.  When messages went out, epoch ns: of a blast only the first,
        otherwise each.  `client` raises if the client is gone."""
        deadline = time.monotonic() + timeout
        while not self._pipe.poll(0.1):
            client()
            if time.monotonic() > deadline:
                raise TimeoutError(f"the blast server was not through after {timeout:g} s")
        times: array[int] = self._pipe.recv()
        return times

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()


# --- in the server's process ----------------------------------------------------------------------


def _serve(pipe: Connection, total: int) -> None:
    frames = corpus.frames(total)
    listener = socket.create_server(("127.0.0.1", 0))
    pipe.send(listener.getsockname()[1])
    client: _Client | None = None
    while True:
        command: Any = pipe.recv()
        if isinstance(command, Accept):
            client = _Client(listener.accept()[0], frames)
            times = array("q")
        elif client is None:
            raise RuntimeError("no client yet")
        elif isinstance(command, Blast):
            times = client.blast(command.total)
            client.end(command.end)
        else:
            times = client.pace(command.total, command.rate)
            client.end(command.end)
        pipe.send(times)


class _Client:
    def __init__(self, sock: socket.socket, frames: Sequence[bytes]) -> None:
        self._socket = sock
        self._frames = frames
        self._sent = 0
        # A pong may not come in the middle of a frame.
        self._writing = threading.Lock()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = sock.makefile("rb")
        self._shake_hands()
        threading.Thread(target=self._answer_pings, daemon=True).start()

    def blast(self, total: int) -> array[int]:
        chunks = list(_chunks(self._next(total)))
        begin = time.time_ns()
        for chunk in chunks:
            with self._writing:
                self._socket.sendall(chunk)
        return array("q", [begin])

    def pace(self, total: int, rate: float) -> array[int]:
        times = array("q")
        begin = time.perf_counter()
        for number, frame in enumerate(self._next(total)):
            wait = begin + number / rate - time.perf_counter()
            if wait > 0:
                time.sleep(wait)
            with self._writing:
                times.append(time.time_ns())
                self._socket.sendall(frame)
        return times

    def end(self, text: str) -> None:
        with self._writing:
            self._socket.sendall(corpus.status_frame(text, f"{text}-{self._sent}"))

    def _next(self, total: int) -> Sequence[bytes]:
        begin, self._sent = self._sent, self._sent + total
        return self._frames[begin : self._sent]

    def _shake_hands(self) -> None:
        key = b""
        while (line := self._reader.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            if name.lower() == b"sec-websocket-key":
                key = value.strip()
        accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())
        self._socket.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )

    def _answer_pings(self) -> None:
        """Reads what the client sends: pings and, at its end, a close frame.  All are short."""
        try:
            while len(head := self._reader.read(2)) == 2:
                opcode, length = head[0] & 0x0F, head[1] & 0x7F
                mask = self._reader.read(4)
                payload = bytes(
                    byte ^ mask[place % 4] for place, byte in enumerate(self._reader.read(length))
                )
                if opcode in (_PING, _CLOSE):
                    answer = _PONG if opcode == _PING else _CLOSE
                    with self._writing:
                        self._socket.sendall(bytes((0x80 | answer, len(payload))) + payload)
                if opcode == _CLOSE:
                    break
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the client is gone
        self._socket.close()


def _chunks(frames: Sequence[bytes]) -> list[bytes]:
    """Whole frames, together as many as are worth one write."""
    each = max(1, _CHUNK * len(frames) // sum(map(len, frames)))
    return [b"".join(frames[at : at + each]) for at in range(0, len(frames), each)]
