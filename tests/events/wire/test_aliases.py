"""A field may have another name at some deployments."""

from __future__ import annotations

from typing import Any

import pytest
from samples import (
    UPDATED,
    UPDATED_MS,
    V1_FILL,
    V1_MASTER_ORDER,
    V1_ORDER,
    V2_MASTER_ORDER,
    V2_ORDER,
    read,
)


def renamed(data: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    assert names.keys() <= data.keys()
    return {names.get(name, name): value for name, value in data.items()}


@pytest.mark.parametrize(
    ("type_", "data", "names"),
    [
        (
            "master_data",
            V2_MASTER_ORDER,
            {
                "clientOrderId": "clientId",
                "totalQuantity": "qty",
                "algorithm": "strategy",
                "executionDurationSeconds": "durationSecs",
                "rejectReason": "reason",
            },
        ),
        (
            "order_data",
            V2_ORDER,
            {
                "filledQuantity": "fillQty",
                "averagePrice": "avgPrice",
                "orderCreatedTime": "createdTime",
                "orderType": "priceType",
                "rejectReason": "reason",
            },
        ),
        ("order_data", V2_ORDER, {"filledQuantity": "cumFilledQty", "averagePrice": "fillPrice"}),
        (
            "master_data",
            V1_MASTER_ORDER,
            {
                "master_order_id": "masterOrderId",
                "client_id": "clientId",
                "duration_secs": "durationSecs",
                "reduce_only": "reduceOnly",
            },
        ),
        (
            "order_data",
            V1_ORDER,
            {
                "master_order_id": "masterOrderId",
                "order_id": "orderId",
                "fill_qty": "fillQty",
                "fill_price": "avgPrice",
                "cum_filled_qty": "cumFilledQty",
                "quantity_remaining": "quantityRemaining",
                "created_time": "createdTime",
                "ack_time": "ackTime",
                "last_fill_time": "lastFillTime",
                "cancel_time": "cancelTime",
                "price_type": "priceType",
            },
        ),
        (
            "data",
            V1_FILL,
            {"fill_price": "fillPrice", "filled_qty": "filledQty", "fill_time": "fillTime"},
        ),
    ],
)
def test_a_field_may_have_another_name(
    type_: str, data: dict[str, Any], names: dict[str, str]
) -> None:
    ids = {name: other for name, other in names.items() if name in ("master_order_id", "order_id")}
    for one in [*({**ids, name: other} for name, other in names.items()), names]:
        message = read(type_, renamed(data, one))
        assert message == read(type_, data), one


def test_what_only_some_deployments_send_is_read() -> None:
    times = {"ackTime": UPDATED_MS, "lastFillTime": UPDATED, "cancelTime": str(UPDATED_MS)}
    message = read("order_data", {**V2_ORDER, **times})
    assert {message.ack_time, message.last_fill_time, message.cancel_time} == {UPDATED_MS}
    assert read("master_data", {**V2_MASTER_ORDER, "action": "close"}).action == "close"
