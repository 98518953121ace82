"""A server of the stream that costs next to nothing: it sends frames that were made before.

It runs in a process of its own and does what the benchmark tells it over a pipe: wait for clients,
send many messages as fast as they are taken, or send them at a pace.  After each of these it sends
one status message, and tells the benchmark when messages went out.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import multiprocessing
import signal
import socket
import threading
import time
from array import array
from collections import defaultdict
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Any, NamedTuple

import corpus

__all__ = ["Accept", "Blast", "Broken", "Pace", "Server"]

_ENDED = "the blast server has ended: its traceback is above"
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CHUNK = 256 * 1024
_PING, _PONG, _CLOSE = 0x9, 0xA, 0x8


class Broken(Exception):
    """Something did not do its part, so there is nothing to measure."""


class Accept(NamedTuple):
    """Wait for the next clients, and begin the corpus anew for each."""

    clients: int = 1


class Blast(NamedTuple):
    """Send the next `total` messages of a form, shared between the clients, as fast as these take
    them; then the status `end`.  Of several clients, each gets one of its own: `end-0`, `end-1`, …
    """

    total: int
    end: str
    form: str = corpus.MIXED


class Pace(NamedTuple):
    """Send the first client the next `total` messages, `rate` of them a second, then `end`."""

    total: int
    end: str
    rate: float


class Server:
    """The server's process, as the benchmark sees it.  It is started when it is needed first.

    It makes `block` messages, which takes it 20 µs each, and then repeats them with fresh ids.
    """

    def __init__(self, block: int = corpus.BLOCK) -> None:
        self.block = block
        self._spawn = multiprocessing.get_context("spawn")
        self._pipe, self._theirs = self._spawn.Pipe()
        self._process: SpawnProcess | None = None
        self._url = ""

    @property
    def url(self) -> str:
        self._start()
        return self._url

    def order(self, command: Accept | Blast | Pace) -> None:
        """Each order is carried out when the one before is done."""
        self._start()
        self._pipe.send(command)

    def done(self, client: Callable[[], object], timeout: float = 60.0) -> array[int]:
        """Waits for the next order.  When messages went out, epoch ns: of a blast only the first,
        otherwise each.  `client` raises if the client is gone.  Raises Broken."""
        deadline = time.monotonic() + timeout
        while not self._pipe.poll(0.1):
            client()
            if time.monotonic() > deadline:
                raise Broken(f"the blast server was not through after {timeout:g} s")
        try:
            times: array[int] = self._pipe.recv()
        except EOFError:
            client()
            raise Broken(_ENDED) from None
        return times

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self._theirs.close()
        self._pipe.close()

    def _start(self) -> None:
        if self._process is None:
            self._process = self._spawn.Process(
                target=_serve, args=(self._theirs, self.block), daemon=True
            )
            self._process.start()
            self._theirs.close()
            try:
                self._url = f"ws://127.0.0.1:{self._pipe.recv()}"
            except EOFError:
                raise Broken(_ENDED) from None


# --- in the server's process ----------------------------------------------------------------------


def _serve(pipe: Connection, block: int) -> None:
    # Ctrl-C is for the benchmark, which ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    frames = _AllFrames(block)
    listener = socket.create_server(("127.0.0.1", 0))
    pipe.send(listener.getsockname()[1])
    clients: list[_Client] = []
    while True:
        try:
            command: Any = pipe.recv()
        except EOFError:
            return
        times = array("q")
        if isinstance(command, Accept):
            for client in clients:
                client.close()
            clients = [_Client(listener.accept()[0], frames) for _ in range(command.clients)]
        elif isinstance(command, Blast):
            times.append(_blast(clients, command))
        else:
            times = clients[0].pace(command.total, command.rate, command.end)
        pipe.send(times)


def _blast(clients: Sequence[_Client], command: Blast) -> int:
    """When it began, epoch ns."""
    each = command.total // len(clients)
    shares = [client.prepare(each, command.form) for client in clients]
    ends = [f"{command.end}-{number}" for number in range(len(clients))]
    if len(clients) == 1:
        ends = [command.end]
    threads = [
        threading.Thread(target=client.send, args=(share, end))
        for client, share, end in zip(clients, shares, ends, strict=True)
    ]
    begin = time.time_ns()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return begin


class _AllFrames(dict[str, corpus.Frames]):
    """By the form; made when they are needed first."""

    def __init__(self, block: int) -> None:
        self._size = block
        self[corpus.MIXED]  # while nobody waits

    def __missing__(self, form: str) -> corpus.Frames:
        made = self[form] = corpus.Frames(self._size, form)
        return made


class _Client:
    def __init__(self, sock: socket.socket, frames: _AllFrames) -> None:
        self._socket = sock
        self._frames = frames
        self._sent: dict[str, int] = defaultdict(int)
        # A pong may not come in the middle of a frame.
        self._writing = threading.Lock()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = sock.makefile("rb")
        self._shake_hands()
        threading.Thread(target=self._answer_pings, daemon=True).start()

    def prepare(self, total: int, form: str) -> list[bytes]:
        """The next frames, in pieces that are worth a write."""
        begin = self._sent[form]
        self._sent[form] += total
        return self._frames[form].joined(begin, total, _CHUNK)

    def send(self, pieces: Sequence[bytes], end: str) -> None:
        # A client that has gone is the benchmark's to tell of: it has the client's log.
        with contextlib.suppress(OSError):
            for piece in pieces:
                with self._writing:
                    self._socket.sendall(piece)
            self.end(end)

    def pace(self, total: int, rate: float, end: str) -> array[int]:
        frames = self._frames[corpus.MIXED].single(self._sent[corpus.MIXED], total)
        self._sent[corpus.MIXED] += total
        times = array("q")
        with contextlib.suppress(OSError):
            begin = time.perf_counter()
            for number, frame in enumerate(frames):
                wait = begin + number / rate - time.perf_counter()
                if wait > 0:
                    time.sleep(wait)
                with self._writing:
                    times.append(time.time_ns())
                    self._socket.sendall(frame)
            self.end(end)
        return times

    def end(self, text: str) -> None:
        with self._writing:
            self._socket.sendall(corpus.status_frame(text, f"{text}-{sum(self._sent.values())}"))

    def close(self) -> None:
        # Ends the thread that reads, too.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

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
