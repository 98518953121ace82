"""The HTTP server: pages by their path, in a thread of its own with one more for each request.

It never touches what hooks wait for, so a client that is slow costs them nothing.
"""

from __future__ import annotations

import logging
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, NamedTuple, TypeAlias

__all__ = ["Answer", "Page", "Server", "listening_socket"]

REQUESTS = 16
"""That are answered at the same time; a connection more is closed."""
SILENCE = 10.0
"""Seconds after which a client that sends or reads nothing is cut off."""
POLL = 0.1
"""Seconds that the end of the server takes."""
OWN_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class Answer(NamedTuple):
    status: int
    content_type: str
    body: bytes


_Socket: TypeAlias = socket.socket | tuple[bytes, socket.socket]
"""As socketserver has it: that of TCP is the first."""
Page: TypeAlias = Callable[[str], Answer]
"""Given the request's `Accept`."""


def listening_socket(host: str, port: int) -> socket.socket:
    """Raises OSError with the address in its text."""
    try:
        return socket.create_server((host, port), family=_family(host))
    except OSError as error:
        raise OSError(error.errno, f"{host}:{port}: {error.strerror or error}") from None


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


class Server:
    """Answers from `start` to `close`."""

    def __init__(
        self, host: str, port: int, pages: Mapping[str, Page], log: logging.Logger
    ) -> None:
        sock = listening_socket(host, port)
        self.port: int = sock.getsockname()[1]
        self._server = _Server(sock, pages, _is_loopback(host), log)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL,), name="qehost-metrics", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Server(ThreadingMixIn, TCPServer):
    # Not `http.server.HTTPServer`: it looks the address up in the DNS, which may take seconds.
    daemon_threads = True

    def __init__(
        self, sock: socket.socket, pages: Mapping[str, Page], own_only: bool, log: logging.Logger
    ) -> None:
        super().__init__(sock.getsockname()[:2], _Request, bind_and_activate=False)
        self.socket.close()
        self.socket = sock
        self.pages = pages
        self.own_only = own_only
        """Only requests for this machine's own names are answered: a page in a browser that has
        its own name point here (DNS rebinding) reads nothing."""
        self._log = log
        self._free = threading.BoundedSemaphore(REQUESTS)

    def process_request(self, request: _Socket, client_address: Any) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: _Socket, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: _Socket, client_address: Any) -> None:
        # socketserver would print it.  What a client breaks off is no fault here.
        if not isinstance(sys.exception(), OSError):
            self._log.warning("a request could not be answered", exc_info=True)


class _Request(BaseHTTPRequestHandler):
    server: _Server
    timeout = SILENCE
    server_version = "qehost-metrics"
    sys_version = ""

    def do_GET(self) -> None:
        answer = self._answer()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_HEAD = do_GET  # noqa: N815 — http.server's name

    def _answer(self) -> Answer:
        if self.server.own_only and _name_in(self.headers.get("Host", "")) not in OWN_NAMES:
            return _text(421, "not for this host name\n")
        page = self.server.pages.get(self.path.partition("?")[0])
        if page is None:
            return _text(404, f"there is {', '.join(self.server.pages)}\n")
        return page(self.headers.get("Accept", ""))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 — as in the base
        """Not to standard error."""


def _text(status: int, text: str) -> Answer:
    return Answer(status, "text/plain; charset=utf-8", text.encode())


def _name_in(host: str) -> str:
    """The `Host` header without the port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()
