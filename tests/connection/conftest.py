"""A venue that follows a script, on a real socket."""

from __future__ import annotations

import base64
import contextlib
import datetime
import hashlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from waiting import PATIENCE

from qehost.connection.frames import Item
from qehost.connection.stream import Stream, open_stream
from qehost.errors import ConnectionLost
from qehost.network.dial import tls_context

KEY = "0123456789abcdef0123456789abcdef"


class Peer:
    """The venue's end of one connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.request = b""

    def read_request(self) -> bytes:
        while b"\r\n\r\n" not in self.request:
            data = self.sock.recv(4096)
            if not data:
                raise EOFError
            self.request += data
        return self.request

    def upgrade(self, extra: bytes = b"") -> None:
        """Answer the handshake; `extra` goes out in the same segment."""
        lines = self.read_request().decode().split("\r\n")
        key = next(line[19:] for line in lines if line.startswith("Sec-WebSocket-Key: "))
        guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1((key + guid).encode()).digest()).decode()
        head = (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Set-Cookie: shared=1; Domain=127.0.0.1\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        )
        self.sock.sendall(head.encode() + extra)

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def read_frame(self) -> tuple[int, bytes]:
        """Opcode and payload of the client's next (short) frame; opcode -1 at its end."""
        try:
            header = self._exactly(2)
            length = header[1] & 0x7F
            if length == 126:
                length = int.from_bytes(self._exactly(2))
            mask = self._exactly(4)
            payload = bytes(b ^ mask[i % 4] for i, b in enumerate(self._exactly(length)))
        except (EOFError, OSError):
            return -1, b""
        return header[0] & 0x0F, payload

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.sock.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def reset(self) -> None:
        """Close with RST in place of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class Venue:
    """Listens, and runs `script` for each connection in a thread."""

    def __init__(self, script: Callable[[Peer], None], tls: ssl.SSLContext | None) -> None:
        self.script = script
        self.tls = tls
        self.peers: list[Peer] = []
        self.failures: list[BaseException] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.threads: list[threading.Thread] = []
        self.acceptor = threading.Thread(target=self._accept)
        self.acceptor.start()

    @property
    def url(self) -> str:
        scheme = "wss" if self.tls else "ws"
        host = "localhost" if self.tls else "127.0.0.1"
        return f"{scheme}://{host}:{self.port}/api/ws/v2?listen_key={KEY}"

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.threads.append(threading.Thread(target=self._serve, args=(sock,)))
            self.threads[-1].start()

    def _serve(self, sock: socket.socket) -> None:
        sock.settimeout(PATIENCE)
        try:
            if self.tls:
                sock = self.tls.wrap_socket(sock, server_side=True)
            peer = Peer(sock)
            self.peers.append(peer)
            self.script(peer)
        except (OSError, EOFError):
            pass  # the client has gone, or refused our certificate
        except Exception as error:  # noqa: BLE001  a failing script fails the test, in stop()
            self.failures.append(error)
        finally:
            sock.close()

    def wait(self) -> None:
        """Until every connection's script is through."""
        for thread in self.threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()

    def stop(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.acceptor.join(PATIENCE)
        for peer in self.peers:
            with contextlib.suppress(OSError):
                peer.sock.shutdown(socket.SHUT_RDWR)
        self.wait()
        assert not self.failures


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """How the venue and how we do TLS, for the host name `localhost`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "venue.pem"
    file.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return server, tls_context(ca_file=str(file))


StartVenue = Callable[..., Venue]


@pytest.fixture
def start_venue() -> Iterator[StartVenue]:
    """`start_venue(script, tls=None)`: a `Venue` that is gone when the test ends."""
    venues = []

    def start(script: Callable[[Peer], None], tls: ssl.SSLContext | None = None) -> Venue:
        venues.append(Venue(script, tls))
        return venues[-1]

    yield start
    for venue in venues:
        venue.stop()


OpenStream = Callable[..., Stream]


@pytest.fixture
def open_to(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenStream]:
    """`open_to(venue, **options)`: a `Stream` that is closed when the test ends."""
    streams = []

    def connect(venue: Venue, **options: object) -> Stream:
        settings = {"timeout": PATIENCE, "tls": tls_context(), "proxy": "none", **options}
        streams.append(open_stream(venue.url, **settings))  # type: ignore[arg-type]
        return streams[-1]

    yield connect
    for stream in streams:
        stream.abort()


def receive_all(stream: Stream) -> tuple[list[Item], ConnectionLost]:
    """Everything up to the end of the connection, and the end."""
    items: list[Item] = []
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            items += stream.receive()
        except ConnectionLost as lost:
            return items, lost
        time.sleep(0.001)
    raise AssertionError(f"the connection did not end; received {items!r:.200}")


@pytest.fixture(name="receive_all")
def give_receive_all() -> Callable[[Stream], tuple[list[Item], ConnectionLost]]:
    return receive_all


@pytest.fixture
def frame() -> Callable[..., bytes]:
    """`frame(payload, first=0x81)`: a server's frame."""

    def build(payload: bytes, first: int = 0x81) -> bytes:
        if len(payload) < 126:
            return bytes([first, len(payload)]) + payload
        if len(payload) < 2**16:
            return bytes([first, 126]) + len(payload).to_bytes(2) + payload
        return bytes([first, 127]) + len(payload).to_bytes(8) + payload

    return build
