"""What goes wrong at the venue or on the way, and what is repeated."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import socket
import ssl
import subprocess
import threading
import time
import traceback
import warnings

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from qehost.errors import APIError, ClientError, RestError, ServerError, TransportError
from qehost.network.dial import tls_context
from qehost.rest import API, Retries
from qehost.rest.http import Reply

KEY = "the-api-key-0123456789abcdef"
SECRET = "the-api-secret-0123456789abcdef"
BUSY = {"code": 429, "reason": "BUSY", "message": "slow down"}


def caught(call, *arguments):
    with pytest.raises(RestError) as info:
        call(*arguments)
    return info.value


# --- forks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("held", [False, True])
def test_a_fork_asks_on_a_connection_of_its_own_whatever_lock_its_parent_held(venue, api, held):
    venue.answer = lambda request: venue.result({"path": request.path})
    assert api.query("/parent") == {"path": "/parent"}  # the connection is kept
    locks = [api._calls.clock._lock, api._calls.http._lock, api._calls.http._pool.pool.mutex]
    reads, writes = os.pipe()
    with contextlib.ExitStack() as stack:
        for lock in locks if held else []:
            stack.enter_context(lock)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the venue has threads
            fork = os.fork()
        if fork == 0:
            try:
                told = repr([api.query("/fork"), api.sign_request("GET", "/fork")["path"]])
            except BaseException as error:  # noqa: BLE001 - it must not go on as a second pytest
                told = repr(error)
            os.write(writes, told.encode())
            os._exit(0)
    os.close(writes)
    try:
        with open(reads, "rb") as pipe:
            assert select.select([pipe], [], [], 30)[0], "the fork hangs"
            assert pipe.read().decode() == "[{'path': '/fork'}, '/fork']"
    finally:
        os.kill(fork, signal.SIGKILL)
        os.waitpid(fork, 0)
    assert api.query("/parent") == {"path": "/parent"}
    assert venue.connections == 2  # each has its own, and the parent's is still the first


# --- typed errors ------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_an_envelope_with_another_code_is_an_api_error_at_any_status(venue, api, status):
    venue.answers = [venue.refusal(40301, "NOT_ALLOWED", "not your order", status)] * 3
    error = caught(api.master_order, "m1")
    assert isinstance(error, APIError)
    assert (error.code, error.reason, error.message) == (40301, "NOT_ALLOWED", "not your order")
    assert (error.trace_id, error.server_time, error.status_code) == ("trace-7", 5, status)
    assert "trace-7" in str(error)


def test_a_4xx_without_the_envelope_is_a_client_error(venue, api):
    venue.answers = [
        venue.reply({"code": -1121, "msg": "Invalid symbol.", "data": [1]}, 400, X_A="b"),
        venue.reply("<html>forbidden</html>", 403),
    ]
    error = caught(api.query, "/x")
    assert isinstance(error, ClientError)
    assert (error.status_code, error.error_code) == (400, -1121)
    assert (error.error_message, error.error_data) == ("Invalid symbol.", [1])
    assert error.header["x-a"] == "b"
    error = caught(api.query, "/x")
    assert isinstance(error, ClientError)
    assert str(error) == "HTTP 403: <html>forbidden</html>"


@pytest.mark.parametrize(
    ("text", "status", "words"),
    [
        ("<html>a website</html>", 200, "is base_url right"),
        ("", 302, "another address"),
        ("[" * 100_000, 200, "not JSON"),
        ("boom", 500, "boom"),
    ],
)
def test_an_answer_that_is_none_is_a_server_error(venue, text, status, words):
    api = API(base_url=venue.url, retries=Retries(attempts=1))
    venue.answers = [venue.reply(text, status)]
    error = caught(api.query, "/x")
    assert isinstance(error, ServerError)
    assert words in str(error)
    assert len(str(error)) < 500


def test_an_answer_that_is_not_utf_8_is_a_server_error(venue, api):
    venue.answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n\xff"]
    assert "UTF-8" in str(caught(api.query, "/x"))


def test_an_answer_that_is_too_long_is_not_read_to_its_end(venue):
    api = API(base_url=venue.url, retries=Retries(attempts=1))
    venue.answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b" " * 17_000_000]
    assert "too long" in str(caught(api.query, "/x"))


# --- what is repeated --------------------------------------------------------------------------


@pytest.mark.parametrize("failure", ["drop", 500, 502, 503, 429, 418])
def test_a_get_is_repeated(venue, api, failure):
    bad = failure if failure == "drop" else venue.reply("busy", failure)
    venue.answers = [bad, bad, venue.result({"masterOrderId": "m1"})]
    assert api.master_order("m1") == {"masterOrderId": "m1"}
    assert len(venue.requests) == 3


def test_a_get_is_given_up_after_three_tries(venue, api):
    venue.answers = [venue.reply("busy", 500)] * 3
    assert isinstance(caught(api.master_order, "m1"), ServerError)
    assert venue.answers == []


@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_get_that_was_refused_for_itself_is_not_repeated(venue, api, status):
    venue.answers = [venue.reply("no", status)]
    assert caught(api.master_order, "m1").status_code == status


@pytest.mark.parametrize("failure", ["drop", 500, 503, 429])
@pytest.mark.parametrize(
    "call",
    [
        lambda api: api.create_listen_key(),
        lambda api: api.cancel_master_order("m1"),
        lambda api: api.batch_cancel_master_orders(["m1"]),
        lambda api: api.sign_request("POST", "/x"),
    ],
)
def test_nothing_else_is_repeated(venue, api, call, failure):
    bad = failure if failure == "drop" else venue.reply("busy", failure, Retry_After="0")
    venue.answers = [bad]
    error = caught(call, api)
    assert len(venue.requests) == 1
    if failure == "drop":
        assert "may have been carried out" in str(error)


def test_retry_after_is_obeyed(venue, api):
    venue.answers = [venue.reply(BUSY, 429, Retry_After="1"), venue.result({"a": 1})]
    started = time.monotonic()
    assert api.master_order("m1") == {"a": 1}
    assert time.monotonic() - started >= 1.0


def test_a_long_retry_after_is_left_to_the_caller(venue, api):
    venue.answers = [venue.reply(BUSY, 429, Retry_After="3600")]
    error = caught(api.master_order, "m1")
    assert isinstance(error, APIError)
    assert error.retry_after == 3600


def test_an_epoch_in_the_place_of_the_seconds_asks_for_an_hour_and_no_more(venue, api):
    venue.answers = [venue.reply(BUSY, 429, Retry_After="1735372002")]
    assert caught(api.create_listen_key).retry_after == 3600


# --- the clock ---------------------------------------------------------------------------------


def test_a_clock_that_is_off_does_not_matter(venue):
    api = API(KEY, SECRET, venue.url, clock=lambda: 1_735_372_000.0 - 500)
    venue.answers = [venue.result({})]
    api.master_order("m1")
    assert int(venue.requests[0].fields["timestamp"]) == pytest.approx(1_735_372_000_000, abs=5000)
    assert api.clock_offset() == pytest.approx(500, abs=5)


@pytest.mark.parametrize("call", ["master_order", "pause_master_order"])
def test_a_refused_timestamp_is_measured_again_and_the_call_repeated(venue, api, call):
    assert api.clock_offset() == pytest.approx(0, abs=5)
    venue.now_ms = lambda: 1_735_372_900_000
    venue.answers = [
        venue.refusal(401, "TIMESTAMP_EXPIRED", "timestamp is outside of the recvWindow"),
        venue.result({"success": True}),
    ]
    getattr(api, call)("m1")
    assert int(venue.requests[1].fields["timestamp"]) == pytest.approx(1_735_372_900_000, abs=5000)


def test_a_timestamp_refused_twice_says_how_far_the_clock_is_off(venue, api):
    assert api.clock_offset() == pytest.approx(0, abs=5)
    venue.now_ms = lambda: 1_735_372_000_000 - 90_000
    venue.answers = [venue.reply({"code": -1021, "msg": "Timestamp"}, 400)] * 2
    assert "90.0 s ahead of the venue's" in str(caught(api.pause_master_order, "m1"))
    assert venue.answers == []


def test_signed_calls_go_on_where_the_time_can_not_be_read(venue, api):
    venue.now_ms = None
    venue.answers = [venue.reply("no", 404), venue.result({"a": 1}), venue.result({"b": 1})]
    assert api.master_order("m1") == {"a": 1}
    assert venue.requests[1].fields["timestamp"] == "1735372000000"
    # It is not asked for the time again with each call.
    assert api.master_order("m1") == {"b": 1}


# --- time-outs and the end ---------------------------------------------------------------------


@pytest.mark.parametrize("failure", ["hang", "dribble"])
def test_the_deadline_holds_for_the_whole_of_a_call(venue, failure):
    api = API(KEY, SECRET, venue.url, timeout=(0.2, 0.2), retries=Retries(attempts=1))
    venue.answers = [failure]
    started = time.monotonic()
    error = caught(api.query, "/x")
    assert isinstance(error, TransportError)
    assert "within 0.4 s" in str(error)
    assert error.address == venue.url + "/x"
    assert time.monotonic() - started < 10


def test_nobody_there_is_a_transport_error(venue):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    api = API(base_url=f"http://127.0.0.1:{port}", retries=Retries(attempts=1))
    error = caught(api.ping)
    assert isinstance(error, TransportError)
    assert f"127.0.0.1:{port}" in str(error)
    assert "refused" in str(error)


def test_close_ends_a_call_in_another_thread(venue, api):
    venue.answers = ["hang"]
    errors = []

    def call():
        try:
            api.query("/x")
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


def test_many_threads_may_call_at_once(venue, api):
    venue.answer = lambda request: venue.result({"id": request.path.rpartition("/")[2]})
    wrong = []

    def call(name):
        for number in range(20):
            found = api.master_order(f"{name}-{number}")
            if found != {"id": f"{name}-{number}"}:
                wrong.append(found)

    threads = [threading.Thread(target=call, args=(name,)) for name in "abcdefgh"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []
    assert len(venue.requests) == 160


# --- secrets -----------------------------------------------------------------------------------


@pytest.mark.parametrize("failure", ["drop", "echo", "html"])
def test_no_secret_in_any_log_error_or_traceback(venue, api, caplog, failure):
    caplog.set_level(logging.DEBUG)
    seen = []

    def answer(request):
        seen.append(request)
        said = f"bad request from {request.headers['x-mbx-apikey']}: {request.query}"
        if failure == "echo":
            return venue.refusal(400, said, said)
        return venue.reply(said, 400) if failure == "html" else venue.DROP

    venue.answer = answer
    calls = [
        lambda: api.master_orders(symbol="BTC USDT"),
        lambda: api.create_listen_key(),
        lambda: api.cancel_master_order("m1"),
    ]
    errors = [caught(call) for call in calls]
    # A cause or a context would be printed, too.
    shown = "".join(line for error in errors for line in traceback.format_exception(error))
    shown += caplog.text
    assert "cancel" in shown
    for secret in [KEY, SECRET, *(request.fields["signature"] for request in seen)]:
        assert secret not in shown


def test_a_made_key_is_not_logged(venue, api, caplog):
    caplog.set_level(logging.DEBUG)
    venue.answers = [venue.result({"listenKey": "0123456789abcdef", "expireAt": "5"})]
    made = api.create_listen_key()
    assert made.key not in caplog.text + repr(made)


@given(
    st.from_regex(r"[0-9a-f]{16,64}|[A-Za-z0-9_-]{24,64}", fullmatch=True),
    st.sampled_from(
        [
            '{"code":200,"message":{"listenKey":"%s","expireAt":"1790000000","success":true,}}',
            '{"code":200,"message":{"listenKey":"%s","expi',
            '{"code":200,"message":{"listenKey":"%s',
            '{"code":0,"message":{"listenKey":"%s","success":true},"reason":"","traceId":"t"}',
            '{"code":0,"message":"{\\"listenKey\\":\\"%s\\"}"}',
            '{"code":200,"message":{"listenKey":"%s","success":false,"message":"%s is there"}}',
            '{"code":500,"msg":"listen_key=%s","data":{"listenKey":"%s"}}',
            '{"listenKey":"%s"} upstream reset',
            '{"message":"no upstream for ?listen_key=%s&v=2","data":["%s"]}',
            '{"code":"%s","msg":"no"}',
            "<html>" + " " * 280 + "%s</html>",
            '"%s"',
            "%s",
        ]
    ),
    st.sampled_from([200, 400, 502]),
)
def test_an_answer_with_a_key_that_can_not_be_used_is_told_without_the_key(key, body, status):
    # A word of one letter, or of capitals and underscores, is none.
    assume(len(set(key)) > 6 and not key.isupper())
    made = Reply(status, {}, body.replace("%s", key).encode())
    api = API(KEY, SECRET, "http://127.0.0.1:1")
    api._calls.clock.now_ms = lambda: 0
    api._calls.http.send = lambda *_: made
    try:
        api.create_listen_key()
    except RestError as error:
        shown = "".join(traceback.format_exception(error))
        shown += f"{error}{error!r}{error.args}{vars(error)}"
        assert key not in shown
        assert key[:12] not in shown


def test_a_refused_listen_key_is_told_in_the_venues_words(venue, api):
    said = "签名错误请检查您的密钥是否正确: the authentication failed"
    venue.answers = [
        venue.refusal(401, "API_KEY_INVALID", said),
        venue.reply("<html>Welcome to our shop</html>"),
    ]
    assert f"401 API_KEY_INVALID: {said} (trace id trace-7)" in str(caught(api.create_listen_key))
    assert "It begins: <html>Welcome to our shop</html>" in str(caught(api.create_listen_key))


def test_what_stands_in_a_malformed_head_is_not_logged(venue, api, caplog):
    venue.answers = [b"HTTP/1.1 200 OK\r\nno header but 0123456789abcdef\r\n\r\n{}"]
    caught(api.create_listen_key)
    assert "0123456789abcdef" not in caplog.text


def test_a_secret_is_hidden_before_a_long_text_is_cut(venue, api):
    venue.answers = [venue.reply("x" * 290 + KEY, 400), venue.reply("x" * 290 + KEY)]
    for _ in range(2):
        assert KEY[:8] not in str(caught(api.query, "/x"))


def test_an_action_that_was_not_successful_is_told_without_a_secret(venue, api):
    venue.answers = [venue.result({"success": False, "message": f"{KEY} may not"})]
    assert "•••• may not" in str(caught(api.pause_master_order, "m1"))


# --- TLS and proxies ---------------------------------------------------------------------------


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
