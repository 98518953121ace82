"""What master orders cost, as the venue says it."""

from __future__ import annotations

from typing import Any

import pytest

from qehost.simulator import Venue


@pytest.mark.parametrize(
    ("path", "binding"),
    [("/user/trading/tca-analysis", "apikey"), ("/user/trading/v2/tca-analysis", "apiKeyId")],
)
def test_each_finished_order_with_a_fill_is_a_row(
    venue: Venue, client: Any, path: str, binding: str
) -> None:
    venue.step(3000)
    rows = client.ok("GET", path)
    orders = {
        order["masterOrderId"]: order
        for page in (1, 2, 3)
        for order in client.ok(
            "GET",
            "/user/trading/v2/master-orders",
            {"status": "COMPLETED", "page": page, "pageSize": 100},
        )["items"]
        if float(order["cumFilledQty"])
    }
    assert {row["MasterOrderID"] for row in rows} == set(orders)
    for row in rows:
        order = orders[row["MasterOrderID"]]
        assert row["FillQty"] == float(order["cumFilledQty"])
        assert row["TakeFillNotional"] + row["MakeFillNotional"] == pytest.approx(
            row["FillNotional"]
        )
        assert row["ArrivalPrice"] * (1 + row["Slippage_pct"]) == pytest.approx(
            row["AverageFillPrice"]
        )
        assert 0 < row["ExcutedRate"] <= 1
        assert row["ChildOrderCnt"] > 0
    one = rows[0]
    chosen = client.ok("GET", path, {"symbol": one["Symbol"], "category": one["Category"]})
    assert {(row["Symbol"], row["Category"]) for row in chosen} == {
        (one["Symbol"], one["Category"])
    }
    assert client.ok("GET", path, {binding: "binding-1,binding-9"}) == rows
    assert client.ok("GET", path, {binding: "binding-9"}) == []
    assert client.ok("GET", path, {"endTime": 1000}) == []
    assert client.ok("GET", path, {"startTime": 1000}) == rows
