"""Opening connections: names, addresses, proxies and certificates under one deadline."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from waiting import PATIENCE

from qehost.errors import ConfigError, ConnectError
from qehost.network.deadline import Deadline
from qehost.network.dial import dial, tls_context
from qehost.network.proxy import Proxy

Script = Callable[[socket.socket], None]


@pytest.fixture
def serve() -> Iterator[Callable[..., int]]:
    """`serve(script, …)`: the port of a listener that runs each script for one connection."""
    cleanups = contextlib.ExitStack()

    def start(*scripts: Script) -> int:
        listener = cleanups.enter_context(socket.create_server(("127.0.0.1", 0)))

        def run() -> None:
            with contextlib.suppress(OSError):
                for script in scripts:
                    sock, _ = listener.accept()
                    sock.settimeout(PATIENCE)
                    with sock:
                        script(sock)

        def stop() -> None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(PATIENCE)
            assert not thread.is_alive()

        thread = threading.Thread(target=run)
        thread.start()
        cleanups.callback(stop)
        return int(listener.getsockname()[1])

    with cleanups:
        yield start


@pytest.fixture
def unused_port() -> Iterator[int]:
    """One at which nobody listens, and nobody begins to."""
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        yield int(kept.getsockname()[1])


@pytest.fixture
def silent() -> Iterator[tuple[str, int]]:
    """An address that takes no connection and says so neither: its backlog is full."""
    with contextlib.ExitStack() as cleanups:
        listener = cleanups.enter_context(socket.socket())
        listener.bind(("127.0.0.2", 0))
        listener.listen(0)
        for _ in range(4):
            filler = cleanups.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()


@pytest.fixture
def name(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`name(address, …)`: what `venue.example` stands for."""

    def set_up(*addresses: tuple[str, int]) -> None:
        def look_up(host: str, port: int, **_: object) -> list[object]:
            assert host == "venue.example"
            return [
                (socket.AF_INET6 if ":" in a[0] else socket.AF_INET, 1, 6, "", a) for a in addresses
            ]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)

    return set_up


def greet(sock: socket.socket) -> None:
    sock.sendall(b"hello")


def fails(
    port: int, match: str, host: str = "127.0.0.1", timeout: float = PATIENCE, **options
) -> str:
    with pytest.raises(ConnectError, match=match) as caught:
        dial(host, port, Deadline(timeout), **options)
    assert caught.value.address.endswith(str(port))
    return str(caught.value)


# --- addresses -------------------------------------------------------------------------------


def test_a_connection_is_opened(serve):
    with dial("127.0.0.1", serve(greet), Deadline(PATIENCE)) as sock:
        assert sock.recv(5, socket.MSG_WAITALL) == b"hello"
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_refused_connection_says_by_whom_and_what_to_look_at(unused_port):
    text = fails(unused_port, "connection refused at 127.0.0.1")
    assert "is it up, and is the address in the settings right?" in text


def test_every_address_is_tried(serve, name, unused_port):
    name(("127.0.0.1", unused_port), ("127.0.0.1", serve(greet)))
    with dial("venue.example", 443, Deadline(PATIENCE)) as sock:
        assert sock.recv(5, socket.MSG_WAITALL) == b"hello"


def test_a_dead_address_costs_a_head_start_and_not_the_deadline(serve, name, silent):
    name(silent, ("127.0.0.1", serve(greet)))
    # Longer than the test may take.
    with dial("venue.example", 443, Deadline(1000)) as sock:
        assert sock.recv(5, socket.MSG_WAITALL) == b"hello"


def test_a_dead_address_family_does_not_matter(serve, name):
    # Nothing listens there, or IPv6 is switched off altogether.
    dead = [("::1", 9), ("::1", 11)]
    name(*dead, ("127.0.0.1", serve(greet)))
    with dial("venue.example", 443, Deadline(PATIENCE)) as sock:
        assert sock.recv(5, socket.MSG_WAITALL) == b"hello"


def test_when_all_addresses_fail_each_is_named(name, unused_port):
    name(("127.0.0.1", unused_port), ("127.0.0.2", unused_port))
    text = fails(443, "can't connect to venue.example:443", host="venue.example")
    assert f"connection refused at 127.0.0.1:{unused_port}" in text
    assert f"connection refused at 127.0.0.2:{unused_port}" in text


def test_silence_ends_at_the_deadline(name, silent):
    name(silent)
    fails(443, r"no answer from venue\.example:443 within 2 s", "venue.example", timeout=2.0)


def test_a_name_that_is_not_known_is_told(monkeypatch):
    def look_up(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    fails(1, r"venue\.example could not be looked up \(Name or service", "venue.example")


def test_a_name_server_that_does_not_answer_does_not_hold_us(monkeypatch):
    done = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: done.wait(PATIENCE))
    fails(1, r"could not be looked up within 0\.2 s", "venue.example", timeout=0.2)
    done.set()


def test_a_name_that_can_not_be_one_is_told():
    fails(1, "is not a valid host name", host="a..b")


# --- proxies ---------------------------------------------------------------------------------


def test_through_an_http_proxy(serve):
    asked = []

    def proxy(sock: socket.socket) -> None:
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            request += sock.recv(1000)
        asked.append(request)
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\nhello")

    through = Proxy("http", "127.0.0.1", serve(proxy), "joe", "hunter2")
    with dial("venue.example", 443, Deadline(PATIENCE), proxy=through) as sock:
        assert sock.recv(5, socket.MSG_WAITALL) == b"hello"
    assert asked[0].startswith(b"CONNECT venue.example:443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic am9lOmh1bnRlcjI=" in asked[0]


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_through_a_socks5_proxy(serve, name, scheme):
    asked = []

    def proxy(sock: socket.socket) -> None:
        sock.recv(4, socket.MSG_WAITALL)
        sock.sendall(b"\x05\x02")
        asked.append(sock.recv(13, socket.MSG_WAITALL))
        sock.sendall(b"\x01\x00")
        head = sock.recv(4, socket.MSG_WAITALL)
        size = 4 if head[3] == 1 else sock.recv(1)[0]
        asked.append(sock.recv(size, socket.MSG_WAITALL))
        asked.append(sock.recv(2, socket.MSG_WAITALL))
        sock.sendall(b"\x05\x00\x00\x01" + bytes(6) + b"hello")

    port = serve(proxy)
    through = Proxy(scheme, "venue.example", port, "joe", "hunter2")
    name(("127.0.0.1", port))
    with dial("venue.example", 443, Deadline(PATIENCE), proxy=through) as sock:
        assert sock.recv(5, socket.MSG_WAITALL) == b"hello"
    target = b"\x7f\x00\x00\x01" if scheme == "socks5" else b"venue.example"
    assert asked == [b"\x01\x03joe\x07hunter2", target, b"\x01\xbb"]


NO_ROUTE = b"\x05\x03\x00\x01" + bytes(6)
CONNECTED = b"\x05\x00\x00\x01" + bytes(6) + b"hello"


def socks(asked: list[str], ipv6: bytes, ipv4: bytes) -> Script:
    """A SOCKS5 proxy; `ipv6` and `ipv4` are what it says to an address of that family."""

    def proxy(sock: socket.socket) -> None:
        sock.recv(3, socket.MSG_WAITALL)
        sock.sendall(b"\x05\x00")
        kind = sock.recv(4, socket.MSG_WAITALL)[3]
        sock.recv(18 if kind == 4 else 6, socket.MSG_WAITALL)
        asked.append("IPv6" if kind == 4 else "IPv4")
        sock.sendall(ipv6 if kind == 4 else ipv4)

    return proxy


@pytest.mark.parametrize("refusal", [NO_ROUTE, b""])
def test_every_address_is_tried_through_a_socks5_proxy_too(serve, name, refusal):
    asked = []
    port = serve(*[socks(asked, refusal, CONNECTED)] * 2)
    # The proxy has the same name, and listens at the second address.
    name(("::1", port), ("127.0.0.1", port))
    through = Proxy("socks5", "venue.example", port)
    with dial("venue.example", 443, Deadline(PATIENCE), proxy=through) as sock:
        assert sock.recv(5, socket.MSG_WAITALL) == b"hello"
    assert asked == ["IPv6", "IPv4"]


def test_when_a_socks5_proxy_reaches_no_address_each_is_named(serve, name):
    port = serve(*[socks([], NO_ROUTE, NO_ROUTE)] * 2)
    name(("::1", port), ("127.0.0.1", port))
    through = Proxy("socks5", "venue.example", port)
    text = fails(443, f"the proxy venue.example:{port}", "venue.example", proxy=through)
    assert "could not connect to [::1]:443: network unreachable" in text
    assert "could not connect to 127.0.0.1:443: network unreachable" in text


def test_credentials_that_a_socks5_proxy_refuses_are_not_sent_again(serve, name):
    def proxy(sock: socket.socket) -> None:
        sock.recv(4, socket.MSG_WAITALL)
        sock.sendall(b"\x05\x02")
        sock.recv(13, socket.MSG_WAITALL)
        sock.sendall(b"\x01\x01")

    port = serve(proxy)
    name(("::1", port), ("127.0.0.1", port))
    through = Proxy("socks5", "venue.example", port, "joe", "hunter2")
    fails(443, "refused the credentials", "venue.example", proxy=through)


@pytest.mark.parametrize(
    ("script", "says", "timeout"),
    [
        (
            lambda sock: sock.sendall(b"HTTP/1.1 407 No\r\n\r\n"),
            "refused the credentials",
            PATIENCE,
        ),
        (lambda sock: sock.recv(1000), "ended the connection", PATIENCE),
        (
            lambda sock: sock.recv(10_000) and sock.recv(1),
            "made no connection to venue.example:443",
            2.0,
        ),
    ],
)
def test_a_proxy_that_does_not_help_is_named_without_its_credentials(serve, script, says, timeout):
    through = Proxy("http", "127.0.0.1", serve(script), "joe", "hunter2")
    text = fails(443, says, "venue.example", timeout=timeout, proxy=through)
    assert f"the proxy {through}" in text
    assert "joe" not in text
    assert "hunter2" not in text


def test_a_proxy_that_is_down_is_named(unused_port):
    through = Proxy("http", "127.0.0.1", unused_port)
    fails(
        443,
        f"through the proxy 127.0.0.1:{unused_port}: can't connect .*connection refused",
        "venue.example",
        proxy=through,
    )


# --- TLS -------------------------------------------------------------------------------------


class Identity:
    """A self-signed certificate with its key."""

    def __init__(self, folder: Path, common_name: str, host: str = "127.0.0.1") -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), False
            )
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
            .sign(key, hashes.SHA256())
        )
        self.cert = folder / f"{common_name}.pem"
        self.key = folder / f"{common_name}.key"
        self.locked_key = folder / f"{common_name}.locked.key"
        self.cert.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        for path, lock in (
            (self.key, serialization.NoEncryption()),
            (self.locked_key, serialization.BestAvailableEncryption(b"secret")),
        ):
            path.write_bytes(
                key.private_bytes(
                    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock
                )
            )

    def server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        return context


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def venue(folder: Path) -> Identity:
    return Identity(folder, "venue")


def over_tls(context: ssl.SSLContext) -> Script:
    def script(sock: socket.socket) -> None:
        with contextlib.suppress(OSError), context.wrap_socket(sock, server_side=True) as tls:
            tls.sendall(b"hello")

    return script


def test_tls_with_a_certificate_of_an_own_authority(serve, venue):
    context = tls_context(ca_file=str(venue.cert))
    port = serve(over_tls(venue.server()))
    with dial("127.0.0.1", port, Deadline(PATIENCE), tls=context) as sock:
        assert isinstance(sock, ssl.SSLSocket)
        assert sock.version() == "TLSv1.3"
        assert sock.recv(5) == b"hello"


def test_a_certificate_that_nobody_vouches_for_leads_to_ca_file(serve, venue):
    port = serve(over_tls(venue.server()))
    text = fails(port, r"is not accepted \(self.signed certificate\)", tls=tls_context())
    assert "name that in ca_file" in text


def test_a_certificate_of_another_host_is_refused(serve, folder):
    other = Identity(folder, "other", host="127.0.0.9")
    port = serve(over_tls(other.server()))
    fails(port, "is not accepted .*mismatch", tls=tls_context(ca_file=str(other.cert)))


def test_tls_older_than_1_2_is_not_spoken():
    assert tls_context().minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_client_certificate_is_shown(serve, venue, folder):
    client = Identity(folder, "client")
    server = venue.server()
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(client.cert)
    context = tls_context(str(venue.cert), str(client.cert), str(client.key))
    with dial("127.0.0.1", serve(over_tls(server)), Deadline(PATIENCE), tls=context) as sock:
        assert sock.recv(5) == b"hello"


def test_a_server_that_speaks_no_tls_says_so(serve, venue):
    port = serve(lambda sock: sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    fails(port, r"127\.0\.0\.1:[0-9]+ does not speak TLS on this port", tls=tls_context())


def test_a_tls_handshake_that_dribbles_ends_at_the_deadline(serve):
    done = threading.Event()

    def dribble(sock: socket.socket) -> None:
        # A record of 16 KiB that comes byte by byte, for longer than the test may take.
        for byte in b"\x16\x03\x03\x40\x00" + b"\x02" * 16_384:
            sock.sendall(bytes([byte]))
            if done.wait(0.05):
                break

    port = serve(dribble)
    fails(port, r"no TLS with 127\.0\.0\.1:[0-9]+ within 2 s", timeout=2.0, tls=tls_context())
    done.set()


def test_the_environment_can_not_make_us_write_down_the_keys(monkeypatch, tmp_path):
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    assert tls_context().keylog_filename is None


def test_files_that_can_not_be_used_are_named(venue, tmp_path, capfd):
    text = tmp_path / "text"
    text.write_text("not a certificate", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        tls_context(ca_file=str(text), client_cert=str(tmp_path / "missing"))
    first, second = caught.value.mistakes
    assert first.startswith(f"ca_file {text}: is no usable PEM file")
    assert second == f"client_cert {tmp_path / 'missing'}: no such file or directory"


def test_an_encrypted_key_is_refused_and_not_asked_for(venue):
    with pytest.raises(ConfigError, match="is encrypted, and its password can"):
        tls_context(client_cert=str(venue.cert), client_key=str(venue.locked_key))
