"""The venue's one port: HTTP requests, and the upgrade of some of them to a WebSocket."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from qehost.simulator.accounts import Account
from qehost.simulator.connection import Connection
from qehost.simulator.encode import Form
from qehost.simulator.refusal import Hang, Refused
from qehost.simulator.rest import Reply, Request, strip_prefix

__all__ = ["Door", "Host"]

_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
_STREAMS: dict[str, Form] = {"/api/ws": "v1", "/api/ws/v2": "v2"}
_BODY_LIMIT = 1024 * 1024


class Host(Protocol):
    """What the door asks of the venue behind it.  Called by a thread of each client."""

    def answer(self, request: Request) -> Reply:
        """The reply to a REST request; raises `Hang`."""

    def admit(self, listen_key: str) -> Account:
        """Whose listen key this is; raises `Refused` or `Hang`."""

    def refuse(self, refused: Refused) -> Reply:
        """The reply that tells of a refusal."""

    def open(
        self,
        account: Account,
        listen_key: str,
        form: Form,
        sock: socket.socket,
        read: Callable[[int], bytes],
    ) -> Connection:
        """A stream that has just been opened."""

    def ended(self, connection: Connection) -> None:
        """The stream is over."""

    def seen(self, method: str, path: str, status: int) -> None:
        """A request was answered; 101 is a stream that opened, 0 one that gets no answer."""


class Door(ThreadingHTTPServer):
    """Listens on `address`, a thread for each client.  `shut` ends them all."""

    daemon_threads = True
    allow_reuse_port = False  # two venues on one port would share its clients
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], host: Host) -> None:
        self.host = host
        self._lock = threading.Lock()
        self._clients: dict[socket.socket, threading.Thread] = {}
        self._acceptor: threading.Thread | None = None
        self._shutting = False
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # Past HTTPServer, which asks DNS for the host's name and may wait long for it.
        TCPServer.server_bind(self)

    def open(self) -> None:
        self._acceptor = threading.Thread(target=self._accept, name="venue door", daemon=True)
        self._acceptor.start()

    def shut(self) -> None:
        """Stops listening, ends every client, waits for their threads."""
        self._shutting = True
        if self._acceptor is not None:
            host, port = self.server_address[:2]
            # `serve_forever` would look for its end now and then; this wakes the acceptor at once.
            with contextlib.suppress(OSError):
                socket.create_connection((str(host), port), timeout=1.0).close()
            self._acceptor.join()
        self.server_close()
        with self._lock:
            clients = dict(self._clients)
        for sock in clients:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in clients.values():
            thread.join(5.0)

    def _accept(self) -> None:
        while not self._shutting:
            self.handle_request()

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._shutting:
            request.close()
            return
        thread = threading.Thread(
            target=self.process_request_thread,
            args=(request, client_address),
            name="venue client",
            daemon=True,
        )
        with self._lock:
            self._clients[request] = thread
        thread.start()

    def shutdown_request(self, request: Any) -> None:
        # Closing alone: a shutdown of the sending side first would turn a reset into an end of
        # file.  The client's socket is one reference, so closing it is the end of it.
        self.close_request(request)

    def close_request(self, request: Any) -> None:
        with self._lock:
            self._clients.pop(request, None)
        request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is gone is everyday life; anything else is a fault of the venue's own."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "qehost-simulate"
    disable_nagle_algorithm = True
    server: Door

    def do_GET(self) -> None:
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self._upgrade()
        else:
            self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def log_message(self, *_: Any) -> None:
        """Nothing: the library would print the listen key, which stands in the URL."""

    def _answer(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > _BODY_LIMIT:
            self._refuse(Refused(413, "TOO_LARGE", f"a body has at most {_BODY_LIMIT} bytes"))
            return
        body = self.rfile.read(int(length))
        url = urlsplit(self.path)
        key = self.headers.get("X-MBX-APIKEY", "")
        try:
            reply = self.server.host.answer(Request(self.command, url.path, url.query, key, body))
        except Hang:
            self._hang()
        else:
            self._reply(reply)

    def _reply(self, reply: Reply) -> None:
        self.server.host.seen(self.command, urlsplit(self.path).path, reply.status)
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(reply.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        for name, value in reply.headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    def _refuse(self, refused: Refused) -> None:
        self.close_connection = True
        self._reply(self.server.host.refuse(refused))

    def _hang(self) -> None:
        """Waits until the client gives up."""
        self.close_connection = True
        self.server.host.seen(self.command, urlsplit(self.path).path, 0)
        with contextlib.suppress(OSError):
            while self.rfile.read(1):
                pass

    def _upgrade(self) -> None:
        url = urlsplit(self.path)
        key = dict(parse_qsl(url.query)).get("listen_key", "")
        form = _STREAMS.get(strip_prefix(url.path))
        nonce = self.headers.get("Sec-WebSocket-Key", "")
        try:
            if form is None:
                raise Refused(404, "NOT_FOUND", f"there is no stream at {url.path}")
            if not nonce or self.headers.get("Sec-WebSocket-Version") != "13":
                raise Refused(400, "BAD_HANDSHAKE", "not a WebSocket handshake of version 13")
            account = self.server.host.admit(key)
        except Refused as refused:
            self._refuse(refused)
            return
        except Hang:
            self._hang()
            return
        accept = base64.b64encode(hashlib.sha1((nonce + _MAGIC).encode()).digest()).decode()
        self.send_response_only(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", accept)
        self.end_headers()
        self.close_connection = True
        self.server.host.seen(self.command, url.path, 101)
        host = self.server.host
        connection = host.open(account, key, form, self.connection, self.rfile.read1)
        try:
            connection.serve()
        finally:
            host.ended(connection)
