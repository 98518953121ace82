"""Opens a TCP or TLS connection: names, addresses, proxies and certificates, under one deadline.

Used for the stream and for REST alike.  Whatever goes wrong is a `ConnectError` that says what to
look at.
"""

from __future__ import annotations

import errno
import os
import queue
import selectors
import socket
import ssl
import threading
import time
from collections import deque
from typing import Any

from qehost.errors import ConfigError, ConnectError
from qehost.network.deadline import BoundedSocket, Deadline
from qehost.network.proxy import Proxy, ProxyRefusal, Unreachable, host_port

__all__ = ["dial", "tls_context"]

NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")
"""What OpenSSL says of an answer in plain text."""
HEAD_START = 0.25
"""Seconds that an address has for itself before the next one is tried as well (RFC 8305)."""


def tls_context(ca_file: str = "", client_cert: str = "", client_key: str = "") -> ssl.SSLContext:
    """How TLS is done, for the stream and for REST: verified, TLS 1.2 at least.

    `ca_file` (PEM) is trusted in place of the system's certificates; `client_key` may stand in
    `client_cert` itself.  Raises `ConfigError` where a file can't be used.
    """
    # Not ssl.create_default_context(): it obeys SSLKEYLOGFILE, and whoever can set a variable of
    # the environment could then read listen keys and signatures off the wire.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    mistakes = []
    if ca_file:
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError as error:  # ssl.SSLError is one, too
            mistakes.append(f"ca_file {ca_file}: {_file_trouble(error)}")
    else:
        context.load_default_certs()
    if client_cert:
        try:
            context.load_cert_chain(client_cert, client_key or None, password=_no_password)
        except OSError as error:
            files = f"client_cert {client_cert}" + (client_key and f", client_key {client_key}")
            mistakes.append(f"{files}: {_file_trouble(error)}")
        except _Encrypted:
            mistakes.append(
                f"client_key {client_key or client_cert}: is encrypted, and its password "
                "can't be asked for; store it unencrypted in a file that only qehost can read"
            )
    if mistakes:
        raise ConfigError(mistakes)
    return context


class _Encrypted(Exception):
    pass


def _no_password() -> str:
    # Without this, OpenSSL would ask on the terminal and wait.
    raise _Encrypted


def _file_trouble(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"is no usable PEM file ({error.reason or error.args[-1]})"
    return (error.strerror or str(error)).lower()


def dial(
    host: str,
    port: int,
    deadline: Deadline,
    *,
    proxy: Proxy | None = None,
    tls: ssl.SSLContext | None = None,
) -> socket.socket:
    """A connection to `host:port`, with TLS if `tls` is given.

    Everything, name look-up and proxy included, is done by `deadline`.  The socket comes back
    with a time-out of at most the deadline's seconds: set your own.  Raises `ConnectError`, whose
    `address` is `host:port`.
    """
    address = host_port(host, port)
    try:
        if proxy is None:
            sock = _connect(host, port, deadline)
        else:
            sock = _through(proxy, host, port, deadline)
        if tls is None:
            return sock
        try:
            return _start_tls(sock, host, port, tls, deadline)
        except BaseException:
            sock.close()
            raise
    except _Failed as failed:
        raise ConnectError(str(failed), address) from failed.__cause__


class _Failed(Exception):
    """A step did not succeed; the text is for the user."""


# --- names and addresses ---------------------------------------------------------------------


def _resolve(host: str, port: int, deadline: Deadline) -> list[tuple[int, Any]]:
    """Family and socket address of everything that the name stands for, the best first."""
    answer: queue.SimpleQueue[list[Any] | Exception] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            answer.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answer.put(error)

    # getaddrinfo has no time-out.  A thread that it holds is left behind, and ends when the
    # system's resolver gives up.
    threading.Thread(target=look_up, name="qehost-dns", daemon=True).start()
    try:
        result = answer.get(timeout=deadline.left())
    except (queue.Empty, TimeoutError):
        raise _Failed(
            f"the name {host} could not be looked up within {deadline.seconds:g} s: "
            "is the network up, and does DNS answer?"
        ) from None
    if isinstance(result, UnicodeError):
        raise _Failed(f"{host} is not a valid host name: check the address in the settings")
    if isinstance(result, Exception):
        reason = getattr(result, "strerror", None) or str(result)
        raise _Failed(
            f"the name {host} could not be looked up ({reason}): "
            "is the network up, and is the address in the settings right?"
        ) from result
    return _alternate([(entry[0], entry[4]) for entry in result])


def _alternate(addresses: list[tuple[int, Any]]) -> list[tuple[int, Any]]:
    """Take the families in turn, so that one of them being dead costs one head start only."""
    first = [a for a in addresses if a[0] == addresses[0][0]]
    others = [a for a in addresses if a[0] != addresses[0][0]]
    mixed = []
    while first or others:
        mixed += first[:1] + others[:1]
        del first[:1], others[:1]
    return mixed


def _connect(host: str, port: int, deadline: Deadline) -> socket.socket:
    """The first TCP connection that comes about, to whichever address."""
    waiting = deque(_resolve(host, port, deadline))
    failures: list[str] = []
    selector = selectors.DefaultSelector()
    next_start = 0.0
    try:
        while waiting or selector.get_map():
            now = time.monotonic()
            if waiting and (now >= next_start or not selector.get_map()):
                family, address = waiting.popleft()
                next_start = now + HEAD_START
                try:
                    _begin(family, address, selector)
                except OSError as error:
                    failures.append(_failure(error, address))
                continue
            patience = deadline.left()
            if waiting:
                patience = min(patience, next_start - now)
            for key, _ in selector.select(patience):
                sock, address = key.fileobj, key.data
                assert isinstance(sock, socket.socket)
                selector.unregister(sock)
                code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if code == 0:
                    sock.settimeout(deadline.seconds)
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    return sock
                sock.close()
                failures.append(_failure(OSError(code, os.strerror(code)), address))
    except TimeoutError:
        tried = f" ({'; '.join(failures)})" if failures else ""
        raise _Failed(
            f"no answer from {host_port(host, port)} within {deadline.seconds:g} s{tried}: "
            "is it up, and does a firewall stand between?"
        ) from None
    finally:
        for key in list(selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
        selector.close()
    raise _Failed(
        f"can't connect to {host_port(host, port)} ({'; '.join(failures)}): "
        "is it up, and is the address in the settings right?"
    )


def _begin(family: int, address: Any, selector: selectors.BaseSelector) -> None:
    """Start to connect; the selector reports when that has succeeded or failed."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        code = sock.connect_ex(address)
        if code not in (0, errno.EINPROGRESS, errno.EWOULDBLOCK):
            raise OSError(code, os.strerror(code))
        selector.register(sock, selectors.EVENT_WRITE, address)
    except BaseException:
        sock.close()
        raise


def _failure(error: OSError, address: Any) -> str:
    reason = (error.strerror or str(error)).lower()
    return f"{reason} at {host_port(address[0], address[1])}"


# --- proxies and TLS -------------------------------------------------------------------------


def _through(proxy: Proxy, host: str, port: int, deadline: Deadline) -> socket.socket:
    """A connection to the first of the target's addresses that the proxy has a way to."""
    targets = [host]
    failures: dict[str, Exception] = {}  # each text once
    try:
        if not proxy.resolves:
            targets = [address[0] for _, address in _resolve(host, port, deadline)]
        for target in targets:
            sock = _connect(proxy.host, proxy.port, deadline)
            try:
                proxy.tunnel(BoundedSocket(sock, deadline), target, port)
                return sock
            except (ProxyRefusal, EOFError, OSError, UnicodeError) as error:
                sock.close()
                # Its frames refer to `failures`, and the ring would stay until the collector runs.
                error.__traceback__ = None
                failures[_refusal(error, host_port(host, port), deadline)] = error
                # A proxy without IPv6 may end the connection in place of an answer.
                if not isinstance(error, Unreachable | EOFError | ConnectionError):
                    break
            except BaseException:
                sock.close()
                raise
    except _Failed as failed:
        raise _Failed(f"through the proxy {proxy}: {failed}") from failed.__cause__
    raise _Failed(f"the proxy {proxy} {'; '.join(failures)}") from list(failures.values())[-1]


def _refusal(error: Exception, address: str, deadline: Deadline) -> str:
    """Reads on from `the proxy HOST:PORT `."""
    match error:
        case ProxyRefusal():
            return str(error)
        case TimeoutError():
            return f"made no connection to {address} within {deadline.seconds:g} s"
        case _:
            return f"ended the connection ({error}): is it the right kind of proxy?"


def _start_tls(
    sock: socket.socket, host: str, port: int, context: ssl.SSLContext, deadline: Deadline
) -> ssl.SSLSocket:
    address = host_port(host, port)
    try:
        # The handshake counts this time-out from its first byte to its last.
        sock.settimeout(deadline.left())
        return context.wrap_socket(sock, server_hostname=host)
    except TimeoutError:
        raise _Failed(
            f"no TLS with {address} within {deadline.seconds:g} s: does it speak TLS on this port, "
            "or is it http:// or ws://?"
        ) from None
    except ssl.SSLCertVerificationError as error:
        raise _Failed(
            f"the certificate of {address} is not accepted ({error.verify_message}): if it comes "
            "from an authority of your own, name that in ca_file; else check address and clock"
        ) from error
    except ssl.SSLError as error:
        if error.reason in NO_TLS:
            raise _Failed(
                f"{address} does not speak TLS on this port: is it http:// or ws:// there?"
            ) from error
        raise _Failed(
            f"TLS with {address} failed ({error.reason or error}): does it speak TLS 1.2 or later "
            "on this port, and does it want a client_cert?"
        ) from error
    except (OSError, ValueError) as error:
        raise _Failed(f"TLS with {address} failed ({error})") from error
