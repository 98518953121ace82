"""What a program gains by the change: the table in docs/api.md, a test for each line."""

from __future__ import annotations

import itertools
import json
import threading
from decimal import Decimal

import pytest
from frames import Frames
from waiting import PATIENCE, wait_for
from websocket import ABNF

from qehost import FillMessage, OrderMessage
from qehost.errors import ConnectError, ConnectionLost, DecodeError
from qehost.messages import OrderDetail
from qehost.simulator.orders import OrderUpdate, rfc3339

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
    assert calls.names() == ["on_disconnected", "on_error", "on_connected"]
    [lost] = calls.of("on_error")
    assert isinstance(lost, ConnectionLost)
    assert lost.close_code == (1000 if how == "close" else 1006)
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
    calls.react["on_status"] = lambda _: release.wait(PATIENCE)
    service.set_ping_interval(0.2).set_pong_timeout(4)
    service.connect()
    calls.wait("on_connected")
    before = venue.connections
    push(venue, "blocks", "status")
    calls.wait("on_status")
    frames = Frames(before[0])
    wait_for(lambda: frames.count[ABNF.OPCODE_PING] >= (0.2 + 4) / 0.2 + 5, "heartbeats")
    assert service.is_connected()
    push(venue, "came meanwhile", "status")
    release.set()
    assert calls.wait("on_status", 2) == ["blocks", "came meanwhile"]
    assert venue.connections == before
    assert "on_disconnected" not in calls.names()


def test_a_silent_connection_is_noticed_also_while_a_handler_blocks(service, calls, venue):
    release = threading.Event()
    calls.react["on_status"] = lambda _: release.wait(PATIENCE)
    service.set_ping_interval(0.2).set_pong_timeout(2)
    service.connect()
    calls.wait("on_connected")
    push(venue, "blocks", "status")
    calls.wait("on_status")
    (silent,) = venue.connections
    venue.inject("silence")
    wait_for(lambda: venue.connections and silent not in venue.connections, "a new connection")
    release.set()
    calls.wait("on_connected", 2)
    [lost] = calls.of("on_error")
    assert isinstance(lost, ConnectionLost)
    assert "the venue is silent: nothing came for 2.2 s" in str(lost)


def test_a_program_without_a_state_folder_books_no_fill_twice_over_its_restart(
    service_of, api, calls, venue
):
    """60 are filled before it begins, 65 while it runs, 70 while it is away, then 75."""
    [update] = venue.step()
    master = {"masterOrderId": update.subject.master_order_id}
    made = rfc3339(venue.now_ms() - 60_000)

    def state(filled: int) -> OrderUpdate:
        return OrderUpdate(
            OrderDetail(
                id="77",
                order_id="x77",
                master_order_id=master["masterOrderId"],
                status="PLACED",
                quantity=Decimal(100),
                filled_quantity=Decimal(filled),
                average_price=Decimal(3),
                created_at=made,
                updated_at=rfc3339(venue.now_ms()),
            )
        )

    venue.publish(state(60))
    for before, later in ((60, 65), (70, 75)):
        venue.publish(state(before), push=False)
        service = service_of(api, calls)
        service.connect()
        calls.wait("on_order", 1 if before == 60 else 3)
        venue.wait_connected()
        venue.publish(state(later))
        calls.wait("on_fill", 1 if before == 60 else 2)
        service.close()
        wait_for(lambda: not venue.connections, "the end of the stream")
    assert [order.cum_filled_qty for order in calls.of("on_order")] == [60, 65, 70, 75]
    assert [fill.filled_qty for fill in calls.of("on_fill")] == [5, 5]
    assert calls.names()[:3] == ["on_master_order", "on_order", "on_connected"]


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


def test_an_id_of_19_digits_keeps_them_all_and_a_time_in_ns_is_told_in_ms(connected, calls, market):
    push(market, order(orderCreatedTime=str(DIGITS)))
    push(market, {"type": "order", "order_id": DIGITS, "timestamp": DIGITS})
    first, second = calls.wait("on_order", 2)
    assert first.created_time == DIGITS // 10**6
    assert (second.order_id, second.timestamp) == (str(DIGITS), DIGITS // 10**6)


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


def test_a_number_that_cannot_be_read_is_an_error_and_costs_that_number_alone(
    connected, calls, market
):
    push(market, order(price="12,5", quantity="7"))
    (error,) = calls.wait("on_error")
    assert isinstance(error, DecodeError)
    assert "price" in str(error)
    assert "12,5" in error.raw
    (told,) = calls.wait("on_order")
    assert (told.price, told.quantity) == (0.0, 7.0)


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
    service.connect()
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
