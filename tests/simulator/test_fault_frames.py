"""Each fault of a stream or of a message, as a real client meets it on the wire."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import websocket
from streams import ids, raw

from qehost.simulator import Venue

ABNF = websocket.ABNF
Connect = Callable[..., websocket.WebSocket]


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


def test_mute(venue: Venue, connect: Connect) -> None:
    stream = connect(venue)

    venue.inject("mute")
    venue.push("unheard")
    stream.ping("?")

    assert stream.recv_data_frame(control_frame=True)[0] == ABNF.OPCODE_PONG
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


# --- messages ----------------------------------------------------------------------------------


def test_duplicate(venue: Venue, connect: Connect) -> None:
    stream = connect(venue)

    venue.inject("duplicate")
    venue.step(2)

    assert ids(stream, 3) == [1, 1, 2]


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
