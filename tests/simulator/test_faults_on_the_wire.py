"""Each fault, as a client sees it."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import urllib3
import websocket

from qehost.simulator import Venue

ABNF = websocket.ABNF
StartVenue = Callable[..., Venue]
Connect = Callable[..., websocket.WebSocket]
MASTERS = "/user/trading/v2/master-orders"


def raw(stream: websocket.WebSocket, size: int) -> bytes:
    """The next bytes, past the library."""
    data = b""
    while len(data) < size:
        more = stream.sock.recv(size - len(data))
        if not more:
            break
        data += more
    return data


def ids(stream: websocket.WebSocket, count: int) -> list[int]:
    """The numbers at the end of the next messages' ids."""
    received = [json.loads(stream.recv())["messageId"] for _ in range(count)]
    return [int(each.rpartition("-")[2]) for each in received]


# --- streams: by time, by chance, on demand --------------------------------------------------


def test_drop(venue: Venue, connect: Connect) -> None:
    stream = connect(venue)

    venue.inject("drop")

    assert stream.recv_data() == (ABNF.OPCODE_CLOSE, (1001).to_bytes(2, "big") + b"going away")
    assert raw(stream, 1) == b""


def test_end(venue: Venue, connect: Connect) -> None:
    stream = connect(venue)

    venue.inject("end")

    assert raw(stream, 1) == b""


def test_reset(venue: Venue, connect: Connect) -> None:
    stream = connect(venue)

    venue.inject("reset")

    with pytest.raises(ConnectionResetError):
        raw(stream, 1)


def test_silence(venue: Venue, connect: Connect) -> None:
    stream = connect(venue)

    venue.inject("silence")
    stream.ping("?")
    venue.push("unheard")

    stream.settimeout(0.2)
    with pytest.raises(websocket.WebSocketTimeoutException):
        stream.recv()
    assert venue.sent[-1].reached == 0


def test_torn(venue: Venue, connect: Connect) -> None:
    stream = connect(venue)

    venue.inject("torn")

    data = raw(stream, 1000)
    assert data[0] == 0x81
    assert 2 < len(data) < 2 + data[1]


def test_reserved(venue: Venue, connect: Connect) -> None:
    stream = connect(venue)

    venue.inject("reserved")

    with pytest.raises(websocket.WebSocketProtocolException, match="rsv"):
        stream.recv()


def test_opcode(venue: Venue, connect: Connect) -> None:
    stream = connect(venue)

    venue.inject("opcode")

    with pytest.raises(websocket.WebSocketProtocolException, match="opcode"):
        stream.recv()


def test_oversized(venue: Venue, connect: Connect) -> None:
    stream = connect(venue)

    venue.inject("oversized")

    assert raw(stream, 10) == b"\x81\x7f" + (1 << 40).to_bytes(8, "big")


def test_invalid_utf8(venue: Venue, connect: Connect) -> None:
    stream = connect(venue, skip_utf8_validation=True)

    venue.inject("invalid-utf8")

    opcode, data = stream.recv_data()
    assert opcode == ABNF.OPCODE_TEXT
    with pytest.raises(UnicodeDecodeError):
        data.decode()


def test_takeover(venue: Venue, connect: Connect) -> None:
    key = venue.new_listen_key()
    stream = connect(venue, key)

    venue.inject("takeover")

    assert stream.recv_data()[1].endswith(b"listen key replaced")
    assert venue.accounts[0].listen_key not in ("", key)


def test_a_fault_of_streams_counts_from_the_opening_of_each(
    start_venue: StartVenue, connect: Connect
) -> None:
    venue = start_venue(faults=["drop=300ms"])
    key = venue.new_listen_key()

    for _ in range(2):
        begun = time.monotonic()
        stream = connect(venue, key)
        assert stream.recv_data()[0] == ABNF.OPCODE_CLOSE
        assert time.monotonic() - begun > 0.25


def test_a_fault_of_streams_can_go_by_the_message(
    start_venue: StartVenue, connect: Connect
) -> None:
    venue = start_venue(faults=["drop=50%"])
    stream = connect(venue)

    venue.step(50)

    received = 0
    while stream.recv_data()[0] == ABNF.OPCODE_TEXT:
        received += 1
    assert 1 <= received < 50


# --- messages ----------------------------------------------------------------------------------


def test_duplicate(venue: Venue, connect: Connect) -> None:
    stream = connect(venue)

    venue.inject("duplicate")
    venue.step(2)

    assert ids(stream, 3) == [1, 1, 2]


def test_reorder(venue: Venue, connect: Connect) -> None:
    stream = connect(venue)

    venue.inject("reorder")
    venue.step(3)

    assert ids(stream, 3) == [2, 1, 3]


def test_a_message_that_nothing_overtakes_comes_all_the_same(
    venue: Venue, connect: Connect
) -> None:
    stream = connect(venue)

    venue.inject("reorder")
    venue.step()

    assert ids(stream, 1) == [1]


def test_gap(venue: Venue, connect: Connect, client: Any) -> None:
    stream = connect(venue)
    venue.step()

    venue.inject("gap", times=2)
    hidden = venue.step(2)
    venue.step()

    assert ids(stream, 2) == [1, 4]
    for update in hidden:
        client.ok("GET", f"{MASTERS}/{update.subject.master_order_id}")


def test_fragmented(venue: Venue, connect: Connect) -> None:
    stream = connect(venue)
    text = '{"data":"grüße grüße grüße"}'

    venue.inject("fragmented")
    venue.push(text)

    frames = [stream.recv_frame() for _ in range(4)]
    assert [(frame.opcode, frame.fin) for frame in frames] == [
        *((ABNF.OPCODE_TEXT, 0), (ABNF.OPCODE_PING, 1)),
        *((ABNF.OPCODE_CONT, 0), (ABNF.OPCODE_CONT, 1)),
    ]
    joined = b"".join(frame.data for frame in frames if frame.opcode != ABNF.OPCODE_PING)
    assert joined.decode() == text


def test_dribble(venue: Venue, connect: Connect) -> None:
    stream = connect(venue)
    begun = time.monotonic()

    venue.inject("dribble")
    venue.push("x" * 200)

    assert stream.recv() == "x" * 200
    assert time.monotonic() - begun > 0.2


# --- handshakes and REST -----------------------------------------------------------------------


def test_close_at_open(start_venue: StartVenue) -> None:
    venue = start_venue(faults=["close-at-open"])
    url = f"{venue.ws_url}/api/ws/v2?listen_key={venue.new_listen_key()}"

    stream = websocket.create_connection(url, timeout=10)

    assert stream.recv_data()[0] == ABNF.OPCODE_CLOSE
    stream.shutdown()


def test_refuse_key(venue: Venue) -> None:
    url = f"{venue.ws_url}/api/ws/v2?listen_key={venue.new_listen_key()}"

    venue.inject("refuse-key")

    for _ in range(2):
        with pytest.raises(websocket.WebSocketBadStatusException) as caught:
            websocket.create_connection(url, timeout=10)
        assert json.loads(caught.value.resp_body)["reason"] == "LISTEN_KEY_INVALID"


@pytest.mark.parametrize("status", [401, 404, 418, 429, 500, 503])
def test_http_errors(venue: Venue, client: Any, connect: Connect, status: int) -> None:
    key = venue.new_listen_key()

    venue.inject(f"http-{status}")
    with pytest.raises(websocket.WebSocketBadStatusException) as caught:
        connect(venue, key)
    reply = client.pool.request("GET", venue.rest_url + "/ping")

    wait = "1" if status in (418, 429, 503) else None
    assert caught.value.status_code == status
    assert (caught.value.resp_headers or {}).get("retry-after") == wait
    assert (reply.status, reply.headers.get("Retry-After")) == (status, wait)
    assert reply.json()["code"] == status
    connect(venue, key)
    client.ok("GET", MASTERS)


def test_hang(venue: Venue, connect: Connect) -> None:
    venue.inject("http-hang")

    with pytest.raises(websocket.WebSocketTimeoutException):
        websocket.create_connection(f"{venue.ws_url}/api/ws/v2?listen_key=x", timeout=0.2)
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        urllib3.request("GET", venue.rest_url + "/ping", timeout=0.2, retries=False)

    assert [each.status for each in venue.requests] == [0, 0]
    connect(venue)


# --- the venue as a whole ----------------------------------------------------------------------


def test_expire_key(start_venue: StartVenue, client_of: Any, connect: Connect) -> None:
    venue = start_venue(faults=["expire-key=1s"])
    reply = client_of(venue).ok("POST", "/user/trading/v2/listen-key")

    stream = connect(venue, reply["listenKey"])

    assert abs(int(reply["expireAt"]) - venue.now_ms() / 1000) < 5
    assert stream.recv_data()[1].endswith(b"listen key expired")


def test_expire_key_on_demand(venue: Venue, connect: Connect) -> None:
    stream = connect(venue)

    venue.inject("expire-key")

    assert stream.recv_data()[1].endswith(b"listen key expired")


def test_keep_old(start_venue: StartVenue, connect: Connect) -> None:
    venue = start_venue(faults=["keep-old"])
    old = connect(venue)

    new = connect(venue, venue.new_listen_key())
    venue.push("both")

    assert [old.recv(), new.recv()] == ["both", "both"]


@pytest.mark.parametrize("offset", ["+90s", "-90s"])
def test_clock(venue: Venue, client: Any, offset: str) -> None:
    here = venue.now_ms()

    venue.inject(f"clock={offset}")

    time_there = client.pool.request("GET", venue.rest_url + "/timestamp").json()
    there = int(time_there["message"]["serverTimeMilli"])
    assert abs(there - here - int(offset[:-1]) * 1000) < 30_000
    status, refusal = client.call("GET", MASTERS, timestamp=here)
    assert (status, refusal["reason"].partition("_")[0]) == (401, "TIMESTAMP")
    client.ok("GET", MASTERS, {"timestamp": there})


def test_slow_write(start_venue: StartVenue, connect: Connect) -> None:
    venue = start_venue(faults=["slow-write=100ms"])
    stream = connect(venue)
    begun = time.monotonic()

    for number in range(3):
        venue.push(str(number))
        assert stream.recv() == str(number)

    assert time.monotonic() - begun > 0.25


def test_random_faults_cost_a_patient_client_nothing_but_patience(
    start_venue: StartVenue, client_of: Any
) -> None:
    venue = start_venue(faults=["random=5,20ms"], rate=300, seed=2)
    deadline = time.monotonic() + 30
    received: set[str] = set()

    while len(received) < 100 and time.monotonic() < deadline:
        url = f"{venue.ws_url}/api/ws/v2?listen_key={venue.new_listen_key()}"
        with contextlib.suppress(OSError, ValueError, websocket.WebSocketException):
            stream = websocket.create_connection(url, timeout=0.3)
            try:
                while True:
                    received.add(json.loads(stream.recv())["messageId"])
            finally:
                stream.shutdown()

    assert len(received) >= 100
    assert received - {""} <= {each.message_id for each in venue.sent}
