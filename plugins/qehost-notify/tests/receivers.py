"""A real receiver on this machine, which behaves as it is told."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATIENCE = 240.0


def wait_for(condition: Callable[[], Any], what: object = "") -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, what() if callable(what) else what
        time.sleep(0.01)
    return found


class Received:
    """A request: where to, its headers, what it says."""

    def __init__(self, path: str, headers: Any, body: bytes) -> None:
        self.path, self.headers = path, dict(headers)
        self.content = json.loads(body)
        self.at = time.monotonic()

    @property
    def key(self) -> str:
        return str(self.headers["Idempotency-Key"])

    @property
    def count(self) -> int:
        return int(self.content["count"])

    @property
    def text(self) -> str:
        return str(self.content["text"])


Behaviour = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    receiver: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        receiver = self.receiver
        self.received = Received(self.path, self.headers, body)
        with receiver.lock:
            receiver.tried.append(self.received)
        try:
            receiver.behaviour(self)
        except OSError:
            self.close_connection = True

    def answer(self, status: int = 200, body: object = None, **headers: str) -> None:
        data = json.dumps({} if body is None else body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


def hangs(handler: Handler) -> None:
    """A receiver that never answers."""
    handler.receiver.over.wait()
    handler.close_connection = True


def takes(handler: Handler) -> None:
    """A receiver that is well."""
    with handler.receiver.lock:
        handler.receiver.taken.append(handler.received)
    handler.answer()


def slow(handler: Handler) -> None:
    """A receiver that is well, but takes its time."""
    time.sleep(0.05)
    takes(handler)


class Receiver:
    """`tried` is all that came, `taken` what it took."""

    def __init__(self) -> None:
        self.tried: list[Received] = []
        self.taken: list[Received] = []
        self.behaviour: Behaviour = takes
        self.lock = threading.Lock()
        self.over = threading.Event()
        # Bound for as long as it is there, so that no other program has its port meanwhile.
        self._bound = socket.socket()
        self._bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._bound.bind(("127.0.0.1", 0))
        self.port = self._bound.getsockname()[1]
        self.start()

    def start(self) -> None:
        handler = type("Bound", (Handler,), {"receiver": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def encrypt(self, context: ssl.SSLContext) -> None:
        """From now on it speaks TLS."""
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def end(self) -> None:
        self.stop()
        self._bound.close()

    def stop(self) -> None:
        """Until the next `start` its port refuses connections."""
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook/s3cretpathtoken"

    def count(self) -> int:
        """Things that were told, each message once."""
        with self.lock:
            return sum({each.key: each.count for each in self.taken}.values())
