"""Connections: deadlines, their end, forks, threads, TLS and proxies."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import ssl
import subprocess
import threading
import time
import warnings

import pytest

from qehost.errors import ParameterArgumentError, RestError, TransportError
from qehost.network.dial import tls_context
from qehost.rest import API, Retries

KEY = "the-api-key-0123456789abcdef"
SECRET = "the-api-secret-0123456789abcdef"


def caught(call, *arguments, **options):
    with pytest.raises(RestError) as info:
        call(*arguments, **options)
    return info.value


@pytest.mark.parametrize("failure", ["hang", "dribble"])
def test_the_deadline_holds_for_the_whole_of_a_call(venue, failure):
    api = API(KEY, SECRET, venue.url, timeout=(0.2, 0.2), retries=Retries(attempts=1))
    venue.answers = [failure]  # for a minute
    started = time.monotonic()
    error = caught(api.query, "/x")
    assert isinstance(error, TransportError)
    assert "within 0.4 s" in str(error)
    assert error.address == venue.url + "/x"
    assert time.monotonic() - started < 50


def test_an_answer_that_is_too_long_is_not_read_to_its_end(venue):
    api = API(base_url=venue.url, retries=Retries(attempts=1))
    venue.answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b" " * 17_000_000]
    assert "too long" in str(caught(api.query, "/x"))


def test_nobody_there_is_a_transport_error(venue):
    with socket.socket() as kept:  # so that nobody else begins to listen there
        kept.bind(("127.0.0.1", 0))
        port = kept.getsockname()[1]
        api = API(base_url=f"http://127.0.0.1:{port}", retries=Retries(attempts=1))
        error = caught(api.ping)
    assert isinstance(error, TransportError)
    assert f"127.0.0.1:{port}" in str(error)
    assert "refused" in str(error)


def test_close_ends_a_call_in_another_thread_and_is_no_trouble(venue, api, caplog):
    caplog.set_level("INFO", "qehost")
    venue.answers = ["hang"]
    errors = []

    def call():
        try:
            api.get_master_order_v2("m1")
        except TransportError as error:
            errors.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    assert venue.asked.wait(30)
    api.close()
    thread.join(30)
    assert not thread.is_alive()
    assert "closed" in str(errors[0])
    assert "closed" in str(caught(api.ping))
    assert caplog.messages == []


def test_many_threads_may_call_at_once(venue, api):
    venue.answer = lambda request: venue.result({"id": request.path.rpartition("/")[2]})
    wrong = []

    def call(name):
        for number in range(20):
            found = api.get_master_order_v2(f"{name}-{number}")
            if found != {"id": f"{name}-{number}"}:
                wrong.append(found)

    threads = [threading.Thread(target=call, args=(name,)) for name in "abcdefgh"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []
    assert len(venue.requests) == 160


def in_a_fork(work):
    """What `work()` gives in a fork of this process, as text."""
    reads, writes = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the venue has threads
        fork = os.fork()
    if fork == 0:
        try:
            told = str(work())
        except BaseException as error:  # noqa: BLE001 - it must not go on as a second pytest
            told = f"{type(error).__name__}: {error}"
        os.write(writes, told.encode())
        os._exit(0)
    os.close(writes)
    try:
        with open(reads, "rb") as pipe:
            assert select.select([pipe], [], [], 30)[0], "the fork hangs"
            return pipe.read().decode()
    finally:
        os.kill(fork, signal.SIGKILL)
        os.waitpid(fork, 0)


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("call", ["query", "sign_request", "clock_offset"])
def test_in_a_fork_every_call_says_at_once_that_it_needs_an_api_of_its_own(venue, api, call, held):
    venue.answer = lambda request: venue.result({"path": request.path})
    assert api.query("/parent") == {"path": "/parent"}  # the connection is kept
    work = {
        "query": lambda: api.query("/fork"),
        "sign_request": lambda: api.sign_request("PUT", "/fork"),
        "clock_offset": api.clock_offset,
    }
    with contextlib.ExitStack() as stack:
        for lock in (api._calls.clock._lock, api._calls.http._lock) if held else ():
            stack.enter_context(lock)
        told = in_a_fork(work[call])
    assert told.startswith("TransportError: this API was made by process")
    assert "make one of its own there" in told
    assert venue.requests[-1].path == "/parent"


def test_a_fork_that_closes_its_copy_leaves_the_parent_s_connection_alone(venue, api):
    venue.answer = lambda request: venue.result({"path": request.path})
    api.query("/parent")
    assert in_a_fork(api.close) == "None"
    assert api.query("/parent") == {"path": "/parent"}
    assert venue.connections == 1


def test_a_fork_may_make_an_api_of_its_own(venue, api):
    venue.answer = lambda request: venue.result({"path": request.path})
    api.query("/parent")
    assert in_a_fork(lambda: API(base_url=venue.url).query("/fork")) == "{'path': '/fork'}"
    assert api.query("/parent") == {"path": "/parent"}
    assert venue.connections == 2


def test_a_connection_is_used_again_until_the_venue_ends_it(venue, api):
    venue.answer = lambda request: venue.result({})
    for _ in range(3):
        api.query("/x")
    assert venue.connections == 1
    venue.hang_up()
    api.query("/x")
    assert venue.connections == 2


def test_a_connection_that_was_idle_for_long_is_not_used_again(venue, api, monkeypatch):
    venue.answer = lambda request: venue.result({})
    clock = [1000.0]
    monkeypatch.setattr("qehost.rest.http.time.monotonic", lambda: clock[0])
    api.query("/x")
    clock[0] += 29
    api.query("/x")
    assert venue.connections == 1
    clock[0] += 31
    api.query("/x")
    assert venue.connections == 2


def test_the_system_watches_over_connections_that_say_nothing(venue, api):
    venue.answer = lambda request: venue.result({})
    api.query("/x")
    ((_, sock),) = api._calls.http._idle
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    if hasattr(socket, "TCP_KEEPIDLE"):
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 15


@pytest.mark.parametrize(
    "part", [".", "..", "../order-fills", "a/../../b", "..\\x", "%2e%2e", "%2E", "x%2f..%2fy"]
)
def test_no_id_and_no_path_leads_elsewhere(venue, api, part):
    with pytest.raises(ParameterArgumentError, match="part of a path"):
        api.query(f"/user/trading/v2/master-orders/{part}/pause")
    if "%" not in part:
        with pytest.raises(ParameterArgumentError, match="part of a path"):
            api.cancel_master_order_v2(part)
    assert venue.requests == []


def test_an_id_may_hold_dots_and_slashes_and_stays_one_segment(venue, api):
    venue.answer = lambda request: venue.result({"success": True})
    for order in ("a..b", "...", "desk/1", "%2e%2e"):
        api.cancel_master_order_v2(order)
    assert [request.path.split("/")[5] for request in venue.requests] == [
        "a..b",
        "...",
        "desk%2F1",
        "%252e%252e",
    ]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[1]",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[1]\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"SSH-2.0-OpenSSH_9.6\r\n",
    ],
)
def test_half_an_answer_is_none(venue, answer):
    api = API(base_url=venue.url, retries=Retries(attempts=1))
    venue.answers = [("last", answer)]
    error = caught(api.query, "/x")
    assert isinstance(error, TransportError)
    assert "without a whole answer" in str(error)


def test_an_answer_may_come_in_chunks_or_end_with_its_connection(venue, api):
    chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n1\r\n]\r\n0\r\n\r\n"
    venue.answers = [chunks, chunks, ("last", b"HTTP/1.0 200 OK\r\n\r\n[2]"), chunks]
    assert [api.query("/x") for _ in range(4)] == [[1], [1], [2], [1]]
    assert venue.connections == 2


def test_a_path_of_any_characters_reaches_the_venue_as_it_is(venue, api):
    venue.answer = lambda request: venue.result({})
    api.query("/ö b/%2F/a:b@c")
    assert venue.requests[0].path == "/%C3%B6%20b/%2F/a:b@c"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    pem, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", pem),
        ],
        check=True,
        capture_output=True,
    )
    return pem, key


@pytest.fixture
def tls_port(certificate):
    """One HTTPS server that answers every request with its `Host` and a pause in between."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), context.wrap_socket(sock, server_side=True) as tls:
                while head := tls.recv(65536):
                    host = head.decode().partition("Host: ")[2].partition("\r\n")[0]
                    body = f'{{"host": "{host}"}}'.encode()
                    tls.sendall(
                        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
                    )

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def test_https_checks_the_certificate(certificate, tls_port):
    url = f"https://localhost:{tls_port}"
    trusting = API(base_url=url, ssl_context=tls_context(str(certificate[0])))
    try:
        assert trusting.query("/x") == {"host": f"localhost:{tls_port}"}
        assert trusting.query("/x") == {"host": f"localhost:{tls_port}"}
    finally:
        trusting.close()
    error = caught(API(base_url=url, retries=Retries(attempts=1)).query, "/x")
    assert isinstance(error, TransportError)
    assert "certificate" in str(error)


def test_the_documented_proxies_argument_is_obeyed(venue):
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        heads = []

        def serve():
            sock, _ = proxy.accept()
            with sock:
                heads.append(sock.recv(65536))
                sock.sendall(b"HTTP/1.1 407 No\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        api = API(
            base_url=venue.url,
            proxies={"http": f"http://user:hidden@127.0.0.1:{proxy.getsockname()[1]}"},
            retries=Retries(attempts=1),
        )
        error = caught(api.ping)
        thread.join(30)
    assert heads[0].startswith(b"CONNECT 127.0.0.1:")
    assert "407" in str(error)
    assert "hidden" not in str(error)
    assert venue.requests == []
