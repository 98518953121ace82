"""The venue's one port: HTTP requests, and the upgrade of some of them to a WebSocket."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedReader
from socketserver import TCPServer
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from qehost.simulator.accounts import Account
from qehost.simulator.connection import ClientConnection
from qehost.simulator.encode import MessageVersion
from qehost.simulator.refusal import HangingRequest, LostAnswer, RestRefusal
from qehost.simulator.rest import RestReply, RestRequest, strip_prefix

__all__ = ["HttpServer", "VenueServer"]

TLS_HANDSHAKE = b"\x16"
"""The first byte of a client that begins with TLS."""
_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
_STREAMS: dict[str, MessageVersion] = {"/api/ws": "v1", "/api/ws/v2": "v2"}
_BODY_LIMIT = 1024 * 1024


class VenueServer(Protocol):
    """What the HTTP server needs of the venue.  Called by the threads of the clients."""

    def answer(self, request: RestRequest) -> RestReply:
        """The reply to a REST request; raises `HangingRequest` or `LostAnswer`."""

    def carry_out(self, request: RestRequest) -> RestReply:
        """The same without faults."""

    def admit(self, listen_key: str) -> Account:
        """Whose listen key this is; raises `RestRefusal` or `HangingRequest`."""

    def refuse(self, refused: RestRefusal) -> RestReply:
        """The reply for a refusal."""

    def open(
        self,
        account: Account,
        listen_key: str,
        form: MessageVersion,
        sock: socket.socket,
        read: Callable[[int], bytes],
    ) -> ClientConnection:
        """A stream has been opened."""

    def ended(self, connection: ClientConnection) -> None:
        """The stream has ended."""

    def seen(self, method: str, path: str, status: int) -> None:
        """A request was answered; 101 is a stream that opened, 0 one that gets no answer."""


class HttpServer(ThreadingHTTPServer):
    """Listens on `address`, with a thread for each client.  `shut` ends them all."""

    daemon_threads = True
    allow_reuse_port = False  # two venues on one port would share its clients
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], host: VenueServer) -> None:
        self.host = host
        self._lock = threading.Lock()
        self._clients: dict[socket.socket, threading.Thread] = {}
        self._acceptor: threading.Thread | None = None
        self._shutting = False
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # Not that of HTTPServer, which asks DNS for the host's name and may wait long for it.
        TCPServer.server_bind(self)

    def open(self) -> None:
        self._acceptor = threading.Thread(target=self._accept, name="venue acceptor", daemon=True)
        self._acceptor.start()

    def shut(self) -> None:
        """Stops listening, ends every client, waits for their threads."""
        self._shutting = True
        if self._acceptor is not None:
            host, port = self.server_address[:2]
            # Wakes the acceptor at once; `serve_forever` would poll for its end.
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
        """Ignores clients that have gone; anything else is a bug of the simulator."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "qehost-simulate"
    disable_nagle_algorithm = True
    server: HttpServer

    def handle_one_request(self) -> None:
        assert isinstance(self.rfile, BufferedReader)
        if self.rfile.peek(1)[:1] == TLS_HANDSHAKE:
            # No line will come that ends.  As other servers do: at once, and as plain text.
            self.close_connection = True
            self.wfile.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
            return
        super().handle_one_request()

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
        """Logs nothing: the default would print the listen key, which is part of the URL."""

    def _answer(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > _BODY_LIMIT:
            self._refuse(RestRefusal(413, "TOO_LARGE", f"a body has at most {_BODY_LIMIT} bytes"))
            return
        body = self.rfile.read(int(length))
        url = urlsplit(self.path)
        key = self.headers.get("X-MBX-APIKEY", "")
        request = RestRequest(self.command, url.path, url.query, key, body)
        try:
            reply = self.server.host.answer(request)
        except HangingRequest:
            self._hang()
        except LostAnswer as lost:
            self._lose(request, lost.later)
        else:
            self._reply(reply)

    def _reply(self, reply: RestReply) -> None:
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

    def _refuse(self, refused: RestRefusal) -> None:
        self.close_connection = True
        self._reply(self.server.host.refuse(refused))

    def _hang(self) -> None:
        """Waits until the client gives up."""
        self.close_connection = True
        self.server.host.seen(self.command, urlsplit(self.path).path, 0)
        with contextlib.suppress(OSError):
            while self.rfile.read(1):
                pass

    def _lose(self, request: RestRequest, later: float) -> None:
        """Ends the connection; what was not carried out before is after that."""
        self.close_connection = True
        self.server.host.seen(self.command, urlsplit(self.path).path, 0)
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        if later:
            time.sleep(later)
            self.server.host.carry_out(request)

    def _upgrade(self) -> None:
        url = urlsplit(self.path)
        key = dict(parse_qsl(url.query)).get("listen_key", "")
        form = _STREAMS.get(strip_prefix(url.path))
        nonce = self.headers.get("Sec-WebSocket-Key", "")
        try:
            if form is None:
                raise RestRefusal(404, "NOT_FOUND", f"there is no stream at {url.path}")
            if not nonce or self.headers.get("Sec-WebSocket-Version") != "13":
                raise RestRefusal(400, "BAD_HANDSHAKE", "not a WebSocket handshake of version 13")
            account = self.server.host.admit(key)
        except RestRefusal as refused:
            self._refuse(refused)
            return
        except HangingRequest:
            self._hang()
            return
        accept = base64.b64encode(hashlib.sha1((nonce + _MAGIC).encode()).digest()).decode()
        self.send_response_only(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", accept)
        self.close_connection = True
        host = self.server.host
        host.seen(self.command, url.path, 101)
        # Before the client knows of its stream, so that from then on nothing passes it by.
        connection = host.open(account, key, form, self.connection, self.rfile.read1)
        try:
            self.end_headers()
            connection.serve()
        finally:
            host.ended(connection)
