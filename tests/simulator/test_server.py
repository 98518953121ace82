"""The stream, over real sockets: handshake, listen keys, heartbeats, slow clients."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import urllib3
import websocket

from qehost.simulator import Venue
from qehost.simulator import connection as connection_module

Connect = Callable[..., websocket.WebSocket]


def until(condition: Callable[[], object], timeout: float = 10.0) -> None:
    """Polls until the condition holds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.005)


def drain(stream: websocket.WebSocket) -> None:
    """Reads to the end of the stream, which raises."""
    while True:
        stream.recv()


def refused(venue: Venue, path: str) -> websocket.WebSocketBadStatusException:
    with pytest.raises(websocket.WebSocketBadStatusException) as caught:
        websocket.create_connection(venue.ws_url + path, timeout=10)
    return caught.value


def test_a_pushed_text_arrives_as_it_is(venue: Venue, connect: Connect) -> None:
    stream = connect(venue)

    reached = venue.push('{"type":"status","messageId":"7","userId":"u","data":"grüß"}')

    assert reached == 1
    assert stream.recv() == venue.sent[-1].text
    assert venue.sent[-1].message_id == "7"


@pytest.mark.parametrize("path", ["/api/ws/v2", "/strategy-api/api/ws/v2"])
def test_an_unknown_listen_key_is_refused_with_a_body(venue: Venue, path: str) -> None:
    error = refused(venue, f"{path}?listen_key=wrong")

    assert error.status_code == 401
    assert json.loads(error.resp_body)["reason"] == "LISTEN_KEY_INVALID"


@pytest.mark.parametrize(("path", "status"), [("/api/ws/v3", 404), ("/", 404)])
def test_a_stream_that_does_not_exist_is_refused(venue: Venue, path: str, status: int) -> None:
    assert refused(venue, f"{path}?listen_key={venue.new_listen_key()}").status_code == status


def test_a_new_listen_key_ends_the_stream_of_the_old_one(venue: Venue, connect: Connect) -> None:
    old_key = venue.new_listen_key()
    stream = connect(venue, old_key)

    new_key = venue.new_listen_key()

    opcode, payload = stream.recv_data()
    assert opcode == websocket.ABNF.OPCODE_CLOSE
    assert payload == (1008).to_bytes(2, "big") + b"listen key replaced"
    assert refused(venue, f"/api/ws/v2?listen_key={old_key}").status_code == 401
    connect(venue, new_key)
    venue.push("hello")


def test_a_listen_key_that_expires_ends_its_stream(venue: Venue, connect: Connect) -> None:
    key = venue.new_listen_key(lifetime=0.5)
    stream = connect(venue, key)

    _, payload = stream.recv_data()

    assert payload.endswith(b"listen key expired")
    assert refused(venue, f"/api/ws/v2?listen_key={key}").status_code == 401


def test_each_path_has_its_form(start_venue: Callable[..., Venue], connect: Connect) -> None:
    venue = start_venue()
    key = venue.new_listen_key()
    v1, v2 = connect(venue, key, path="/api/ws"), connect(venue, key, path="/api/ws/v2")

    venue.step()

    assert "master_order_id" in json.loads(json.loads(v1.recv())["data"])
    assert "masterOrderId" in json.loads(json.loads(v2.recv())["data"])


@pytest.mark.parametrize(
    ("protocol", "forms"), [("v1", {"v1"}), ("v2", {"v2"}), ("mixed", {"v1", "v2"})]
)
def test_the_protocol_option_chooses_the_form(
    start_venue: Callable[..., Venue], connect: Connect, protocol: str, forms: set[str]
) -> None:
    venue = start_venue(protocol=protocol)
    stream = connect(venue)

    venue.step(10)

    inner = [json.loads(json.loads(stream.recv())["data"]) for _ in venue.sent]
    assert {"v1" if "master_order_id" in each else "v2" for each in inner} == forms


def test_messages_are_numbered_and_arrive_in_order(venue: Venue, connect: Connect) -> None:
    stream = connect(venue)

    venue.step(500)

    received = [json.loads(stream.recv())["messageId"] for _ in range(500)]
    assert received == [each.message_id for each in venue.sent]
    assert len(set(received)) == 500


def test_only_rest_knows_of_what_is_not_pushed(venue: Venue, connect: Connect) -> None:
    stream = connect(venue)

    hidden = venue.step(5, push=False)
    shown = venue.step()

    text = stream.recv()
    assert json.loads(text)["messageId"] == venue.sent[-1].message_id
    assert [each.reached for each in venue.sent] == [0, 0, 0, 0, 0, 1]
    assert [each.update for each in venue.sent] == [*hidden, *shown]


def test_ping_frames_and_text_pings_are_answered(venue: Venue, connect: Connect) -> None:
    stream = connect(venue)

    stream.ping(b"are you there")
    stream.send("ping")

    opcode, frame = stream.recv_data_frame(control_frame=True)
    assert (opcode, frame.data) == (websocket.ABNF.OPCODE_PONG, b"are you there")
    assert stream.recv() == "pong"


def test_a_client_that_closes_gets_its_close_frame_back(venue: Venue, connect: Connect) -> None:
    stream = connect(venue)

    stream.send_close(4000, b"bye")

    assert stream.recv_data() == (websocket.ABNF.OPCODE_CLOSE, (4000).to_bytes(2, "big"))
    until(lambda: not venue.connections)


def test_a_frame_that_is_not_masked_ends_the_stream(venue: Venue, connect: Connect) -> None:
    stream = connect(venue)

    stream.sock.sendall(b"\x81\x04ping")

    _, payload = stream.recv_data()
    assert payload.startswith((1002).to_bytes(2, "big"))


@pytest.mark.parametrize(
    ("how", "ends"),
    [
        ("close", lambda stream: stream.recv_data()[1] == b"\x0f\xa1later"),
        ("end", lambda stream: stream.sock.recv(10) == b""),
    ],
)
def test_a_stream_can_be_dropped(
    venue: Venue, connect: Connect, how: Any, ends: Callable[[websocket.WebSocket], bool]
) -> None:
    stream = connect(venue)

    assert venue.drop(how, 4001, "later") == 1

    assert ends(stream)


def test_a_stream_can_be_reset(venue: Venue, connect: Connect) -> None:
    stream = connect(venue)

    venue.drop("reset")

    with pytest.raises(ConnectionResetError):
        stream.sock.recv(10)
    until(lambda: not venue.connections)


def test_a_client_that_does_not_read_loses_its_connection_and_delays_nobody(
    venue: Venue, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "OUTBOX_LIMIT", 1_000_000)
    key = venue.new_listen_key()
    slow, quick = (connect(venue, key, skip_utf8_validation=True) for _ in range(2))
    its_connection = venue.connections[1]
    received = 0

    def read() -> None:
        nonlocal received
        while quick.recv() != "end":
            received += 1

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(400):
        venue.push("x" * 50_000)
        until(lambda: its_connection.waiting < 200_000)
    venue.push("end")
    reader.join(20)

    assert received == 400
    assert len(venue.connections) == 1
    with pytest.raises((ConnectionResetError, websocket.WebSocketConnectionClosedException)):
        drain(slow)


def test_the_market_keeps_its_rate(start_venue: Callable[..., Venue], connect: Connect) -> None:
    venue = start_venue(rate=2000)
    stream = connect(venue, skip_utf8_validation=True)
    begun = time.monotonic()

    for _ in range(2000):
        stream.recv_data()

    assert 0.3 < time.monotonic() - begun < 10


def test_users_have_streams_of_their_own(
    start_venue: Callable[..., Venue], connect: Connect
) -> None:
    venue = start_venue(accounts=2)
    streams = [connect(venue, venue.new_listen_key(account)) for account in (0, 1)]

    for account in (1, 0):
        venue.step(account=account)

    assert [json.loads(stream.recv())["userId"] for stream in streams] == ["user-1", "user-2"]


def test_it_listens_on_ipv6_too(start_venue: Callable[..., Venue]) -> None:
    venue = start_venue(host="::1")

    assert venue.rest_url.startswith("http://[::1]:")
    assert urllib3.request("GET", venue.rest_url + "/ping", retries=False).status == 200


def test_requests_are_remembered(venue: Venue, connect: Connect) -> None:
    connect(venue)
    urllib3.request("GET", venue.rest_url + "/ping", retries=False)

    seen = [(each.method, each.path, each.status) for each in venue.requests]
    assert seen == [("GET", "/api/ws/v2", 101), ("GET", "/ping", 200)]


def test_a_venue_that_stops_leaves_nothing_behind(connect: Connect) -> None:
    before = threading.active_count()
    with Venue(rate=100) as venue:
        stream = connect(venue)
        address = venue.ws_url
        with pytest.raises(TimeoutError):
            venue.wait_connected(2, timeout=0.01)

    assert threading.active_count() == before
    with pytest.raises((OSError, websocket.WebSocketException)):
        drain(stream)
    with pytest.raises(OSError, match="refused"):
        websocket.create_connection(f"{address}/api/ws/v2?listen_key=x", timeout=10)
