"""One request to a service: a connection of its own, one deadline for all of it, no redirect.

A time-out of a socket begins anew with each byte, so a service that dribbles would hold the sender
for hours.  Here the connection is shut down from outside when the time is over.
"""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from time import monotonic
from urllib.parse import SplitResult, unquote, urlsplit

from qehost.secret import redact

from qehost_notify.notice import one_line
from qehost_notify.services import Answer, Outgoing, Request, Service, Verdict

__all__ = ["authorities", "reach", "send"]

LARGEST = 64 * 1024
"""Bytes of an answer that are read."""
_FAILURES = (http.client.HTTPException, OSError, ValueError)
"""What a connection raises."""


def send(service: Service, message: Outgoing, timeout: float) -> Answer:
    """Send a message within so many seconds.  Never raises for what a network or a service does.

    No text of an exception is shown: some have the address, and that is the secret.
    """
    failed: Verdict = "later"
    deadline = monotonic() + timeout
    try:
        request = service.request(message)
        with _connection(request.url, timeout) as connection:
            failed = "unknown"
            answer = service.read(*_exchange(connection, request))
            # It may quote its address.
            return answer._replace(reason=redact(one_line(answer.reason)))
    except _FAILURES as error:
        return Answer(failed, _told(error, is_late=monotonic() >= deadline))


def reach(address: str, timeout: float) -> str:
    """Open a connection, and send nothing; what is wrong with it, or ""."""
    deadline = monotonic() + timeout
    try:
        with _connection(address, timeout):
            return ""
    except _FAILURES as error:
        return _told(error, is_late=monotonic() >= deadline)


@contextmanager
def _connection(url: str, timeout: float) -> Iterator[http.client.HTTPConnection]:
    """An open connection, which ends by itself when the time is over."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    proxy = urlsplit(_proxy(host, port) if parts.scheme == "https" else "")
    peer = (proxy.hostname, proxy.port or 80) if proxy.hostname else (host, port)
    end = monotonic() + timeout
    # A second handle: the first one is not there while TLS begins.
    with _connect(*peer, timeout) as plain, plain.dup() as handle:
        watch = threading.Timer(max(0.0, end - monotonic()), _shut_down, (handle,))
        watch.daemon = True
        watch.start()
        try:
            if proxy.hostname:
                _tunnel(plain, host, port, proxy)
            connection = http.client.HTTPConnection(host, port)
            connection.sock = plain
            if parts.scheme == "https":
                connection.default_port = 443
                connection.sock = _encrypted(plain, host)
            with connection.sock:
                yield connection
        finally:
            watch.cancel()


def _connect(host: str, port: int, timeout: float) -> socket.socket:
    """To the first of its addresses that answers; a dead one leaves the others their time."""
    end = monotonic() + timeout
    wrong = OSError(0, "its name has no address")
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for number, (family, kind, protocol, _, address) in enumerate(found):
        plain = socket.socket(family, kind, protocol)
        try:
            plain.settimeout(max(0.1, (end - monotonic()) / (len(found) - number + 1)))
            plain.connect(address)
            plain.settimeout(timeout)
            return plain
        except OSError as error:
            plain.close()
            wrong = error
    raise wrong


@cache
def authorities() -> ssl.SSLContext:
    """Those that sign certificates.  To read all of them takes a tenth of a second of CPU, and
    hooks want the interpreter, so it is done once."""
    return ssl.create_default_context()


def _encrypted(plain: socket.socket, host: str) -> ssl.SSLSocket:
    try:
        return authorities().wrap_socket(plain, server_hostname=host)
    except ssl.SSLCertVerificationError:
        authorities.cache_clear()  # they may have been put right meanwhile
        raise


def _proxy(host: str, port: int) -> str:
    """That of the environment, as for the stream; "" for none."""
    proxies = urllib.request.getproxies()
    if urllib.request.proxy_bypass(f"{host}:{port}"):
        return ""
    found = proxies.get("https") or proxies.get("all") or ""
    if "://" in found and not found.startswith("http://"):
        raise OSError(0, "only an http:// proxy can be used")
    return found if not found or "://" in found else f"http://{found}"


def _tunnel(plain: socket.socket, host: str, port: int, proxy: SplitResult) -> None:
    """Have the proxy connect; what is encrypted then it does not see."""
    peer = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    head = [f"CONNECT {peer} HTTP/1.1", f"Host: {peer}"]
    if proxy.username:
        words = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        head.append(f"Proxy-Authorization: Basic {base64.b64encode(words.encode()).decode()}")
    plain.sendall("\r\n".join([*head, "", ""]).encode())
    answer = http.client.HTTPResponse(plain, method="CONNECT")
    answer.begin()
    if answer.status != 200:
        raise OSError(0, f"the proxy refuses to connect (HTTP {answer.status})")


def _exchange(connection: http.client.HTTPConnection, request: Request) -> tuple[int, str, bytes]:
    """Status, `Retry-After` and as much of the body as came: the status alone may be an answer."""
    parts = urlsplit(request.url)
    path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    connection.request("POST", path, request.body, request.headers)
    answer = connection.getresponse()
    body = b""
    with suppress(http.client.HTTPException, OSError):
        body = answer.read(LARGEST)
    return answer.status, answer.getheader("Retry-After", ""), body


def _shut_down(handle: socket.socket) -> None:
    """End whatever waits for it."""
    with suppress(OSError):  # it has ended by itself
        handle.shutdown(socket.SHUT_RDWR)


def _told(error: BaseException, is_late: bool) -> str:
    """What failed, in words that hold no address."""
    match error:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted: {error.verify_message}"
        case socket.gaierror():
            return "its name can't be resolved"
        case ConnectionRefusedError():
            return "connection refused"
        case _ if is_late or isinstance(error, TimeoutError):
            return "no answer in time"
        case OSError(strerror=str(text)) if text:
            return text[:1].lower() + text[1:]
    return f"the connection failed ({type(error).__name__})"
