"""A REST venue that follows a script, on a real socket."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import pytest

from qehost.rest import API, Retries

API_KEY = "the-api-key-0123456789abcdef"
API_SECRET = "the-api-secret-0123456789abcdef"


class Request(NamedTuple):
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    @property
    def fields(self) -> dict[str, str]:
        return dict(parse_qsl(self.query, keep_blank_values=True))


class Venue:
    """Answers from a function of the request, or else from a list, in turn.

    `/timestamp` is answered by `now_ms`, and kept out of `requests`, unless it is None.
    """

    HANG, DROP, DRIBBLE = "hang", "drop", "dribble"  # in the place of an answer

    @staticmethod
    def reply(body: Any = "", status: int = 200, **headers: str) -> bytes:
        """An HTTP answer; what is no text is sent as JSON.  `Retry_After="1"` makes a header."""
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(data)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode() + data

    @classmethod
    def result(cls, message: Any) -> bytes:
        """The venue's envelope around a result."""
        return cls.reply({"code": 200, "message": message, "reason": "", "traceId": "trace-1"})

    @classmethod
    def refusal(
        cls, code: int, reason: str, message: str, status: int | None = None, **headers: str
    ) -> bytes:
        """The venue's envelope around an error, at HTTP status `code` if no other is given."""
        envelope = {
            "code": code,
            "reason": reason,
            "message": message,
            "traceId": "trace-7",
            "serverTime": 5,
        }
        return cls.reply(envelope, code if status is None else status, **headers)

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answers: list[Any] = []
        self.answer: Callable[[Request], Any] = lambda _: self.answers.pop(0)
        self.now_ms: Callable[[], int] | None = lambda: 1_735_372_000_000
        self.asked = threading.Event()
        self._stop = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def connections(self) -> int:
        """How many there were so far."""
        return len(self._sockets)

    def hang_up(self) -> None:
        """End every connection, and wait until that is done."""
        for sock, thread in zip(self._sockets, self._threads[1:], strict=True):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            thread.join()

    def stop(self) -> None:
        self._stop.set()
        for sock in [self._listener, *self._sockets]:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        with sock, sock.makefile("rb") as lines:
            while True:
                try:
                    request = self._read(lines)
                    if request is None or not self._respond(sock, request):
                        return
                except OSError:
                    return

    def _read(self, lines: Any) -> Request | None:
        first = lines.readline().decode()
        if not first:
            return None
        method, target, _ = first.split()
        path, _, query = target.partition("?")
        headers = {}
        while (line := lines.readline().decode().strip()) != "":
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        body = lines.read(int(headers.get("content-length", 0)))
        return Request(method, path, query, headers, body)

    def _respond(self, sock: socket.socket, request: Request) -> bool:
        if request.path == "/timestamp" and self.now_ms is not None:
            sock.sendall(self.result({"serverTimeMilli": str(self.now_ms())}))
            return True
        self.requests.append(request)
        answer = self.answer(request)
        self.asked.set()
        if answer == self.HANG:
            self._stop.wait(60)
        elif answer == self.DRIBBLE:
            sock.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            while not self._stop.wait(0.02):
                sock.sendall(b"x")
        elif isinstance(answer, tuple):  # ("last", …): and then the connection ends
            sock.sendall(answer[1])
        elif answer != self.DROP:
            sock.sendall(answer)
            return True
        return False


@pytest.fixture
def venue() -> Iterator[Venue]:
    venue = Venue()
    yield venue
    venue.stop()


@pytest.fixture
def api(venue: Venue) -> Iterator[API]:
    # The clock agrees with the script's `now_ms`.
    api = API(
        API_KEY,
        API_SECRET,
        venue.url,
        retries=Retries(first_delay=0.01),
        clock=lambda: 1_735_372_000.0,
    )
    yield api
    api.close()
