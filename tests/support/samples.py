"""Objects of the venue with a value in every field, and how they are pushed and read."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from qehost.events import wire
from qehost.messages import (
    FillEvent,
    MasterOrderEvent,
    MasterOrderMessage,
    OrderEvent,
    OrderMessage,
)

UPDATED = "2024-07-03T09:46:40.123Z"
UPDATED_MS = 1_720_000_000_123

V2_MASTER_ORDER: dict[str, Any] = {
    "createdAt": "2024-07-03T09:46:39Z",
    "updatedAt": UPDATED,
    "masterOrderId": "m-1",
    "clientOrderId": "c-1",
    "apiKeyId": "k-1",
    "tradingAccount": "acc",
    "exchange": "Binance",
    "marketType": "SPOT",
    "category": "spot",
    "symbol": "BTCUSDT",
    "baseCurrency": "BTC",
    "quoteCurrency": "USDT",
    "side": "buy",
    "marginType": "U",
    "reduceOnly": True,
    "isMargin": "false",
    "algorithm": "TWAP",
    "totalQuantity": "1.50",
    "orderNotional": "",
    "startTimeMs": "1719999999000",
    "executionDurationSeconds": "300",
    "worstPrice": "-1",
    "mustComplete": "1",
    "makerRateLimit": "-1",
    "povLimit": "0.80",
    "povMinLimit": 0.1,
    "upTolerance": "0",
    "lowTolerance": None,
    "strictUpBound": 0,
    "tailOrderProtection": True,
    "enableMake": 1,
    "isTargetPosition": False,
    "notes": "a note",
    "status": "PROCESSING",
    "rejectReason": "none",
    "finishedMs": "1720000001000",
    "cumFilledQty": "0.25",
    "cumFilledNotional": "16000.1000",
    "avgFilledPrice": "64000.4",
    "makerRate": "0.5",
    "completedQuantity": "0.25",
    "commission": {"BNB": "0.00120", "USDT": 0.12},
    "triggerPrice": "1E-8",
    "triggerPrice1": "123456789.123456789",
    "maxTriggerWaitSecs": "60",
    "maxTriggerWaitTimeoutAction": "CANCEL",
}
V2_ORDER: dict[str, Any] = {
    "id": "77",
    "orderCreatedTime": "1719999999000",
    "masterOrderId": "m-1",
    "exchange": "Binance",
    "category": "spot",
    "symbol": "BTCUSDT",
    "side": "buy",
    "filledNotional": "10.010",
    "filledQuantity": "0.10",
    "averagePrice": "100.10",
    "price": "100.20",
    "status": "PLACED",
    "rejectReason": "none",
    "baseCurrency": "BTC",
    "quoteCurrency": "USDT",
    "orderType": "LIMIT",
    "orderId": "x-1",
    "quantity": "0.3",
    "createdAt": "2024-07-03T09:46:39Z",
    "updatedAt": UPDATED,
}
V1_MASTER_ORDER: dict[str, Any] = {
    "type": "master_order",
    "master_order_id": "m-1",
    "client_id": "c-1",
    "strategy": "TWAP",
    "symbol": "BTCUSDT",
    "side": "buy",
    "qty": 1.5,
    "duration_secs": 300,
    "category": "spot",
    "action": "open",
    "reduce_only": True,
    "status": "NEW",
    "date": 1720000000.123,
    "ticktime_int": 1720000000,
    "ticktime_ms": 1720000000123,
    "reason": "none",
    "timestamp": 1720000000123,
}
V1_ORDER: dict[str, Any] = {
    "type": "order",
    "master_order_id": "m-1",
    "order_id": "x-1",
    "symbol": "BTCUSDT",
    "category": "spot",
    "side": "buy",
    "price": 100.2,
    "quantity": 0.3,
    "status": "PLACED",
    "created_time": 1719999999000,
    "fill_qty": 0.1,
    "fill_price": 100.1,
    "cum_filled_qty": 0.1,
    "quantity_remaining": 0.2,
    "ack_time": 1719999999001,
    "last_fill_time": 1719999999002,
    "cancel_time": 1719999999003,
    "price_type": "LIMIT",
    "reason": "none",
    "timestamp": 1720000000123,
}
V1_FILL: dict[str, Any] = {
    "type": "fill",
    "master_order_id": "m-1",
    "order_id": "x-1",
    "symbol": "BTCUSDT",
    "category": "spot",
    "side": "buy",
    "fill_price": 100.1,
    "filled_qty": 0.1,
    "fill_time": 1719999999002,
    "timestamp": 1720000000123,
}

V2_MESSAGES = [("master_data", V2_MASTER_ORDER), ("order_data", V2_ORDER)]
V1_MESSAGES = [
    ("master_data", V1_MASTER_ORDER),
    ("order_data", V1_ORDER),
    ("data", V1_FILL),
]
MESSAGES = V2_MESSAGES + V1_MESSAGES
V1_TYPES = ("master_order", "order", "fill")


def push(type_: str, data: Any) -> str:
    inner = data if isinstance(data, str) else json.dumps(data)
    return json.dumps({"type": type_, "messageId": "id-1", "userId": "u-1", "data": inner})


def read(type_: str, data: Any) -> Any:
    decoded = wire.decode(push(type_, data))
    assert decoded is not None
    return decoded.message


def detail(type_: str, data: Any, origin: Any = "stream") -> Any:
    text = json.dumps(data) if origin == "catch_up" else push(type_, data)
    message = read(type_, data)
    events: dict[type, Any] = {MasterOrderMessage: MasterOrderEvent, OrderMessage: OrderEvent}
    cls = events.get(type(message), FillEvent)
    return wire.detail(cls(1, "main", "", 0, origin, False, text, message))


# --- properties -------------------------------------------------------------------------------

numbers_as_text = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False, places=8).map(str),
    st.decimals(allow_nan=True, allow_infinity=True).map(str),
    st.from_regex(r"[+-]?[0-9]{1,30}(\.[0-9]{0,30})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
    st.integers().map(str),
    st.sampled_from(
        [
            "",
            "0",
            "-0",
            "null",
            "true",
            ".5",
            "5.",
            "1e5",
            "1E-8",
            " 7 ",
            "1e-400",
            "60.0",
            "9007199254740993.0",
        ]
    ),
    st.sampled_from(["0.99999999999999999999", "4503599627370496.2", "9007199254740994.0"]),
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    numbers_as_text,
    st.sampled_from([UPDATED, "0001-01-01T00:00:00Z", "1720000000", "true", "1"]),
    st.sampled_from([2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 9007199254740993.0, 1e300]),
)


def altered(value: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    """One of the samples with up to three of its fields replaced."""

    def alter(sample: tuple[str, dict[str, Any]]) -> Any:
        type_, data = sample
        changes = st.dictionaries(st.sampled_from([*data, "type", "marketType"]), value, max_size=3)
        return changes.map(lambda change: (type_, {**data, **change}))

    return st.sampled_from(MESSAGES).flatmap(alter)
