"""Streams of the local venue, as a client of the library has them."""

from __future__ import annotations

import json

import pytest
import websocket
from waiting import PATIENCE

from qehost.simulator import Venue

__all__ = ["drain", "ids", "raw", "refused"]


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


def drain(stream: websocket.WebSocket) -> None:
    """Reads to the end of the stream, which raises."""
    while True:
        stream.recv()


def refused(venue: Venue, path: str) -> websocket.WebSocketBadStatusException:
    """The refusal of a handshake."""
    with pytest.raises(websocket.WebSocketBadStatusException) as caught:
        websocket.create_connection(venue.ws_url + path, timeout=PATIENCE)
    return caught.value
