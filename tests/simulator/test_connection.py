"""One stream: frames both ways, and its ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import websocket
from streams import drain
from waiting import PATIENCE, wait_for

from qehost.simulator import Venue
from qehost.simulator import connection as connection_module

StartVenue = Callable[..., Venue]
Connect = Callable[..., websocket.WebSocket]


def test_slow_write(start_venue: StartVenue, connect: Connect) -> None:
    venue = start_venue(faults=["slow-write=100ms"])
    stream = connect(venue)
    begun = time.monotonic()

    for number in range(3):
        venue.push(str(number))
        assert stream.recv() == str(number)

    assert time.monotonic() - begun > 0.25


Connect = Callable[..., websocket.WebSocket]


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
    wait_for(lambda: not venue.connections)


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
    wait_for(lambda: not venue.connections)


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
        wait_for(lambda: its_connection.waiting < 200_000)
    venue.push("end")
    reader.join(PATIENCE)

    assert received == 400
    assert len(venue.connections) == 1
    with pytest.raises((ConnectionResetError, websocket.WebSocketConnectionClosedException)):
        drain(slow)
