"""One request against real servers that behave badly: one deadline, and no address told."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from receivers import Handler, Receiver, wait_for

from qehost_notify.sending import authorities, reach, send
from qehost_notify.services import DingTalk, Outgoing, Service, WebHook

MESSAGE = Outgoing("k1", "title", "text", {"gap": 1}, 1.0, 2.0)
SHORT = 3.0
"""Seconds of a deadline that ends it."""
LONG = 120.0
"""Of one that is not."""


class Server:
    """Takes connections, and does with each what it is told; it ends with the test."""

    def __init__(self, behave: Callable[[socket.socket], None]) -> None:
        self._behave = behave
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.over = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                link, _ = self._listening.accept()
                self._threads.append(threading.Thread(target=self._serve, args=(link,)))
                self._threads[-1].start()

    def _serve(self, link: socket.socket) -> None:
        with link, suppress(OSError):
            self._behave(link)

    def dribble(self, link: socket.socket, data: bytes) -> None:
        """One byte after the other, for as long as the test goes on."""
        for byte in data:
            link.sendall(bytes([byte]))
            if self.over.wait(0.05):
                return
        self.over.wait()

    def end(self) -> None:
        self.over.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join()


Serve = Callable[[Callable[[Server, socket.socket], None]], Server]


@pytest.fixture
def serve() -> Iterator[Serve]:
    made: list[Server] = []

    def start(behave: Callable[[Server, socket.socket], None]) -> Server:
        server = Server(lambda link: behave(made[-1], link))
        made.append(server)
        return server

    yield start
    for server in made:
        server.end()


def answer_of(service: Service, *wanted: str) -> None:
    """Send until this is the answer: after a time in which the machine stood still it is another.
    Each time the deadline must end it, since what it waits for comes with the end of the test."""

    def is_it() -> bool:
        begun = time.monotonic()
        answer = send(service, MESSAGE, SHORT)
        assert time.monotonic() - begun < LONG
        return (answer.verdict, answer.reason)[: len(wanted)] == wanted

    wait_for(is_it)


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 10_000])
def test_a_head_that_dribbles_or_never_comes_is_cut(serve: Serve, head: bytes) -> None:
    server = serve(lambda own, link: own.dribble(link, head))
    answer_of(DingTalk("t", server=f"http://127.0.0.1:{server.port}"), "unknown")


def test_a_status_is_an_answer_whatever_becomes_of_the_body(serve: Serve) -> None:
    def answers(own: Server, link: socket.socket) -> None:
        link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        own.dribble(link, b"x" * 1000)

    server = serve(answers)
    answer_of(WebHook(f"http://127.0.0.1:{server.port}/"), "sent")


def test_where_the_body_is_the_answer_half_of_it_is_none(serve: Serve) -> None:
    def answers(own: Server, link: socket.socket) -> None:
        link.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"errc')
        own.over.wait()

    server = serve(answers)
    service = DingTalk("t", server=f"http://127.0.0.1:{server.port}")
    answer_of(service, "unknown", "an answer without errcode")


def test_what_a_service_says_can_be_shown_in_a_terminal(receiver: Receiver) -> None:
    receiver.behaviour = lambda handler: handler.answer(
        200, {"errcode": 1, "errmsg": "no\x1b[2J\x9b\r\nway"}
    )
    assert send(WebHook(receiver.url), MESSAGE, LONG).reason == "1 no [2J way"


def test_a_server_that_never_begins_tls_is_cut(serve: Serve) -> None:
    def hangs(own: Server, _: socket.socket) -> None:
        own.over.wait()

    server = serve(hangs)
    answer_of(WebHook(f"https://127.0.0.1:{server.port}/"), "later", "no answer in time")


def test_a_reset_after_the_request_leaves_it_unknown(serve: Serve) -> None:
    def resets(_: Server, link: socket.socket) -> None:
        link.recv(1)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    server = serve(resets)
    assert send(WebHook(f"http://127.0.0.1:{server.port}/"), MESSAGE, LONG).verdict == "unknown"


def test_what_was_never_sent_is_known_not_to_be_there() -> None:
    answer = send(WebHook("http://127.0.0.1:9/"), MESSAGE, LONG)
    assert (answer.verdict, answer.reason) == ("later", "connection refused")
    answer = send(WebHook("http://no-such-host.invalid/"), MESSAGE, LONG)
    assert (answer.verdict, answer.reason) == ("later", "its name can't be resolved")


def test_an_address_that_does_not_answer_leaves_the_next_one_its_time(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a name that has an IPv6 address which leads nowhere."""
    with socket.socket() as deaf, ExitStack() as queue:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for _ in range(4):  # whoever comes when its queue is full gets no answer
            waiting = queue.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(deaf.getsockname())
        ask = socket.getaddrinfo
        monkeypatch.setattr(
            socket,
            "getaddrinfo",
            lambda host, port, **own: [
                *(ask(*deaf.getsockname(), **own) if host == "both.invalid" else []),
                *ask("127.0.0.1" if host == "both.invalid" else host, port, **own),
            ],
        )
        answer_of(WebHook(f"http://both.invalid:{receiver.port}/"), "sent")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Of localhost, and its key, in one file."""
    file = tmp_path / "certificate.pem"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-x509"]
    subprocess.run(
        ["openssl", "req", *kind, *names, "-keyout", file, "-out", tmp_path / "own.pem"],
        check=True,
        capture_output=True,
    )
    file.write_bytes(file.read_bytes() + (tmp_path / "own.pem").read_bytes())
    return file


@pytest.fixture
def secure(certificate: Path, receiver: Receiver) -> Receiver:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    receiver.encrypt(context)
    authorities.cache_clear()  # of another test
    return receiver


def test_a_certificate_must_be_trusted(
    secure: Receiver, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"https://localhost:{secure.port}/s3cretpathtoken"
    refused = send(WebHook(url), MESSAGE, LONG)
    assert refused.verdict == "later"
    assert "its certificate is not trusted" in refused.reason
    assert reach(url, LONG) == refused.reason
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert send(WebHook(url), MESSAGE, LONG).verdict == "sent"
    assert reach(url, LONG) == ""


def test_the_environments_proxy_is_asked_and_sees_no_path(
    secure: Receiver, certificate: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []

    def connects(_: Server, link: socket.socket) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += link.recv(1)
        seen.append(data)
        link.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with socket.create_connection(("127.0.0.1", secure.port)) as there:
            back = threading.Thread(target=pass_on, args=(there, link))
            back.start()
            pass_on(link, there)
            back.join()

    def pass_on(source: socket.socket, to: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                seen.append(data)
                to.sendall(data)
            to.shutdown(socket.SHUT_WR)

    proxy = serve(connects)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", f"http://me:word@127.0.0.1:{proxy.port}")
    url = f"https://localhost:{secure.port}/s3cretpathtoken"
    assert send(WebHook(url), MESSAGE, LONG).verdict == "sent"
    assert seen[0].startswith(f"CONNECT localhost:{secure.port} HTTP/1.1\r\n".encode())
    assert b"Proxy-Authorization: Basic bWU6d29yZA==" in seen[0]
    assert b"s3cretpathtoken" not in b"".join(seen)
    monkeypatch.setenv("https_proxy", "socks5://127.0.0.1:1")
    assert reach(url, LONG) == "only an http:// proxy can be used"


def test_a_redirect_and_what_is_no_http_are_no_success(receiver: Receiver, serve: Serve) -> None:
    receiver.behaviour = lambda handler: Handler.answer(handler, 302, Location="/elsewhere")
    assert send(WebHook(receiver.url), MESSAGE, LONG).verdict == "refused"
    server = serve(lambda _, link: link.sendall(b"220 mail.example.org ESMTP\r\n"))
    assert send(WebHook(f"http://127.0.0.1:{server.port}/"), MESSAGE, LONG).verdict == "unknown"
