"""V2 over REST: master orders, fills and actions, as a client has them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import websocket

from qehost.simulator import Venue

MASTERS = "/user/trading/v2/master-orders"
FILLS = "/user/trading/v2/order-fills"

NEW = {
    "apiKeyId": "binding-1",
    "exchange": "Binance",
    "marketType": "SPOT",
    "symbol": "DOGEUSDT",
    "side": "sell",
    "algorithm": "TWAP",
    "executionDurationSeconds": 600,
    "totalQuantity": "10",
}


def everything(client: Any, path: str, size: int, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        page = len(found) // size + 1
        reply = client.ok("GET", path, {"page": page, "pageSize": size, **params})
        found += reply["items"]
        assert (reply["page"], reply["pageSize"]) == (page, size)
        if len(found) >= reply["total"]:
            return found


@pytest.mark.parametrize("size", [7, 100])
def test_paging_shows_every_order_once(venue: Venue, client: Any, size: int) -> None:
    updates = venue.step(1500)

    masters = everything(client, MASTERS, size)
    children = everything(client, FILLS, size)

    ids = {each.subject.master_order_id for each in updates}
    assert {each["masterOrderId"] for each in masters} == ids
    assert len(masters) == len(ids)
    assert len({each["id"] for each in children}) == len(children) > 100


@pytest.mark.parametrize(
    ("params", "part"),
    [
        ({"pageSize": 101}, "at most 100"),
        ({"page": 0}, "page"),
        ({"startTime": "yesterday"}, "startTime"),
    ],
)
def test_a_page_that_makes_no_sense_is_refused(
    client: Any, params: dict[str, Any], part: str
) -> None:
    for path in (MASTERS, FILLS):
        status, envelope = client.call("GET", path, params)
        assert (status, envelope["code"]) == (400, 400)
        assert part in envelope["message"]


def test_master_orders_are_filtered(venue: Venue, client: Any) -> None:
    venue.step(2000)
    masters = everything(client, MASTERS, 100)
    finished = {"CANCELLED", "COMPLETED", "COMPLETED_WITHTAIL", "REJECTED", "EXPIRED"}

    def found(**params: Any) -> list[dict[str, Any]]:
        return everything(client, MASTERS, 100, **params)

    assert found(status="NEW") == [each for each in masters if each["status"] not in finished]
    assert found(status="COMPLETED") == [each for each in masters if each["status"] in finished]
    for status in {each["status"] for each in masters} - {"NEW", "COMPLETED"}:
        assert found(status=status) == []
    for name in ("symbol", "algorithm", "exchange", "masterOrderId", "apiKeyId"):
        value = masters[0][name]
        assert found(**{name: value}) == [each for each in masters if each[name] == value]
    for name in ("masterOrderId", "by-client-order-id"):
        path = f"{name}/" if name.startswith("by") else ""
        one = masters[0]["clientOrderId" if path else "masterOrderId"]
        assert client.ok("GET", f"{MASTERS}/{path}{one}") == {"masterOrder": masters[0]}


def test_reading_changes_nothing(venue: Venue, client: Any) -> None:
    venue.step()

    for path in (MASTERS, FILLS):
        client.ok("GET", path)
    client.ok("POST", "/user/trading/v2/listen-key")

    assert len(venue.sent) == 1


def test_order_fills_are_filtered(venue: Venue, client: Any) -> None:
    venue.step(800)
    children = everything(client, FILLS, 100)
    master = client.ok("GET", f"{MASTERS}/{children[0]['masterOrderId']}")["masterOrder"]

    def found(**params: Any) -> list[dict[str, Any]]:
        return everything(client, FILLS, 100, **params)

    for name in ("masterOrderId", "orderId", "symbol"):
        value = children[0][name]
        assert found(**{name: value}) == [each for each in children if each[name] == value]
    assert found(clientOrderId=master["clientOrderId"]) == found(
        masterOrderId=master["masterOrderId"]
    )
    assert {each["status"] for each in found(status="FILLED,CANCELLED")} == {"FILLED", "CANCELLED"}


@pytest.mark.parametrize("which", ["updated", "created"])
def test_a_time_range_selects_by_the_last_change_or_by_creation(
    start_venue: Callable[..., Venue], client_of: Callable[..., Any], which: str
) -> None:
    now = [1_735_372_000.0]
    venue = start_venue(seed=1, time_filter=which, clock=lambda: now[0])
    venue.step(200)
    now[0] += 60
    venue.step(40)
    client = client_of(venue)

    found = everything(client, FILLS, 100, startTime="2024-12-28T07:47:10Z")
    before = everything(client, FILLS, 100, endTime="2024-12-28T07:47:10+00:00")

    field = "updatedAt" if which == "updated" else "createdAt"
    assert found
    assert {each[field] for each in found} == {"2024-12-28T07:47:40.000Z"}
    assert len(found) + len(before) == len(everything(client, FILLS, 100))


def test_actions_act_and_show_on_the_stream(
    venue: Venue, client: Any, connect: Callable[..., websocket.WebSocket]
) -> None:
    stream = connect(venue)
    master_id = venue.step()[0].subject.master_order_id

    def pushed() -> dict[str, Any]:
        while True:
            inner: dict[str, Any] = json.loads(json.loads(stream.recv())["data"])
            if inner["masterOrderId"] == master_id:
                return inner

    def act(action: str, **body: Any) -> str:
        assert client.ok("PUT", f"{MASTERS}/{master_id}/{action}", None, body)["success"] is True
        status: str = client.ok("GET", f"{MASTERS}/{master_id}")["masterOrder"]["status"]
        return status

    assert pushed()["status"] == "NEW"
    assert act("pause", reason="a break") == "PAUSED"
    assert pushed()["status"] == "PAUSED"
    assert act("resume") == "PROCESSING"
    assert pushed()["status"] == "PROCESSING"
    act(
        "update",
        totalQuantity="3.5",
        mustComplete=False,
        executionDurationSeconds=60,
        povLimit=0.25,
    )
    changed = pushed()
    assert (changed["totalQuantity"], changed["mustComplete"]) == ("3.500", False)
    assert (changed["executionDurationSeconds"], changed["povLimit"]) == (60, "0.25")
    assert act("cancel", reason="enough @ noon, ü") == "CANCELLED"
    assert [pushed()["status"], pushed()["status"]] == ["CANCEL", "CANCELLED"]


def test_batch_cancel_tells_which_it_could_not_cancel(venue: Venue, client: Any) -> None:
    venue.step(3)
    ids = [each["masterOrderId"] for each in everything(client, MASTERS, 100)]

    reply = client.ok(
        "PUT", f"{MASTERS}/batch-cancel", None, {"masterOrderIds": [*ids, "mo_1"], "reason": "risk"}
    )

    assert reply["successCount"] == len(ids)
    assert [each["masterOrderId"] for each in reply["failedOrders"]] == ["mo_1"]
    assert {each["status"] for each in everything(client, MASTERS, 100)} == {"CANCELLED"}


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nowhere", None, 404),
        ("DELETE", MASTERS, None, 405),
        ("GET", f"{MASTERS}/mo_1", None, 404),
        ("PUT", f"{MASTERS}/mo_1/pause", {}, 404),
        ("PUT", f"{MASTERS}/ID/resume", {}, 400),
        ("PUT", f"{MASTERS}/ID/update", {}, 400),
        ("PUT", f"{MASTERS}/ID/update", {"side": "sell"}, 400),
        ("PUT", f"{MASTERS}/ID/update", {"totalQuantity": "much"}, 400),
        ("PUT", f"{MASTERS}/ID/update", {"totalQuantity": "0.0001"}, 400),
        ("PUT", f"{MASTERS}/ID/update", {"executionDurationSeconds": 10}, 400),
        ("PUT", f"{MASTERS}/ID/update", {"mustComplete": "yes"}, 400),
        ("PUT", f"{MASTERS}/batch-cancel", {"masterOrderIds": "mo_1"}, 400),
        ("POST", MASTERS, {"symbol": "BTCUSDT"}, 400),
        ("POST", MASTERS, {**NEW, "symbol": "BTC USDT"}, 400),
        ("POST", MASTERS, {**NEW, "symbol": "BTCXYZ"}, 400),
        ("POST", MASTERS, {**NEW, "marketType": "FUTURES"}, 400),
        ("POST", MASTERS, {**NEW, "limitPrice": "5"}, 400),
        ("POST", MASTERS, {**NEW, "orderNotional": "5"}, 400),
        ("POST", MASTERS, {**NEW, "maxTriggerWaitTimeoutAction": 11}, 400),
        ("POST", MASTERS, {**NEW, "maxTriggerWaitTimeoutAction": "1"}, 400),
        ("POST", MASTERS, {**NEW, "maxTriggerWaitSecs": "5"}, 400),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_reason(
    venue: Venue, client: Any, method: str, path: str, body: Any, status: int
) -> None:
    path = path.replace("ID", venue.step()[0].subject.master_order_id)

    got, envelope = client.call(method, path, None, body)

    assert (got, envelope["code"]) == (status, status)
    assert envelope["message"]
    assert envelope["reason"].isupper()


def test_a_new_master_order_is_worked(venue: Venue, client: Any) -> None:
    body = {
        "apiKeyId": "b",
        "exchange": "OKX",
        "marketType": "PERP",
        "symbol": "ETHUSDT",
        "side": "buy",
        "algorithm": "VWAP",
        "executionDurationSeconds": 60,
        "totalQuantity": "2",
        "clientOrderId": "mine",
    }

    made = client.ok("POST", MASTERS, None, body)
    again, _ = client.call("POST", MASTERS, None, body)
    venue.step(600)

    order = client.ok("GET", f"{MASTERS}/{made['masterOrderId']}")["masterOrder"]
    assert (made["status"], made["clientOrderId"], again) == ("NEW", "mine", 400)
    assert (order["totalQuantity"], order["exchange"]) == ("2.000", "OKX")
    assert float(order["cumFilledQty"]) > 0


@pytest.mark.parametrize(
    ("changes", "category", "base", "quote"),
    [
        ({"symbol": "1000SATSUSDT"}, "spot", "1000SATS", "USDT"),
        ({"symbol": "BTCUSD", "marketType": "PERP", "marginType": "C"}, "perp_cm", "BTC", "USD"),
        ({"symbol": "ETHUSD_CM", "marketType": "PERP"}, "perp_cm", "ETH", "USD"),
        ({"symbol": "SOL-USDC", "marketType": "PERP"}, "perp", "SOL", "USDC"),
    ],
)
def test_any_well_formed_symbol_can_be_traded(
    venue: Venue, client: Any, changes: dict[str, Any], category: str, base: str, quote: str
) -> None:
    made = client.ok("POST", MASTERS, None, {**NEW, **changes})
    venue.step(900)
    order = client.ok("GET", f"{MASTERS}/{made['masterOrderId']}")["masterOrder"]

    assert (order["category"], order["baseCurrency"], order["quoteCurrency"]) == (
        category,
        base,
        quote,
    )
    assert float(order["cumFilledQty"]) > 0


def test_what_a_trigger_waits_for_is_carried(venue: Venue, client: Any) -> None:
    trigger = {
        "maxTriggerWaitSecs": 2.5,
        "maxTriggerWaitTimeoutAction": 10,
        "triggerPrice": "0.10",
        "triggerPrice1": "",
        "startTimeMs": 1783069200000,
        "notes": "as it is",
    }
    made = client.ok("POST", MASTERS, None, {**NEW, **trigger})
    order = client.ok("GET", f"{MASTERS}/{made['masterOrderId']}")["masterOrder"]

    assert {name: order[name] for name in trigger} == {**trigger, "startTimeMs": "1783069200000"}


def test_a_worst_price_that_is_not_reached_lets_an_order_rest(venue: Venue, client: Any) -> None:
    resting = client.ok("POST", MASTERS, None, {**NEW, "worstPrice": "100000"})["masterOrderId"]

    def state() -> tuple[str, float]:
        order = client.ok("GET", f"{MASTERS}/{resting}")["masterOrder"]
        return order["status"], float(order["cumFilledQty"])

    venue.step(2000)
    assert state() == ("PROCESSING", 0)
    client.ok("PUT", f"{MASTERS}/{resting}/update", None, {"worstPrice": "-1"})
    venue.step(2000)
    assert state() == ("COMPLETED", 10)
