"""One HTTP request and its answer, under one deadline, with no secret left behind.

The standard library's `http.client` reads the answers.  Connecting, keeping connections and
deadlines are done here, because

* the deadline holds for the whole: a peer that sends its answer byte by byte can't stretch it;
* connections are dialled as the stream's are: the same proxies, the same TLS, the same errors;
* a connection that was idle for long is not used again: a NAT on the way may have forgotten it, and
  what is sent on it gets no answer;
* `close()` ends requests that are under way in other threads;
* neither a log line nor an error, nor a frame that an error leads to, holds the signed query.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import logging
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import quote, unquote, urlsplit
from weakref import finalize

import msgspec

from qehost.errors import ConnectError, ParameterArgumentError, TransportError
from qehost.network.deadline import Deadline
from qehost.network.dial import dial, tls_context
from qehost.network.proxy import choose_proxy, host_port
from qehost.network.user_agent import user_agent
from qehost.secret import Secret, without_credentials

__all__ = ["ApiClosed", "Http", "HttpReply"]

MAX_ANSWER = 16 * 2**20
"""Bytes.  The largest page is a few hundred KB; more is not an answer of the venue."""

KEPT = 16
"""How many idle connections are kept to be used again."""

IDLE = 30.0
"""Seconds.  A connection that was idle for longer is not used again."""

KEEP_ALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
"""Seconds, seconds, and how often the system asks before it takes the other side for dead."""

NO_QUERY = Secret("")

log = logging.getLogger("qehost.rest")


class HttpReply(msgspec.Struct, frozen=True):
    """What came back: the HTTP status, the headers (names in lower case) and the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class ApiClosed(TransportError):
    """`close` was called: that is no trouble, and nothing is tried again."""


class Http:
    """Sends requests to one host.  Thread-safe; connections are kept and used again.

    `headers` are sent with each request, and `api_key` as one more.  `timeout`, in seconds, may be
    changed.  `proxy` is as in the settings: a URL, `""` for the environment's, `"none"` for none.
    """

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        *,
        api_key: Secret | None = None,
        timeout: float,
        ssl_context: ssl.SSLContext | None = None,
        proxy: Secret,
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.query:
            raise ParameterArgumentError(
                f"{without_credentials(base_url)!r} is no base URL: write it as https://HOST/PREFIX"
            )
        default_port = 443 if parts.scheme == "https" else 80
        host, port = parts.hostname, parts.port or default_port
        try:
            name = host if host.isascii() else host.encode("idna").decode()
            chosen = choose_proxy(proxy.reveal(), parts.scheme, host, port)
        except ValueError as error:
            raise ParameterArgumentError(f"base_url or proxy: {error}") from None
        tls = (ssl_context or tls_context()) if parts.scheme == "https" else None
        self.address = without_credentials(base_url).rstrip("/")
        self.timeout = timeout
        self._prefix = parts.path.rstrip("/")
        self._headers = {
            "Host": host_port(name, port).removesuffix(f":{default_port}"),
            "User-Agent": user_agent(),
            "Accept-Encoding": "identity",
            **headers,
        }
        self._api_key = api_key
        # A function, as no attribute may lead to the proxy's password.
        self._dial: Callable[[Deadline], socket.socket] = lambda deadline: dial(
            host, port, deadline, proxy=chosen, tls=tls
        )
        self._idle: list[tuple[float, socket.socket]] = []  # since when, the longest first
        self._busy: set[socket.socket] = set()
        self._lock = threading.Lock()  # of the two
        self._closed = threading.Event()
        self._process = os.getpid()
        # For who never calls `close()`, as programs for the venue's client don't.
        finalize(self, _close_all, self._idle)

    def send(
        self, method: str, path: str, query: Secret = NO_QUERY, body: str | None = None
    ) -> HttpReply:
        """One request, one answer.

        Raises:
            TransportError: no whole answer within `timeout` seconds.
        """
        _check_path(path)
        where = f"{method} {self.address}{path}"
        started = time.monotonic()
        reply = None
        try:
            reply = self._exchange(method, path, query, body, Deadline(self.timeout))
        except (ConnectError, http.client.HTTPException, OSError) as error:
            failure = self._words(method, error)
        if reply is None:
            # Out here: to the error in there, and so to the frames that it leads to, belong the
            # headers and the signed query.
            kind = ApiClosed if self._closed.is_set() else TransportError
            raise kind(f"{where}: {failure}", self.address + path)
        took = (time.monotonic() - started) * 1000
        log.debug("%s: HTTP %d, %d bytes, %.0f ms", where, reply.status, len(reply.body), took)
        return reply

    def check_process(self) -> None:
        """To be called before any lock is taken.

        Raises:
            TransportError: this is a fork of the process that the connections belong to: it would
                read its parent's answers, and another thread may have held a lock.
        """
        if os.getpid() != self._process:
            raise TransportError(
                f"this API was made by process {self._process} and can't be used in its fork "
                f"{os.getpid()}: make one of its own there",
                self.address,
            )

    def pause(self, seconds: float) -> bool:
        """Wait, but not beyond `close()`; whether it is still open."""
        return not self._closed.wait(seconds)

    def close(self) -> None:
        """End every request that is under way, and refuse new ones.  Any thread, any number of
        times; in a fork nothing happens, as the connections are its parent's."""
        if os.getpid() != self._process:
            return
        self._closed.set()
        with self._lock:
            for sock in self._busy:
                # The thread that waits on it reads an end of file.  Not SSLSocket's own shutdown,
                # which takes the TLS object away from that thread.
                with contextlib.suppress(OSError):  # it may have ended already
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)
            _close_all(self._idle)

    def _exchange(
        self, method: str, path: str, query: Secret, body: str | None, deadline: Deadline
    ) -> HttpReply:
        content = None if body is None else body.encode()
        head = self._head(method, path, query, content)
        sock = self._take(deadline)
        whole = False
        try:
            sock.settimeout(deadline.left())
            sock.sendall(head + (content or b""))
            response = http.client.HTTPResponse(
                cast(socket.socket, _Reads(sock, deadline)), method=method
            )
            with response:
                response.begin()
                data = response.read(MAX_ANSWER + 1)
                if len(data) > MAX_ANSWER:
                    raise _TooLong
                # A head that was cut off reads as one without a length and with no body.
                cut = not data and response.length is None and not response.chunked
                if response.length or cut:
                    raise http.client.IncompleteRead(data, response.length)
                whole = response.isclosed() and not response.will_close
                headers = {name.lower(): value for name, value in response.getheaders()}
                return HttpReply(response.status, headers, data)
        finally:
            self._give_back(sock, whole)

    def _head(self, method: str, path: str, query: Secret, content: bytes | None) -> bytes:
        target = quote(self._prefix + path, safe="/%:@!$&'()*+,;=~")
        if query:
            target += f"?{query.reveal()}"
        fields = dict(self._headers)
        if self._api_key:
            fields["X-MBX-APIKEY"] = self._api_key.reveal()
        if content is not None or method in ("POST", "PUT"):
            fields["Content-Length"] = str(len(content or b""))
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {v}" for name, v in fields.items())]
        return "\r\n".join([*lines, "", ""]).encode("ascii")

    def _take(self, deadline: Deadline) -> socket.socket:
        """A connection for one request: one that is idle, or a new one."""
        with self._lock:
            if self._closed.is_set():
                raise ConnectionAbortedError
            while self._idle:
                since, sock = self._idle.pop()
                if time.monotonic() - since < IDLE and _is_open(sock):
                    self._busy.add(sock)
                    return sock
                sock.close()
        sock = self._dial(deadline)
        _keep_alive(sock)
        with self._lock:
            if self._closed.is_set():
                sock.close()
                raise ConnectionAbortedError
            self._busy.add(sock)
        return sock

    def _give_back(self, sock: socket.socket, usable: bool) -> None:
        with self._lock:
            self._busy.discard(sock)
            if usable and len(self._idle) < KEPT and not self._closed.is_set():
                self._idle.append((time.monotonic(), sock))
            else:
                sock.close()

    def _words(self, method: str, error: Exception) -> str:
        """What happened; no text of `http.client`, which may hold a piece of the answer."""
        match error:
            case _ if self._closed.is_set():
                return "this API is closed"
            case ConnectError():
                return str(error)
            case _TooLong():
                text = "the answer is too long"
            case TimeoutError():
                text = f"no whole answer within {self.timeout:g} s"
            case OSError() if error.strerror:
                text = f"the connection ended: {error.strerror}"
            case _:
                text = f"the connection ended without a whole answer ({type(error).__name__})"
        if method == "GET":
            return text
        return f"{text}; it may have been carried out all the same, so look before you repeat it"


class _TooLong(http.client.HTTPException):
    pass


class _Reads(io.RawIOBase):
    """A socket as `http.client` reads it, of which every read has what is left of the deadline."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def makefile(self, _: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(self._deadline.left())
        return self._sock.recv_into(buffer)


def _close_all(idle: list[tuple[float, socket.socket]]) -> None:
    while idle:
        idle.pop()[1].close()


def _keep_alive(sock: socket.socket) -> None:
    """Let the system find out that the other side has gone without a word."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEP_ALIVE.items():
        if option := getattr(socket, name, None):  # not every system has each
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


def _check_path(path: str) -> None:
    if not path.startswith("/") or "?" in path:
        # What stands behind a question mark would not be signed, and would be logged.
        raise ParameterArgumentError(
            "url_path must begin with / and hold no parameters: those go into the payload"
        )
    # Also `%2e%2e` and `..%2Fx`: what stands on the way may decode a path before it looks.
    if any(part in (".", "..") for part in re.split(r"[/\\]", unquote(path))):
        raise ParameterArgumentError(f"no part of a path, such as an id, can be . or ..: {path}")


def _is_open(sock: socket.socket) -> bool:
    """Whether the other side has neither ended the connection nor said anything unasked."""
    try:
        sock.settimeout(0)
        socket.socket.recv(sock, 1, socket.MSG_PEEK)  # SSLSocket's own takes no flags
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
