"""An open WebSocket connection: a thin shell around the socket.  One thread may use it.

websocket-client does the handshake and masks what we send; `FrameParser` reads what comes in.  The
socket is non-blocking: `receive()` takes what is there, and everything that has to wait does so
with a bound.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
from urllib.parse import urlsplit

from websocket import ABNF

from qehost.connection.frames import NO_CODE, NORMAL, Close, FrameParser, Item, Ping
from qehost.connection.handshake import hide_query, shake_hands
from qehost.errors import ConnectError, ConnectionLost
from qehost.network.deadline import Deadline
from qehost.network.dial import dial
from qehost.network.proxy import choose_proxy
from qehost.secret import without_credentials

__all__ = ["Stream", "open_stream"]

READ_SIZE = 256 * 1024
TLS_RECORD = 16 * 1024
PONGS_A_READ = 16
"""Pings of one read that are answered, the last ones; RFC 6455 asks for the very last only."""
ENDED = "the venue ended the connection without a close frame"
CLOSE_TIMEOUT = 1.0
"""Seconds to send the close frame of a connection that has ended."""


def open_stream(
    url: str,
    *,
    timeout: float,
    tls: ssl.SSLContext,
    proxy: str = "",
    max_message: int = 16 * 2**20,
    send_timeout: float = 5.0,
) -> Stream:
    """Connect to `url` (`ws://` or `wss://`) within `timeout` seconds, all steps together.

    `proxy` is a URL, `"none"`, or `""` for the environment's.  `max_message` is in bytes.
    `send_timeout` bounds each later sending, in seconds.  Raises `ConnectError`, or
    `HandshakeError` where the venue answered and refused; neither shows the URL's query.
    """
    deadline = Deadline(timeout)
    scheme, host, port, address = _take_apart(url)
    try:
        chosen = choose_proxy(proxy, scheme, host, port)
    except ValueError as error:
        raise ConnectError(f"no connection to {address}: {error}", address) from None
    try:
        sock = dial(host, port, deadline, proxy=chosen, tls=tls if scheme == "wss" else None)
    except ConnectError as error:
        error.address = address
        raise
    except OSError as error:
        raise _not_open(error, address) from None
    try:
        shake_hands(url, sock, address, deadline)
        sock.setblocking(False)
        return Stream(sock, url, max_message, send_timeout)
    except OSError as error:
        sock.close()
        raise _not_open(error, address) from None
    except BaseException:
        sock.close()
        raise


def _not_open(error: OSError, address: str) -> ConnectError:
    """This machine has no file, no memory or no port left to give."""
    return ConnectError(f"can't connect to {address}: {(error.strerror or str(error))}", address)


def _take_apart(url: str) -> tuple[str, str, int, str]:
    """Scheme, host, port, and what may be shown of the URL."""
    address = "ws_url"
    try:
        parts = urlsplit(url)
        if parts.netloc:
            address = without_credentials(url)
        standard = {"ws": 80, "wss": 443}[parts.scheme]
        port = parts.port or standard
        if not parts.hostname:
            raise ValueError("no host name")
    except (KeyError, ValueError):
        raise ConnectError(
            f"{address} is no address of a stream: it must be like wss://HOST or ws://HOST:PORT",
            address,
        ) from None
    return parts.scheme, parts.hostname, port, address


class Stream:
    """The connection after its handshake."""

    def __init__(
        self,
        sock: socket.socket,
        url: str,
        max_message: int,
        send_timeout: float,
    ) -> None:
        self.address = without_credentials(url)
        """The URL without its query."""
        self.bytes_received = 0
        """Grows with everything that came in, be it half a frame: a sign of life."""
        self._url = url
        self._sock = sock
        self._send_timeout = send_timeout
        self._parser = FrameParser(max_message)
        self._buffer = bytearray(READ_SIZE)
        self._close_sent = False
        self._cut_off: ConnectionLost | None = None  # sending failed; what has come is still read
        self._end: ConnectionLost | None = None  # nothing more can come
        self._closing_code: int | None = None  # to close with at the end, if any
        self._lost: ConnectionLost | None = None  # the end, once it has been raised

    def __repr__(self) -> str:
        return f"<Stream to {self.address}>"

    def fileno(self) -> int:
        """For a selector: wait until it is readable, unless `pending()`."""
        return self._sock.fileno()

    def pending(self) -> bool:
        """Whether `receive()` has something to give even if the socket is not readable."""
        if self._end or self._cut_off:
            return True
        return isinstance(self._sock, ssl.SSLSocket) and self._sock.pending() > 0

    # --- receiving ---------------------------------------------------------------------------

    def receive(self) -> list[Item]:
        """What has come in, without waiting: `str`, `bytes`, `Ping` and `Pong`, in order.

        Pings have been answered already.  Raises `ConnectionLost` where the connection has ended,
        in whichever way, once everything before its end has been returned; the venue's close frame
        has been answered by then.  Call `close()` or `abort()` after it.
        """
        if self._lost:
            raise _raisable(self._lost)
        items: list[Item] = []
        if not self._end:
            items = self._take()
            self._answer_pings(items)
        if items or not self._end:
            return items
        # Only now, so that what the caller sent because of the last messages goes out before.
        if self._closing_code is not None:
            self._send_close(self._closing_code, "", CLOSE_TIMEOUT)
        self._lost = self._end
        raise _raisable(self._lost)

    def _take(self) -> list[Item]:
        """Read and parse.  Notes the end if it finds it."""
        data = self._read()
        items = self._parser.feed(data)
        if self._parser.violation:
            self._end = self._parser.violation
            self._closing_code = self._end.close_code
        elif self._parser.closed:
            close = items.pop()
            assert isinstance(close, Close)
            self._end = _closed_by_venue(close.code, hide_query(close.reason, self._url))
            self._closing_code = close.code
        elif not data and not self._end:
            self._end = self._cut_off
        return items

    def _read(self) -> bytes:
        """What the socket holds, up to a buffer's size."""
        view = memoryview(self._buffer)
        filled = 0
        try:
            # TLS hands out one record a call.
            while filled <= READ_SIZE - TLS_RECORD:
                count = self._sock.recv_into(view[filled:])
                if not count:
                    self._end = ConnectionLost(ENDED)
                    break
                filled += count
                if not isinstance(self._sock, ssl.SSLSocket):
                    break
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError as error:
            self._end = _broken(error)
        self.bytes_received += filled
        return bytes(view[:filled])

    def _answer_pings(self, items: list[Item]) -> None:
        pings = [item for item in items if isinstance(item, Ping)]
        for ping in pings[-PONGS_A_READ:]:
            # A venue that sends many pings and does not read must not block us: what can't be sent
            # at once is left out, the next ping will be answered.
            if not _wait(self._sock, selectors.EVENT_WRITE, 0):
                break
            self._send(ping.payload, ABNF.OPCODE_PONG, self._send_timeout)

    # --- sending -----------------------------------------------------------------------------
    #
    # Sending raises nothing.  Where it fails, or takes longer than the send time-out, that is the
    # end of the connection, and `receive()` raises it after everything that has come before.

    def send_text(self, text: str) -> None:
        """Send one text message."""
        self._send(text.encode(), ABNF.OPCODE_TEXT, self._send_timeout)

    def send_ping(self, payload: bytes = b"") -> None:
        """Send a ping with a payload of at most 125 bytes."""
        self._send(payload, ABNF.OPCODE_PING, self._send_timeout)

    def _send(self, payload: bytes, opcode: int, timeout: float) -> None:
        """Send one frame, or be cut off: half a frame can't be taken back."""
        if self._lost or self._cut_off or (self._close_sent and opcode != ABNF.OPCODE_CLOSE):
            return
        data = memoryview(ABNF.create_frame(payload, opcode).format())
        deadline = Deadline(timeout)
        try:
            while data:
                try:
                    data = data[self._sock.send(data) :]
                except (BlockingIOError, ssl.SSLWantWriteError):
                    _wait(self._sock, selectors.EVENT_WRITE, deadline.left())
                except ssl.SSLWantReadError:
                    _wait(self._sock, selectors.EVENT_READ, deadline.left())
        except TimeoutError:
            self._cut_off = ConnectionLost(
                f"the venue takes nothing any more: not sent within {timeout:g} s"
            )
        except OSError as error:
            self._cut_off = _broken(error)

    # --- ending ------------------------------------------------------------------------------

    def close(self, code: int = NORMAL, reason: str = "", *, timeout: float = 2.0) -> list[Item]:
        """End the connection in good order: close frames both ways, within `timeout` seconds.

        Returns what still came in before the venue's close frame.  Raises nothing.  After it the
        socket is closed, however that went.
        """
        deadline = Deadline(timeout)
        items: list[Item] = []
        try:
            self._send_close(code, reason, timeout)
            while not self._lost:
                _wait(self._sock, selectors.EVENT_READ, 0 if self.pending() else deadline.left())
                deadline.left()  # a venue that goes on and on does not answer either
                with contextlib.suppress(ConnectionLost):
                    items += self.receive()
            self._drain(deadline)
        except OSError:
            pass  # the time is up, or the venue has closed already
        finally:
            self.abort()
        return items

    def _drain(self, deadline: Deadline) -> None:
        """Read until the venue has closed: closing over unread bytes would send it a reset, and
        that overtakes our close frame."""
        while True:
            try:
                deadline.left()
                if not self._sock.recv_into(self._buffer):
                    return
            except (BlockingIOError, ssl.SSLWantReadError):
                _wait(self._sock, selectors.EVENT_READ, deadline.left())

    def _send_close(self, code: int, reason: str, timeout: float) -> None:
        if not self._close_sent:
            self._close_sent = True
            payload = b"" if code == NO_CODE else code.to_bytes(2) + _cut(reason, 123)
            self._send(payload, ABNF.OPCODE_CLOSE, timeout)

    def abort(self) -> None:
        """Close the socket at once.  Can be called again."""
        self._lost = self._lost or ConnectionLost("the connection was closed here")
        self._sock.close()


def _wait(sock: socket.socket, event: int, timeout: float) -> bool:
    """Whether the socket can be read or written before the time-out."""
    with selectors.DefaultSelector() as selector:
        selector.register(sock, event)
        return bool(selector.select(timeout))


def _cut(text: str, size: int) -> bytes:
    """The text in UTF-8, whole characters up to `size` bytes."""
    return text.encode()[:size].decode(errors="ignore").encode()


def _raisable(lost: ConnectionLost) -> ConnectionLost:
    """The same once more: one that was raised knows its frames, and by them the stream that keeps
    it.  That ring would hold the buffer until the collector runs."""
    return type(lost)(lost.error_message, lost.close_code)


def _closed_by_venue(code: int, reason: str) -> ConnectionLost:
    how = "without a code" if code == NO_CODE else f"with code {code}"
    return ConnectionLost(
        f"the venue closed the connection {how}{': ' if reason else ''}{reason}", code
    )


def _broken(error: OSError) -> ConnectionLost:
    if isinstance(error, ssl.SSLEOFError):
        return ConnectionLost(ENDED)
    if isinstance(error, ssl.SSLError):
        return ConnectionLost(f"the connection broke: TLS: {error.reason or error}")
    return ConnectionLost(f"the connection broke: {(error.strerror or str(error)).lower()}")
