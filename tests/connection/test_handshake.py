"""The opening handshake with a venue that refuses, dawdles, lies or tries to look inside."""

from __future__ import annotations

import threading

import pytest
from waiting import PATIENCE

from qehost.connection.handshake import hide_query
from qehost.errors import ConnectError, HandshakeError

KEY = "0123456789abcdef0123456789abcdef"


def answer(text: str):
    """A script that reads the request and answers with `text`."""

    def script(peer):
        peer.read_request()
        peer.send(text.encode())

    return script


def refusal(start_venue, open_to, text: str) -> HandshakeError:
    with pytest.raises(HandshakeError) as caught:
        open_to(start_venue(answer(text)))
    assert KEY not in str(caught.value)
    assert KEY not in repr(caught.value)
    assert KEY not in caught.value.address
    return caught.value


def test_the_request_names_the_resource_and_us_and_no_origin(start_venue, open_to):
    venue = start_venue(lambda peer: peer.upgrade())
    open_to(venue)
    lines = venue.peers[0].request.decode().split("\r\n")
    assert lines[0] == f"GET /api/ws/v2?listen_key={KEY} HTTP/1.1"
    assert f"Host: 127.0.0.1:{venue.port}" in lines
    assert any(line.startswith("User-Agent: qehost/") for line in lines)
    assert not any(line.startswith("Origin") for line in lines)


def test_cookies_of_one_connection_do_not_reach_the_next(start_venue, open_to):
    venue = start_venue(lambda peer: peer.upgrade())
    open_to(venue)
    open_to(venue)
    assert b"ookie" not in venue.peers[1].request


def test_frames_in_the_segment_of_the_answer_are_not_lost(start_venue, open_to, receive_all, frame):
    venue = start_venue(lambda peer: peer.upgrade(frame(b"at once")))
    assert receive_all(open_to(venue))[0] == ["at once"]


@pytest.mark.parametrize("status", [418, 429])
def test_a_venue_that_does_not_say_for_how_long_is_left_alone_for_seconds_that_are_named(
    start_venue, open_to, status
):
    error = refusal(start_venue, open_to, f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n")
    assert f"(HTTP {status}) and does not say for how long: it is left alone for 10 s" in str(error)
    assert error.retry_after is None


@pytest.mark.parametrize("status", [400, 401, 403, 404, 418, 429, 500, 502, 503])
def test_a_refusal_has_its_status_and_quotes_the_body(start_venue, open_to, status):
    body = '{"code":1,\n "reason":"no"}'
    error = refusal(
        start_venue,
        open_to,
        f"HTTP/1.1 {status} No\r\nContent-Length: {len(body)}\r\n\r\n{body}",
    )
    assert error.status == status
    assert error.retry_after is None
    assert f"(HTTP {status})" in str(error)
    assert str(error).endswith('{"code":1, "reason":"no"}')


def test_a_refusal_does_not_quote_the_listen_key(start_venue, open_to):
    error = refusal(
        start_venue, open_to, f"HTTP/1.1 401 No\r\nX-Key: {KEY}\r\n\r\nkey {KEY} has expired"
    )
    assert "key •••• has expired" in str(error)


def test_a_long_body_is_cut(start_venue, open_to):
    body = "<html>" + "x" * 100_000
    error = refusal(
        start_venue, open_to, f"HTTP/1.1 500 No\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )
    assert error.status == 500
    assert len(str(error)) < 350


def test_a_refusal_whose_body_never_comes_is_told_all_the_same(start_venue, open_to):
    done = threading.Event()

    def script(peer):
        peer.read_request()
        peer.send(b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 5\r\n\r\n")
        done.wait(PATIENCE)

    with pytest.raises(HandshakeError) as caught:
        open_to(start_venue(script))
    done.set()
    assert (caught.value.status, caught.value.retry_after) == (429, 7.0)
    assert "asks to wait 7 s" in str(caught.value)


def test_a_redirect_is_not_followed_and_names_the_host_alone(start_venue, open_to):
    error = refusal(
        start_venue,
        open_to,
        f"HTTP/1.1 302 Found\r\nLocation: wss://user:pw@other.example/ws?listen_key={KEY}\r\n\r\n",
    )
    assert error.status == 302
    assert "redirects to other.example (HTTP 302)" in str(error)
    assert "pw" not in str(error)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("SSH-2.0-OpenSSH_9.6\r\n\r\n", "did not answer in HTTP"),
        ("HTTP/1.1 101 Hm\r\nUpgrade: h2c\r\n\r\n", "not as a WebSocket server does"),
        ("HTTP/1.1 101 Hm\r\nbroken header\r\n\r\n", "not as a WebSocket server does"),
        (
            (
                "HTTP/1.1 101 Hm\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Accept: wrong\r\n\r\n"
            ),
            "not as a WebSocket server does",
        ),
        ("HTTP/1.1 200 OK\r\n\r\nhello", "refused the connection (HTTP 200): hello"),
        ("HTTP/1.1 302 Found\r\n\r\n", "redirects to the same host"),
        ("HTTP/1.1 302 Found\r\nLocation: wss://[oops/\r\n\r\n", "redirects to an address that"),
        ("HTTP/1.1 101 " + "x" * 40_000, "an answer without an end within 32768 bytes"),
    ],
)
def test_an_answer_that_is_no_websocket_says_so(start_venue, open_to, text, says):
    assert says in str(refusal(start_venue, open_to, text))


def test_a_venue_that_hangs_up_in_the_handshake_is_a_connect_error(start_venue, open_to):
    with pytest.raises(ConnectError, match="ended the connection during the WebSocket handshake"):
        open_to(start_venue(lambda peer: peer.read_request()))


def test_a_venue_that_never_answers_is_given_up_at_the_deadline(start_venue, open_to):
    done = threading.Event()

    def script(peer):
        peer.read_request()
        done.wait(PATIENCE)

    with pytest.raises(ConnectError, match=r"did not answer the WebSocket handshake within 2 s"):
        open_to(start_venue(script), timeout=2.0)
    done.set()


def test_a_dribbled_answer_does_not_stretch_the_deadline(start_venue, open_to):
    done = threading.Event()

    def script(peer):
        peer.read_request()
        for byte in b"HTTP/1.1 101 Switching Protocols\r\n" + b"X: y\r\n" * 2000:
            peer.send(bytes([byte]))
            if done.wait(0.05):
                break

    # The dribble would last longer than the test may.
    with pytest.raises(ConnectError, match=r"within 0\.5 s"):
        open_to(start_venue(script), timeout=0.5)
    done.set()


def test_the_query_is_hidden_raw_and_decoded():
    url = "wss://h/?listen_key=abc%2Fdef%2Bghi&short=1"
    assert hide_query("abc%2Fdef%2Bghi, abc/def+ghi and 1", url) == "••••, •••• and 1"
