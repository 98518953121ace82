"""Text → events: order, sequence, duplicates, derived fills, catching up, and restoring."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from qehost.messages import FillEvent, OrderEvent
from qehost.pipeline import Pipeline

AT = 1_720_000_000_000_000_000


def order(**fields: Any) -> dict[str, Any]:
    return {
        "id": "77",
        "orderId": "x-1",
        "masterOrderId": "m-1",
        "symbol": "BTCUSDT",
        "side": "buy",
        "category": "spot",
        "quantity": "0.3",
        "price": "100",
        "filledQuantity": "0",
        "filledNotional": "0",
        "averagePrice": "0",
        "status": "PLACED",
        "orderType": "LIMIT",
        "orderCreatedTime": "1719999999000",
        "updatedAt": "2024-07-03T09:46:39.123Z",
        **fields,
    }


def push(type_: str, data: Any, message_id: str = "") -> str:
    inner = data if isinstance(data, str) else json.dumps(data)
    return json.dumps({"type": type_, "messageId": message_id, "userId": "u-1", "data": inner})


def test_a_v2_order_that_grew_is_followed_by_its_fill() -> None:
    pipeline = Pipeline("main")
    text = push("order_data", order(filledQuantity="0.1", filledNotional="10.010"), "a")

    first, second = pipeline.feed([text], AT)

    assert isinstance(first, OrderEvent)
    assert isinstance(second, FillEvent)
    assert (first.seq, second.seq, pipeline.next_seq) == (1, 2, 3)
    assert (second.origin, second.message_id, second.raw) == ("derived", "a", text)
    assert second.exact is not None
    assert second.exact.price == Decimal("100.1")
    assert second.exact.quantity == Decimal("0.1")
    assert second.message.filled_qty == 0.1
    assert second.message.fill_price == 100.1
