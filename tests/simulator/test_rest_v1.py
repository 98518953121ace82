"""V1's REST calls: everything in the query, numbers as numbers."""

from __future__ import annotations

from typing import Any

import pytest

from qehost.simulator import Venue

MASTERS = "/user/trading/master-orders"
NEW = {
    "algorithm": "TWAP",
    "algorithmType": "TWAP",
    "exchange": "Binance",
    "symbol": "BTCUSDT",
    "marketType": "SPOT",
    "side": "buy",
    "apiKeyId": "binding-1",
    "totalQuantity": "0.5",
    "tailOrderProtection": "True",
    "enableMake": "false",
}


def test_a_master_order_lives_by_v1_alone(venue: Venue, client: Any) -> None:
    more = {
        "clientOrderId": "mine",
        "limitPrice": "70000",
        "startTime": "2026-07-03T11:00:00+02:00",
    }
    made = client.ok("POST", MASTERS, {**NEW, **more, "executionDuration": 5})
    assert made == {"masterOrderId": made["masterOrderId"], "success": True, "message": ""}
    name = made["masterOrderId"]

    def act(action: str, **params: Any) -> str:
        path = f"{MASTERS}/{name}/{action}"
        assert client.ok("PUT", path, {"masterOrderId": name, **params})["success"] is True
        return str(client.ok("GET", f"{MASTERS}/{name}")["masterOrder"]["status"])

    order = client.ok("GET", f"{MASTERS}/by-client-order-id/mine")["masterOrder"]
    assert (order["totalQuantity"], order["worstPrice"], order["enableMake"]) == (
        0.5,
        70000.0,
        False,
    )
    assert (order["executionDurationSeconds"], order["executionDuration"]) == (300, 5)
    assert order["startTime"] == "2026-07-03T09:00:00.000Z"
    assert order["strategyType"] == "TWAP-1"
    assert act("pause", reason="a break") == "PAUSED"
    assert act("resume") == "PROCESSING"
    act("update", worstPrice="-1", executionDurationSeconds=60, mustComplete="False")
    assert client.ok("GET", f"{MASTERS}/{name}")["masterOrder"]["worstPrice"] == -1
    assert act("cancel", reason="enough") == "CANCELLED"


def test_lists_are_clipped_in_silence_and_filtered(venue: Venue, client: Any) -> None:
    venue.step(2000)
    listed = client.ok("GET", MASTERS, {"pageSize": 500})
    assert listed["pageSize"] == 100
    running = client.ok("GET", MASTERS, {"status": "NEW", "pageSize": 100})["items"]
    assert all(order["finishedMs"] == 0 for order in running)
    assert client.ok("GET", MASTERS, {"status": "PROCESSING"})["items"] == []
    filled = next(order for order in listed["items"] if order["status"] == "COMPLETED")
    assert filled["completionProgress"] == 100.0
    assert filled["filledQuantity"] == filled["totalQuantity"] == filled["filledAmount"]

    fills = client.ok(
        "GET", "/user/trading/order-fills", {"masterOrderId": filled["masterOrderId"]}
    )["items"]
    assert sum(fill["filledQuantity"] for fill in fills) == pytest.approx(filled["filledAmount"])
    one = fills[0]
    for name in ("orderId", "subOrderId"):
        found = client.ok("GET", "/user/trading/order-fills", {name: one["orderId"]})["items"]
        assert found == [one]


@pytest.mark.parametrize(
    "changes",
    [
        {"side": ""},
        {"symbol": "?"},
        {"totalQuantity": "much"},
        {"enableMake": "perhaps"},
        {"executionDurationSeconds": "5"},
        {"startTime": "soon"},
    ],
)
def test_what_makes_no_sense_is_refused(client: Any, changes: dict[str, str]) -> None:
    status, envelope = client.call("POST", MASTERS, {**NEW, **changes})
    assert (status, envelope["reason"]) == (400, "INVALID_ARGUMENT")
