"""When faults strike handshakes and calls."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import urllib3
import websocket
from waiting import PATIENCE, wait_for

from qehost.simulator import Venue
from qehost.simulator.fault_injector import FaultInjector
from qehost.simulator.faults import (
    parse,
)
from qehost.simulator.refusal import HangingRequest, RestRefusal

StartVenue = Callable[..., Venue]
Connect = Callable[..., websocket.WebSocket]
MASTERS = "/user/trading/v2/master-orders"


def test_refuse_key(venue: Venue) -> None:
    url = f"{venue.ws_url}/api/ws/v2?listen_key={venue.new_listen_key()}"

    venue.inject("refuse-key")

    for _ in range(2):
        with pytest.raises(websocket.WebSocketBadStatusException) as caught:
            websocket.create_connection(url, timeout=PATIENCE)
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
    timeout = urllib3.Timeout(connect=PATIENCE, read=0.2)
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        urllib3.request("GET", venue.rest_url + "/ping", timeout=timeout, retries=False)

    wait_for(lambda: [each.status for each in venue.requests] == [0, 0], "both requests")
    connect(venue)


@pytest.mark.parametrize("offset", ["+90s", "-90s"])
def test_clock(start_venue: StartVenue, client_of: Any, offset: str) -> None:
    venue = start_venue(clock=lambda: 1_800_000_000.0)
    client = client_of(venue)
    here = venue.now_ms()

    venue.inject(f"clock={offset}")

    time_there = client.pool.request("GET", venue.rest_url + "/timestamp").json()
    there = int(time_there["message"]["serverTimeMilli"])
    assert there - here == int(offset[:-1]) * 1000
    status, refusal = client.call("GET", MASTERS, timestamp=here)
    assert (status, refusal["reason"].partition("_")[0]) == (401, "TIMESTAMP")
    client.ok("GET", MASTERS, {"timestamp": there})


def test_clock_step(venue: Venue, client: Any) -> None:
    here = venue.now_ms()

    venue.inject("clock-step=+1h")
    venue.inject("clock-step=-10m")

    there = client.pool.request("GET", venue.rest_url + "/timestamp").json()["message"]
    assert abs(int(there["serverTimeMilli"]) - here - 50 * 60_000) < 30_000


def test_a_clock_is_set_forward_and_back_in_turn() -> None:
    trouble = FaultInjector([parse("clock-step=+3m,10s")], 0, 0.0)

    offsets = []
    for second in (0.0, 10.0, 15.0, 20.0, 30.0):
        assert not trouble.restarts(second)
        offsets.append(trouble.clock_offset)

    assert offsets == [0.0, 180.0, 180.0, 0.0, 180.0]


def test_expire_at_ms(venue: Venue, client: Any) -> None:
    venue.inject("expire-at-ms")

    made = client.ok("POST", "/user/trading/v2/listen-key")

    assert abs(int(made["expireAt"]) - venue.now_ms() - 86_400_000) < 60_000


def test_whole_seconds(venue: Venue, client: Any) -> None:
    venue.inject("whole-seconds")
    updates = venue.step(100)

    orders = client.ok("GET", "/user/trading/v2/order-fills", {"pageSize": 100})["items"]
    [master] = client.ok("GET", MASTERS, {"pageSize": 1})["items"]
    one = client.ok("GET", f"{MASTERS}/{master['masterOrderId']}")["masterOrder"]
    for each in (*orders, master, one):
        assert {len(each["createdAt"]), len(each["updatedAt"])} == {len("2026-11-25T02:01:00Z")}
    # The stream is as exact as ever.
    assert any("." in json.loads(json.loads(sent.text)["data"])["updatedAt"] for sent in venue.sent)
    assert len(venue.sent) == len(updates)


def test_random_faults_cost_a_patient_client_nothing_but_patience(
    start_venue: StartVenue, client_of: Any
) -> None:
    venue = start_venue(faults=["random=5,20ms"], rate=300, seed=2)
    deadline = time.monotonic() + PATIENCE
    received: set[str] = set()

    while len(received) < 100 and time.monotonic() < deadline:
        url = f"{venue.ws_url}/api/ws/v2?listen_key={venue.new_listen_key()}"
        with contextlib.suppress(OSError, ValueError, websocket.WebSocketException):
            stream = websocket.create_connection(url, timeout=1.5)
            try:
                while True:
                    received.add(json.loads(stream.recv())["messageId"])
            finally:
                stream.shutdown()

    assert len(received) >= 100
    assert received - {""} <= {each.message_id for each in venue.sent}


@pytest.mark.parametrize(
    ("answer", "retry_after"),
    [("401", None), ("404", None), ("418", 1), ("429", 1), ("500", None), ("503", 1)],
)
@pytest.mark.parametrize("scope", ["http", "rest", "handshake"])
def test_an_http_fault_meets_its_scope_alone(
    scope: str, answer: str, retry_after: int | None
) -> None:
    trouble = FaultInjector([parse(f"{scope}-{answer}=100%")], 0, 0.0)

    for name, occasion in (("rest", trouble.call), ("handshake", trouble.handshake)):
        if scope in ("http", name):
            with pytest.raises(RestRefusal) as caught:
                occasion(0.0)
            assert (caught.value.status, caught.value.retry_after) == (int(answer), retry_after)
        else:
            occasion(0.0)


def test_mixed_faults_do_not_pile_up_while_nobody_comes() -> None:
    trouble = FaultInjector([parse("random=1,1s")], 0, 0.0)

    for second in range(1000):
        for name in trouble.random(float(second)):
            trouble.inject(name)

    refusals = 0
    for _ in range(10):
        try:
            refusals += trouble.handshake(1000.0)
        except RestRefusal:
            refusals += 1
    assert refusals == 1


def test_a_request_can_be_left_hanging() -> None:
    trouble = FaultInjector([], 0, 0.0)
    trouble.inject("http-hang")

    for occasion in (trouble.call, trouble.handshake):
        with pytest.raises(HangingRequest):
            occasion(0.0)
        occasion(0.0)


@pytest.mark.parametrize("fault", ["rest-lost", "rest-delayed"])
def test_a_call_whose_answer_is_lost_is_carried_out(venue: Venue, client: Any, fault: str) -> None:
    order = _processing(venue)

    venue.inject(fault)
    with pytest.raises(urllib3.exceptions.ProtocolError):
        client.call("PUT", f"{MASTERS}/{order}/pause")

    wait_for(lambda: client.ok("GET", f"{MASTERS}/{order}")["masterOrder"]["status"] == "PAUSED")
    assert [each.status for each in venue.requests if each.method == "PUT"] == [0]


def test_a_delayed_call_is_carried_out_after_its_connection_has_ended(
    venue: Venue, client: Any
) -> None:
    order = _processing(venue)

    venue.inject("rest-delayed")
    begun = time.monotonic()
    with pytest.raises(urllib3.exceptions.ProtocolError):
        client.call("PUT", f"{MASTERS}/{order}/pause")

    wait_for(lambda: client.ok("GET", f"{MASTERS}/{order}")["masterOrder"]["status"] == "PAUSED")
    assert time.monotonic() - begun > 0.9


def test_a_late_answer_is_that_of_a_call_that_was_carried_out(venue: Venue, client: Any) -> None:
    order = _processing(venue)

    venue.inject("rest-late")
    begun = time.monotonic()
    reply = client.ok("PUT", f"{MASTERS}/{order}/pause")

    assert reply["success"]
    assert time.monotonic() - begun > 1.9


def test_an_error_may_be_the_answer_of_a_call_that_was_carried_out(
    venue: Venue, client: Any
) -> None:
    order = _processing(venue)

    venue.inject("rest-done-500")
    status, _ = client.call("PUT", f"{MASTERS}/{order}/pause")

    assert status == 500
    assert client.ok("GET", f"{MASTERS}/{order}")["masterOrder"]["status"] == "PAUSED"


def _processing(venue: Venue) -> str:
    """A master order that is at work."""
    updates = venue.step(20)
    return next(u.subject.master_order_id for u in updates if u.subject.status == "PROCESSING")
