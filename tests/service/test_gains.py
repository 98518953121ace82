"""What a program gains by the change: the table in docs/api.md, a test for each line."""

from __future__ import annotations

import itertools
import json
import re
import threading
import time
from pathlib import Path

import pytest
from script import wait_for

from qehost import FillMessage, OrderMessage
from qehost.errors import ConnectError, DecodeError

DOCS = Path(__file__).parents[2] / "docs" / "api.md"
DIGITS = 1_720_000_000_123_456_789


ids = itertools.count(1)


def push(venue, data, kind="order_data", message_id=""):
    if not isinstance(data, str) and data is not None:
        data = json.dumps(data)
    outer = {"type": kind, "messageId": message_id or f"m-{next(ids)}", "userId": "u"}
    text = json.dumps(outer | {"data": data})
    # A client may know that it is connected before the venue does.
    wait_for(lambda: venue.push(text), "an open stream")


def order(**fields):
    """A V2 child order that no other test knows of."""
    number = next(ids)
    return {"orderId": f"x-{number}", "masterOrderId": f"mo-{number}", "symbol": "BTC"} | fields


@pytest.mark.parametrize("how", ["close", "end", "reset"])
def test_the_connection_is_opened_again_after_a(how, connected, calls, market):
    market.drop(how)
    calls.wait("on_connected")
    assert calls.names() == ["on_disconnected", "on_connected"]
    push(market, "again", "status")
    assert calls.wait("on_status") == ["again"]


def test_what_happened_in_between_is_read_over_rest(connected, calls, market):
    market.step(5)
    calls.wait("on_raw_message", 5)
    market.step(20, push=False)
    market.drop("reset")
    calls.wait("on_connected")
    expected = {}
    for sent in market.sent:
        outer = json.loads(sent.text)
        if outer["type"] == "master_data":
            order = json.loads(outer["data"])
            expected[order["masterOrderId"]] = order["status"]
    wait_for(lambda: {m.master_order_id: m.status for m in calls.of("on_master_order")} == expected)


def test_a_handler_that_blocks_for_longer_than_the_pong_timeout_costs_no_heartbeat(
    service, calls, venue
):
    release = threading.Event()
    calls.react["on_status"] = lambda _: release.wait(30)
    service.set_ping_interval(0.1).set_pong_timeout(0.3)
    service.connect()
    calls.wait("on_connected")
    before = venue.connections
    push(venue, "blocks", "status")
    calls.wait("on_status")
    until = time.monotonic() + 1.2
    while time.monotonic() < until:
        assert service.is_connected()
        time.sleep(0.05)
    push(venue, "came meanwhile", "status")
    release.set()
    assert calls.wait("on_status", 2) == ["blocks", "came meanwhile"]
    assert venue.connections == before
    assert "on_disconnected" not in calls.names()


def test_a_silent_connection_is_noticed_also_while_a_handler_blocks(service, calls, venue):
    release = threading.Event()
    calls.react["on_status"] = lambda _: release.wait(30)
    service.set_ping_interval(0.1).set_pong_timeout(0.3)
    service.connect()
    calls.wait("on_connected")
    push(venue, "blocks", "status")
    calls.wait("on_status")
    (silent,) = venue.connections
    venue.inject("silence")
    wait_for(lambda: venue.connections and silent not in venue.connections, "a new connection")
    release.set()
    calls.wait("on_connected", 2)


V1_FILL = {
    "type": "fill",
    "master_order_id": "mo",
    "order_id": "x",
    "symbol": "BTCUSDT",
    "category": "spot",
    "side": "buy",
    "fill_price": 100.5,
    "filled_qty": 0.25,
    "fill_time": 1_720_000_000_123,
    "timestamp": 1_720_000_000_124,
}


@pytest.mark.parametrize("kind", ["order_data", "data"])
def test_a_v1_fill_reaches_on_fill(kind, connected, calls, market):
    fill = V1_FILL | {"order_id": f"x-{kind}"}
    push(market, fill, kind)
    assert calls.wait("on_fill") == [FillMessage(**fill)]
    assert not calls.of("on_order")


def test_v2_pushes_no_fills_and_on_fill_is_called_all_the_same(connected, calls, market):
    placed = order()
    push(market, placed | {"filledQuantity": "0.1", "filledNotional": "10"})
    push(market, placed | {"filledQuantity": "0.3", "filledNotional": "32"})
    first, second = calls.wait("on_fill", 2)
    assert (first.filled_qty, first.fill_price) == (0.1, 100.0)
    assert (second.filled_qty, second.fill_price) == (0.2, 110.0)


def test_an_integer_of_19_digits_keeps_them_all(connected, calls, market):
    push(market, order(orderCreatedTime=str(DIGITS)))
    push(market, {"type": "order", "order_id": DIGITS, "timestamp": DIGITS})
    first, second = calls.wait("on_order", 2)
    assert first.created_time == DIGITS
    assert (second.order_id, second.timestamp) == (str(DIGITS), DIGITS)


@pytest.mark.parametrize("data", [None, "null"])
def test_null_in_place_of_an_order_is_an_error_and_no_order(data, connected, calls, market):
    push(market, data)
    (error,) = calls.wait("on_error")
    assert isinstance(error, DecodeError)
    assert "null" in error.raw
    assert not calls.of("on_order")


def test_null_in_place_of_a_message_is_an_error_and_the_next_one_comes(connected, calls, market):
    market.push("null")
    push(market, order())
    calls.wait("on_order")
    assert isinstance(calls.of("on_error")[0], DecodeError)


def test_null_in_a_field_is_what_the_documentation_says_of_a_missing_one(connected, calls, market):
    push(market, order(price=None, symbol=None, orderCreatedTime=None))
    (told,) = calls.wait("on_order")
    assert (told.price, told.symbol, told.created_time) == (0.0, "", 0)


def test_a_number_that_cannot_be_read_is_an_error_and_not_0(connected, calls, market):
    push(market, order(price="12,5"))
    (error,) = calls.wait("on_error")
    assert isinstance(error, DecodeError)
    assert "12,5" in error.raw
    assert not calls.of("on_order")


def test_a_message_that_comes_twice_is_handled_once(connected, calls, market):
    for number in "112":
        push(market, number, "status", f"twice-{number}")
    assert calls.wait("on_status", 2) == ["1", "2"]


def test_quantity_remaining_is_filled_in_for_v2(connected, calls, market):
    push(market, order(quantity="0.3", filledQuantity="0.1"))
    (told,) = calls.wait("on_order")
    assert isinstance(told, OrderMessage)
    assert told.quantity_remaining == 0.2


def test_a_listen_key_that_ends_is_replaced(service, calls, venue):
    service.connect(venue.new_listen_key())
    calls.wait("on_connected")
    venue.inject("expire-key")
    calls.wait("on_connected", 2)
    push(venue, "with the next key", "status")
    calls.wait("on_status")


def test_no_connection_is_an_error_that_says_what_the_documentation_looks_for(service_of, calls):
    service_of(None, calls, base_url="ws://127.0.0.1:9").connect("key")
    errors = calls.wait("on_error", 2)
    assert isinstance(errors[0], ConnectError)
    assert "connection refused" in str(errors[0]).lower()


def test_every_line_of_the_table_names_a_test_that_exists() -> None:
    text = DOCS.read_text(encoding="utf-8")
    table = text.partition("## What a program gains")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 10
    tests = "".join(
        file.read_text(encoding="utf-8") for file in Path(__file__).parent.glob("test_*.py")
    )
    for row in rows:
        names = re.findall(r"`(test_\w+)`", row)
        assert names, row
        for name in names:
            assert f"def {name}(" in tests, name
