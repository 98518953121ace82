"""The opening handshake on a connected socket, by websocket-client, with its traps closed.

websocket-client's own time-out holds for one byte; it reads a refusal's body of any size, keeps
cookies for the whole process and sends them to the next account, and prints bodies in its errors.
So it never sees the real socket: it talks to `_Answer`, which reads the venue's answer under the
deadline, turns anything but `101` into a `HandshakeError`, and drops cookies.
"""

from __future__ import annotations

import socket
import time
from urllib.parse import unquote_plus, urlsplit

import websocket

from qehost.errors import ConnectError, HandshakeError
from qehost.network.backoff import LEAST_WAIT, is_throttled
from qehost.network.deadline import BoundedSocket, Deadline
from qehost.network.http_head import HttpHead, parse_head, read_head
from qehost.network.retry_after import retry_after
from qehost.network.user_agent import user_agent

__all__ = ["hide_query", "shake_hands"]

SECRET_LENGTH = 6
"""Characters; what is shorter is no key, and may be part of any word."""
BODY_SHOWN = 200
"""Characters of a refusal's body that an error quotes."""
BODY_READ = 2000
BODY_PATIENCE = 1.0
"""Seconds to wait for a refusal's body.  It only explains; the status is what counts."""


def shake_hands(url: str, sock: socket.socket, address: str, deadline: Deadline) -> None:
    """Make a WebSocket of a connected socket, which stays the caller's, on errors too.

    `address` is what errors may show of `url`.  Raises `HandshakeError` where the venue answered
    with something else, `ConnectError` where it did not answer.
    """
    ws = websocket.WebSocket(skip_utf8_validation=True, enable_multithread=False)
    answer = _Answer(sock, deadline, url, address)
    try:
        ws.connect(  # type: ignore[no-untyped-call]
            url,
            socket=answer,
            header=[f"User-Agent: {user_agent()}"],
            # A browser's header; some venues refuse origins that they don't know.
            suppress_origin=True,
            redirect_limit=0,
        )
    except websocket.WebSocketTimeoutException:
        raise ConnectError(
            f"{address} did not answer the WebSocket handshake within {deadline.seconds:g} s",
            address,
        ) from None
    except (EOFError, OSError) as error:
        raise ConnectError(
            f"{address} ended the connection during the WebSocket handshake ({error})", address
        ) from None
    except websocket.WebSocketException:
        raise HandshakeError(
            f"{address} answered 101, but not as a WebSocket server does: "
            "is ws_url right, and does a proxy on the way alter it?",
            address,
            101,
        ) from None
    finally:
        # Its parts refer to it and to each other, and by them to the socket.
        vars(ws).clear()


class _Answer:
    """What websocket-client takes for its socket during the handshake."""

    def __init__(self, sock: socket.socket, deadline: Deadline, url: str, address: str) -> None:
        self._pipe = BoundedSocket(sock, deadline)
        self._url = url
        self._address = address
        self._head: bytes | None = None

    def send(self, data: bytes) -> int:
        return self._pipe.send(data)

    def recv(self, size: int) -> bytes:
        if self._head is None:
            self._head = self._read()
        data, self._head = self._head[:size], self._head[size:]
        return data

    def gettimeout(self) -> float:
        return self._pipe.deadline.seconds

    def close(self) -> None:
        """Nothing: the socket belongs to the caller."""

    def _read(self) -> bytes:
        """The head of a `101`, without its cookies."""
        try:
            data = read_head(self._pipe)
        except ValueError as error:
            raise HandshakeError(f"{self._address} sent {error}", self._address) from None
        head = parse_head(data)
        if head.status != 101:
            raise _refusal(head, self._read_body(head), self._url, self._address)
        lines = data.split(b"\n")
        return b"\n".join(line for line in lines if not line.lower().startswith(b"set-cookie"))

    def _read_body(self, head: HttpHead) -> bytes:
        length = head.headers.get("content-length", "")
        size = (
            min(BODY_READ, int(length[:9])) if length.isascii() and length.isdigit() else BODY_READ
        )
        body = b""
        try:
            patience = min(BODY_PATIENCE, self._pipe.deadline.left())
            pipe = BoundedSocket(self._pipe.sock, Deadline(patience))
            while len(body) < size:
                body += pipe.recv(size - len(body))
        except (OSError, EOFError):
            pass  # no more of it, or not in time
        return body


def _refusal(head: HttpHead, body: bytes, url: str, address: str) -> HandshakeError:
    """What the answer says, with what to do about it, and without the listen key."""
    status = head.status
    if status == 0:
        return HandshakeError(
            f"{address} did not answer in HTTP: is ws_url right, and ws:// or wss:// too?", address
        )
    if 300 <= status < 400:
        target = _host_of(head.headers.get("location", ""))
        return HandshakeError(
            f"{address} redirects to {target} (HTTP {status}), which is not followed, because it "
            "would hand over the listen key: if that is where the venue is now, change ws_url",
            address,
            status,
        )
    quoted = ""
    said = body.decode("utf-8", "replace")
    if text := hide_query(said, url).strip():
        quoted = f": {' '.join(text[:BODY_SHOWN].split())}"
    asked = retry_after(head.headers, said, time.time())
    wait = "" if asked is None else f" and asks to wait {round(asked, 1):g} s"
    if is_throttled(status, asked):
        wait = f" and does not say for how long: it is left alone for {LEAST_WAIT:g} s at least"
    return HandshakeError(
        f"{address} refused the connection (HTTP {status}){wait}{quoted}",
        address,
        status,
        asked,
    )


def _host_of(location: str) -> str:
    """Where a redirect leads, in words: what else stands in it may be a secret."""
    try:
        return urlsplit(location).hostname or "the same host"
    except ValueError:
        return "an address that can't be read"


def hide_query(text: str, url: str) -> str:
    """`text` of the venue without the values of the URL's query, one of which is the listen key."""
    query = urlsplit(url).query
    raw = [pair.partition("=")[2] for pair in query.split("&")]
    for value in raw + [unquote_plus(value) for value in raw]:
        if len(value) >= SECRET_LENGTH:
            text = text.replace(value, "••••")
    return text
