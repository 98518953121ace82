"""Who is reached, in which form and order, and when a stream ends."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import websocket
from streams import ids, refused
from waiting import PATIENCE

from qehost.simulator import Venue

ABNF = websocket.ABNF
StartVenue = Callable[..., Venue]
Connect = Callable[..., websocket.WebSocket]
MASTERS = "/user/trading/v2/master-orders"


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


def test_restart(venue: Venue, connect: Connect) -> None:
    key = venue.new_listen_key()
    stream = connect(venue, key)
    venue.step(3)
    before = [each.message_id for each in venue.sent]

    venue.inject("restart")

    assert ids(stream, 3) == [1, 2, 3]
    with pytest.raises(websocket.WebSocketConnectionClosedException):
        stream.recv()
    again = connect(venue, key)
    venue.step(3)
    assert ids(again, 3) == [1, 2, 3]
    assert [each.message_id for each in venue.sent] == before * 2
    assert len({each.text for each in venue.sent}) == 6


def test_a_restart_comes_again_and_again(start_venue: StartVenue, connect: Connect) -> None:
    venue = start_venue(faults=["restart=300ms"])

    for _ in range(2):
        stream = connect(venue)
        with pytest.raises(websocket.WebSocketConnectionClosedException):
            stream.recv()
        # However many there were by now.
        venue.step(2)
        assert [int(sent.message_id.rpartition("-")[2]) for sent in venue.sent[-2:]] == [1, 2]


def test_gap(venue: Venue, connect: Connect, client: Any) -> None:
    stream = connect(venue)
    venue.step()

    venue.inject("gap", times=2)
    hidden = venue.step(2)
    venue.step()

    assert ids(stream, 2) == [1, 4]
    for update in hidden:
        client.ok("GET", f"{MASTERS}/{update.subject.master_order_id}")


# --- handshakes and REST -----------------------------------------------------------------------


def test_close_at_open(start_venue: StartVenue) -> None:
    venue = start_venue(faults=["close-at-open"])
    url = f"{venue.ws_url}/api/ws/v2?listen_key={venue.new_listen_key()}"

    stream = websocket.create_connection(url, timeout=PATIENCE)

    assert stream.recv_data()[0] == ABNF.OPCODE_CLOSE
    stream.shutdown()


# --- the venue as a whole ----------------------------------------------------------------------


def test_expire_key(start_venue: StartVenue, client_of: Any, connect: Connect) -> None:
    now = [1_800_000_000.0]
    venue = start_venue(faults=["expire-key=5s"], clock=lambda: now[0])
    reply = client_of(venue).ok("POST", "/user/trading/v2/listen-key")

    stream = connect(venue, reply["listenKey"])
    now[0] += 6

    assert int(reply["expireAt"]) == 1_800_000_005
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


Connect = Callable[..., websocket.WebSocket]


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


def test_a_listen_key_that_expires_ends_its_stream(
    start_venue: StartVenue, connect: Connect
) -> None:
    now = [1_800_000_000.0]
    venue = start_venue(clock=lambda: now[0])
    key = venue.new_listen_key(lifetime=0.5)
    stream = connect(venue, key)

    now[0] += 1
    _, payload = stream.recv_data()

    assert payload.endswith(b"listen key expired")
    assert refused(venue, f"/api/ws/v2?listen_key={key}").status_code == 401


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
