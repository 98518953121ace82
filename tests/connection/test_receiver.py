"""From the frames of one read to events, in their order."""

from __future__ import annotations

import json

import pytest

from qehost.connection.frames import Item, Ping, Pong
from qehost.connection.receiver import Receiver
from qehost.events.codec import Record, expand
from qehost.events.pipeline import Pipeline
from qehost.messages import AnyEvent

AT = 1_790_000_000 * 10**9


class Received:
    """A receiver and the events of what it took."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.receiver = Receiver(Pipeline("main"), self.records.extend)

    def take(self, *items: Item) -> list[AnyEvent]:
        known = len(self.records)
        self.has_message = self.receiver.take(items, AT)
        return expand(self.records[known:])


@pytest.fixture
def received() -> Received:
    return Received()


def status(number: int) -> str:
    return json.dumps({"type": "status", "messageId": f"s-{number}", "data": f"status {number} ü"})


def test_a_binary_message_with_json_is_a_message(received: Received) -> None:
    [event] = received.take(status(1).encode())
    assert event.kind == "status"
    assert event.message_id == "s-1"
    assert received.has_message
    assert received.receiver.last_message == AT / 1e9


def test_all_items_of_one_read_keep_their_order(received: Received) -> None:
    events = received.take(
        status(1), b"\xff\xfe", Pong(b""), status(2).encode(), "{", Ping(b""), status(3), b"no JSON"
    )
    assert [(event.kind, event.message_id) for event in events] == [
        ("status", "s-1"),
        ("error", ""),
        ("status", "s-2"),
        ("error", ""),
        ("status", "s-3"),
        ("error", ""),
    ]
    assert [event.seq for event in events] == list(range(1, 7))
    assert [event.raw for event in events if event.kind == "error"] == [
        "\\xff\\xfe",
        "{",
        "no JSON",
    ]


def test_a_data_message_with_plain_text_is_no_error(received: Received) -> None:
    [event] = received.take('{"type": "data", "messageId": "d-1", "data": "plain text"}')
    assert (event.kind, event.message_id) == ("unknown", "d-1")
    assert received.has_message


@pytest.mark.parametrize("pong", [Pong(b""), "pong", b"pong"])
def test_a_pong_of_either_kind_is_a_sign_of_life_and_no_message(
    received: Received, pong: Item
) -> None:
    assert received.take(pong) == []
    assert not received.has_message
    assert received.receiver.last_pong == AT / 1e9
    assert received.receiver.last_message == 0


@pytest.mark.parametrize("item", ["", '"half a surrogate pair: \\ud800"', b"\xed\xa0\x80"])
def test_no_text_that_can_come_raises(received: Received, item: Item) -> None:
    assert all(event.kind == "error" for event in received.take(item))
