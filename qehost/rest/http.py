"""One HTTP request and its answer, under one deadline, with no secret left behind.

A thin shell around urllib3's connection pool.  It adds what that lacks:

* the deadline holds for the whole: a peer that dribbles its answer byte by byte can't stretch it;
* connections are dialled as the stream's are: the same proxies, the same TLS, the same errors;
* the signed query travels beside the URL and joins it on the wire alone, so urllib3's log lines and
  exceptions, which hold the URL, never hold the signature;
* `close()` ends requests that are under way in other threads.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import version
from typing import Any, TypeAlias
from urllib.parse import urlsplit
from weakref import WeakSet

import msgspec
import urllib3
from urllib3.connection import HTTPConnection

from qehost.errors import ConnectError, ParameterArgumentError, TransportError
from qehost.network.deadline import Deadline
from qehost.network.dial import dial, tls_context
from qehost.network.proxy import choose_proxy
from qehost.secret import without_credentials

__all__ = ["Http", "Reply"]

MAX_ANSWER = 16 * 2**20
"""Bytes.  The largest page is a few hundred KB; more is not an answer of the venue."""

KEPT = 16
"""How many idle connections are kept to be used again."""

QUERY = "qehost-query"
"""The name under which the query travels to the connection; it never reaches the wire."""

Dial: TypeAlias = Callable[[str, int, Deadline], socket.socket]

log = logging.getLogger("qehost.rest")


class Reply(msgspec.Struct, frozen=True):
    """What came back: the HTTP status, the headers (names in lower case) and the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Http:
    """Sends requests to one host.  Thread-safe; connections are kept and used again.

    `proxy` is as in the settings: a URL, `""` for the environment's, `"none"` for none at all.
    """

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        *,
        timeout: float,
        ssl_context: ssl.SSLContext | None = None,
        proxy: str = "",
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.query:
            raise ParameterArgumentError(
                f"{without_credentials(base_url)!r} is no base URL: write it as https://HOST/PREFIX"
            )
        default_port = 443 if parts.scheme == "https" else 80
        port = parts.port or default_port
        try:
            chosen = choose_proxy(proxy, parts.scheme, parts.hostname, port)
        except ValueError as error:
            raise ParameterArgumentError(f"proxy: {error}") from None
        tls = (ssl_context or tls_context()) if parts.scheme == "https" else None
        self.address = without_credentials(base_url).rstrip("/")
        self.timeout = timeout
        self._prefix = parts.path.rstrip("/")
        fixed = {"User-Agent": f"qehost/{version('qehost')}", **headers}
        # Functions, as no attribute may lead to the API key or the proxy's password.
        self._headers: Callable[[str], dict[str, str]] = lambda query: {**fixed, QUERY: query}
        address = (parts.hostname, port, default_port)
        self._new_pool = partial(
            _pool,
            *address,
            lambda host, port, deadline: dial(host, port, deadline, proxy=chosen, tls=tls),
        )
        self._live: WeakSet[_Connection] = WeakSet()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._pool = self._new_pool(self._opened)

    def start_afresh(self) -> None:
        """For a fork: on its parent's connections it would read the parent's answers, and a lock
        that another thread held at that moment is held for ever."""
        idle = self._pool.pool
        if idle is not None:
            connections = list(idle.queue)
            idle.__init__(KEPT)  # type: ignore[misc]  # its locks, too
            for connection in connections:
                if connection is not None:
                    connection.close()  # the fork's copy of the socket
        closed, self._closed = self._closed.is_set(), threading.Event()
        if closed:
            self._closed.set()
        self._live = WeakSet()
        self._lock = threading.Lock()
        self._pool = self._new_pool(self._opened)

    def send(self, method: str, path: str, query: str = "", body: str | None = None) -> Reply:
        """One request, one answer.

        Raises:
            TransportError: no whole answer within `timeout` seconds.
        """
        if not path.startswith("/") or "?" in path:
            # What stands behind a question mark would not be signed, and would be logged.
            raise ParameterArgumentError(
                "url_path must begin with / and hold no parameters: those go into the payload"
            )
        where = f"{method} {self.address}{path}"
        if self._closed.is_set():
            raise TransportError(f"{where}: this API is closed", self.address + path)
        started = time.monotonic()
        response: urllib3.BaseHTTPResponse | None = None
        try:
            response = self._pool.urlopen(
                method,
                self._prefix + path,
                body=None if body is None else body.encode(),
                headers=self._headers(query),
                timeout=urllib3.Timeout(total=self.timeout),
                retries=False,
                redirect=False,
                preload_content=False,
            )
            data = response.read(MAX_ANSWER + 1)
            if len(data) > MAX_ANSWER:
                raise TransportError(f"{where}: the answer is too long", self.address + path)
            response.release_conn()
        except TransportError:
            _discard(response)
            raise
        except ConnectError as error:
            raise TransportError(f"{where}: {error}", self.address + path) from None
        # Everything else that urllib3, http.client, ssl and socket raise.  `from None`: their
        # exceptions hold the connection and the request's headers, the API key among them.
        except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
            _discard(response)
            text = "this API was closed" if self._closed.is_set() else self._words(method, error)
            raise TransportError(f"{where}: {text}", self.address + path) from None
        log.debug(
            "%s: HTTP %d, %d bytes, %.0f ms",
            where,
            response.status,
            len(data),
            (time.monotonic() - started) * 1000,
        )
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Reply(response.status, headers, data)

    def pause(self, seconds: float) -> bool:
        """Wait, but not beyond `close()`; whether it is still open."""
        return not self._closed.wait(seconds)

    def close(self) -> None:
        """End every request that is under way, and refuse new ones.  Any thread, any number."""
        self._closed.set()
        with self._lock:
            connections = list(self._live)
        for connection in connections:
            connection.interrupt()
        self._pool.close()

    def _opened(self, connection: _Connection) -> None:
        with self._lock:
            self._live.add(connection)
        if self._closed.is_set():  # closed while this one was being opened
            connection.interrupt()

    def _words(self, method: str, error: BaseException) -> str:
        """What happened, by the innermost exception, which holds no URL."""
        cause = _innermost(error)
        match cause:
            case TimeoutError() | urllib3.exceptions.TimeoutError():
                text = f"no whole answer within {self.timeout:g} s"
            case OSError() if cause.strerror:
                text = f"the connection ended: {cause.strerror}"
            case _:
                text = f"the connection ended without a whole answer ({type(cause).__name__})"
        if method == "GET":
            return text
        return f"{text}; it may have been carried out all the same, so look before you repeat it"


def _pool(
    host: str,
    port: int,
    default_port: int,
    dial: Dial,
    opened: Callable[[_Connection], None],
) -> urllib3.HTTPConnectionPool:
    pool = urllib3.HTTPConnectionPool(
        host, port, maxsize=KEPT, default_port=default_port, dial=dial, opened=opened
    )
    # TLS is the dial's business, so this class serves https, too.
    pool.ConnectionCls = _Connection
    return pool


class _Connection(HTTPConnection):
    """urllib3's connection with our dial, our deadline, and the query joined at the last moment."""

    def __init__(
        self,
        *args: Any,
        default_port: int,
        dial: Dial,
        opened: Callable[[_Connection], None],
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        # Or else the header `Host` says :443.
        self.default_port = default_port  # type: ignore[misc]
        self._dial = dial
        self._opened = opened
        self._query = ""

    def _new_conn(self) -> socket.socket:
        return self._dial(self.host, self.port, Deadline(self.timeout or 0))

    def connect(self) -> None:
        super().connect()
        self._opened(self)

    def request(
        self, method: str, url: str, body: Any = None, headers: Any = None, **options: Any
    ) -> None:
        fields = dict(headers or {})
        self._query = fields.pop(QUERY, "")
        super().request(method, url, body, fields, **options)

    def putrequest(self, method: str, url: str, *args: Any, **options: Any) -> None:
        target = f"{url}?{self._query}" if self._query else url
        super().putrequest(method, target, *args, **options)

    def getresponse(self) -> Any:
        # urllib3 has put into `timeout` what is left of the whole.
        self.response_class = partial(  # type: ignore[assignment]  # it is only called
            _Response, Deadline(self.timeout or 0)
        )
        return super().getresponse()

    def interrupt(self) -> None:
        """Wake the thread that waits on this connection, if any: it reads an end of file."""
        sock = self.sock
        if sock is not None:
            # Not SSLSocket's own shutdown, which takes the TLS object from under the reader.
            with contextlib.suppress(OSError):  # it may have ended already
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


class _Response(http.client.HTTPResponse):
    """An answer whose every read has only what is left of the deadline."""

    def __init__(self, deadline: Deadline, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = io.BufferedReader(_Reads(sock, self.fp.detach(), deadline))

    def begin(self) -> None:
        super().begin()
        # Where the head is malformed, urllib3 would log the rest of it, which may be the answer.
        self.msg.defects = []
        self.msg.set_payload("")


class _Reads(io.RawIOBase):
    def __init__(self, sock: socket.socket, raw: io.RawIOBase, deadline: Deadline) -> None:
        self._sock = sock
        self._raw = raw
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._deadline.left())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def _discard(response: urllib3.BaseHTTPResponse | None) -> None:
    if response is not None:
        response.close()


def _innermost(error: BaseException) -> BaseException:
    """urllib3 wraps what happened, sometimes twice: in `args` or in `reason`."""
    while isinstance(error, urllib3.exceptions.HTTPError):
        inner = next((a for a in reversed(error.args) if isinstance(a, BaseException)), None)
        if inner is None:
            break
        error = inner
    return error
