"""The stream, over real sockets: handshake, listen keys, heartbeats, slow clients."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable

import pytest
import websocket
from streams import drain
from waiting import PATIENCE, wait_for

from qehost.messages import OrderDetail
from qehost.simulator import Venue

Connect = Callable[..., websocket.WebSocket]


def test_a_pushed_text_arrives_as_it_is(venue: Venue, connect: Connect) -> None:
    stream = connect(venue)

    reached = venue.push('{"type":"status","messageId":"7","userId":"u","data":"grüß"}')

    assert reached == 1
    assert stream.recv() == venue.sent[-1].text
    assert venue.sent[-1].message_id == "7"


def test_the_market_is_not_faster_than_its_rate(
    start_venue: Callable[..., Venue], connect: Connect
) -> None:
    venue = start_venue(rate=2000)
    stream = connect(venue, skip_utf8_validation=True)
    begun = time.monotonic()

    for _ in range(2000):
        stream.recv_data()

    assert time.monotonic() - begun > 0.3


def test_amend(venue: Venue) -> None:
    venue.step(40)
    known = {each.order_id for each in venue.accounts[0].history.order_fills({}, None, None)}

    venue.inject("amend")
    [update] = venue.step()

    assert isinstance(update.subject, OrderDetail)
    assert update.subject.order_id not in known
    history = venue.accounts[0].history.order_fills({}, None, None)
    assert len({each.order_id for each in history}) == len({each.id for each in history})


def test_resting(venue: Venue) -> None:
    venue.inject("resting=10h")
    venue.step(2000)

    orders = venue.accounts[0].history.order_fills({}, None, None)
    masters = venue.accounts[0].history.master_orders({}, None, None)
    first = min(each.master_order_id for each in masters)
    assert [each.status for each in orders if each.master_order_id == first].count("PLACED") >= 3


def test_users_have_streams_of_their_own(
    start_venue: Callable[..., Venue], connect: Connect
) -> None:
    venue = start_venue(accounts=2)
    streams = [connect(venue, venue.new_listen_key(account)) for account in (0, 1)]

    for account in (1, 0):
        venue.step(account=account)

    assert [json.loads(stream.recv())["userId"] for stream in streams] == ["user-1", "user-2"]


def test_a_venue_that_stops_leaves_nothing_behind(connect: Connect) -> None:
    before = set(threading.enumerate())
    with Venue(rate=100) as venue:
        stream = connect(venue)
        address = venue.ws_url
        with pytest.raises(TimeoutError):
            venue.wait_connected(2, timeout=0.01)

    # Its thread may have said that it is through, and not be.
    wait_for(lambda: set(threading.enumerate()) <= before, "the threads to end")
    with pytest.raises((OSError, websocket.WebSocketException)):
        drain(stream)
    with pytest.raises(OSError, match="refused"):
        websocket.create_connection(f"{address}/api/ws/v2?listen_key=x", timeout=PATIENCE)
