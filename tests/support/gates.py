"""What may stand between qehost and a venue: proxies, a front that speaks TLS.  Real sockets."""

from __future__ import annotations

import base64
import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

__all__ = ["Certificates", "ConnectProxy", "SocksProxy", "TlsFront"]


class Gate:
    """Listens on a free port and passes on; `served` counts the connections that got through."""

    def __init__(self) -> None:
        self.served = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._acceptor = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Gate:
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join()
        for sock in list(self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def admit(self, sock: socket.socket) -> tuple[socket.socket, tuple[str, int]]:
        """What the client wants: the socket to go on with, and the target."""
        raise NotImplementedError

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        self._open.add(sock)
        try:
            client, target = self.admit(sock)
            with client, socket.create_connection(target) as server:
                self.served += 1
                self._open |= {client, server}
                back = threading.Thread(target=_pump, args=(server, client), daemon=True)
                back.start()
                _pump(client, server)
                back.join()
        except (OSError, EOFError):
            pass  # the client has gone, or was refused
        finally:
            sock.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        if not (piece := sock.recv(size - len(data))):
            raise EOFError
        data += piece
    return data


class ConnectProxy(Gate):
    """HTTP CONNECT, for `user:password` alone."""

    def __init__(self, credentials: str) -> None:
        super().__init__()
        self._wanted = base64.b64encode(credentials.encode()).decode()

    def admit(self, sock: socket.socket) -> tuple[socket.socket, tuple[str, int]]:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += _exactly(sock, 1)
        lines = head.decode().split("\r\n")
        if f"Proxy-Authorization: Basic {self._wanted}" not in lines:
            sock.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            raise EOFError
        host, _, port = lines[0].split()[1].rpartition(":")
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        return sock, (host, int(port))


class SocksProxy(Gate):
    """SOCKS5, for `user:password` alone."""

    def __init__(self, credentials: str) -> None:
        super().__init__()
        self._wanted = credentials

    def admit(self, sock: socket.socket) -> tuple[socket.socket, tuple[str, int]]:
        methods = _exactly(sock, _exactly(sock, 2)[1])
        if 2 not in methods:
            sock.sendall(b"\x05\xff")
            raise EOFError
        sock.sendall(b"\x05\x02")
        user = _exactly(sock, _exactly(sock, 2)[1]).decode()
        password = _exactly(sock, _exactly(sock, 1)[0]).decode()
        if f"{user}:{password}" != self._wanted:
            sock.sendall(b"\x01\x01")
            raise EOFError
        sock.sendall(b"\x01\x00")
        kind = _exactly(sock, 4)[3]
        if kind == 3:
            host = _exactly(sock, _exactly(sock, 1)[0]).decode()
        else:
            host = str(ipaddress.ip_address(_exactly(sock, 4 if kind == 1 else 16)))
        port = int.from_bytes(_exactly(sock, 2))
        sock.sendall(b"\x05\x00\x00\x01" + bytes(6))
        return sock, (host, port)


class TlsFront(Gate):
    """Speaks TLS to clients that show a certificate, and plainly to `target`."""

    def __init__(self, context: ssl.SSLContext, target: tuple[str, int]) -> None:
        super().__init__()
        self._context = context
        self._target = target

    def admit(self, sock: socket.socket) -> tuple[socket.socket, tuple[str, int]]:
        wrapped = self._context.wrap_socket(sock, server_side=True)
        return wrapped, self._target


class Certificates:
    """An authority of our own in `folder`: `ca.pem`, `server.pem` for localhost, `client.pem`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("qehost's tests")
        self.ca = self._write("ca.pem", self._certificate(self._name, self._key, ca=True))
        self.server = self._issue("server.pem", "localhost")
        self.client = self._issue("client.pem", "a trader")

    def server_context(self) -> ssl.SSLContext:
        """For a server that wants a client's certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server)
        context.load_verify_locations(self.ca)
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _issue(self, file: str, name: str) -> Path:
        key = ec.generate_private_key(ec.SECP256R1())
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return self._write(file, self._certificate(_name(name), key), private)

    def _certificate(
        self, name: x509.Name, key: ec.EllipticCurvePrivateKey, ca: bool = False
    ) -> bytes:
        now = datetime.datetime.now(datetime.UTC)
        day = datetime.timedelta(days=1)
        public = key.public_key()
        names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
        by = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            x509.CertificateBuilder(
                self._name, name, public, x509.random_serial_number(), now - day, now + day
            )
            .add_extension(names, critical=False)
            .add_extension(x509.BasicConstraints(ca, None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(by, critical=False)
            .sign(self._key, hashes.SHA256())
            .public_bytes(serialization.Encoding.PEM)
        )

    def _write(self, file: str, *parts: bytes) -> Path:
        path = self._folder / file
        path.write_bytes(b"".join(parts))
        return path


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
