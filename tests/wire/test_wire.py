"""Text of the stream → messages: V1, V2, every form of a value, and nothing but DecodeError."""

from __future__ import annotations

import json
import string
from contextlib import suppress
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qehost import wire
from qehost.errors import DecodeError
from qehost.messages import (
    FillDetail,
    FillEvent,
    FillMessage,
    MasterOrderDetail,
    MasterOrderEvent,
    MasterOrderMessage,
    OrderDetail,
    OrderEvent,
    OrderMessage,
    StatusEvent,
)
from qehost.wire import decoding

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


# --- the outer message ------------------------------------------------------------------------


def test_data_may_be_text_or_an_object() -> None:
    for type_, data in MESSAGES:
        as_object = json.dumps({"type": type_, "messageId": "id-1", "data": data})
        assert wire.decode(as_object) == wire.decode(push(type_, data))


@pytest.mark.parametrize("text", ["pong", " pong\n"])
def test_a_bare_pong_is_no_message(text: str) -> None:
    assert wire.decode(text) is None


@pytest.mark.parametrize("type_", ["status", "error"])
def test_status_and_error_are_plain_text(type_: str) -> None:
    assert read(type_, "connected") == "connected"
    assert read(type_, '{"type": "fill"}') == '{"type": "fill"}'


@pytest.mark.parametrize("outer", ["data", "master_data", "order_data", "brand_new", ""])
@pytest.mark.parametrize("data", [V1_MASTER_ORDER, V1_ORDER, V1_FILL], ids=lambda d: d["type"])
def test_the_inner_type_decides_whatever_the_outer_type(outer: str, data: dict[str, Any]) -> None:
    last = {**{name: data[name] for name in data if name != "type"}, "type": data["type"]}
    assert read(outer, data).type == data["type"]
    assert read(outer, last) == read(outer, data)


@pytest.mark.parametrize("data", ["", "hello", "{}", "[1", '{"a": 1}', '{"type": "position"}'])
def test_an_unknown_type_is_handed_on_raw(data: str) -> None:
    assert read("brand_new", data) is None


@pytest.mark.parametrize("type_", ["data", "master_data", "order_data"])
def test_an_unknown_inner_type_is_handed_on_raw(type_: str) -> None:
    assert read(type_, {"type": "position", "qty": "abc"}) is None


def test_a_v2_object_may_have_a_type_of_its_own() -> None:
    for type_, data in V2_MESSAGES:
        first = {"type": "LIMIT", **data}
        assert read(type_, first) == read(type_, {**data, "type": "LIMIT"}) == read(type_, data)
        assert detail(type_, first) == detail(type_, data)


def test_what_rest_has_is_v2_whatever_its_type() -> None:
    for type_, data in V2_MESSAGES:
        for own in ("LIMIT", *V1_TYPES, 7):
            text = json.dumps({"type": own, **data})
            decoded = wire.decode_object(type_, text)
            assert decoded.message == read(type_, data)
            events: Any = MasterOrderEvent if type_ == "master_data" else OrderEvent
            event = events(1, "main", "", 0, "catch_up", False, text, decoded.message)
            assert wire.detail(event) == detail(type_, data)


def test_an_outer_message_may_lack_everything() -> None:
    decoded = wire.decode("{}")
    assert decoded is not None
    assert (decoded.type, decoded.message_id, decoded.message) == ("", "", None)


def test_a_message_id_may_be_a_number() -> None:
    decoded = wire.decode('{"type": "status", "messageId": 12345678901234567890, "data": "x"}')
    assert decoded is not None
    assert decoded.message_id == "12345678901234567890"


@pytest.mark.parametrize(
    ("data", "expected"),
    [('"x"', "x"), ('{"a": "1.10"}', '{"a": "1.10"}'), ("null", ""), ("1.10", "1.10")],
)
def test_the_push_message_has_data_as_text(data: str, expected: str) -> None:
    text = f'{{"type": "t", "messageId": "m", "userId": 7, "data": {data}, "more": 1}}'
    message = wire.push_message(text)
    assert (message.type, message.messageId, message.userId) == ("t", "m", "7")
    assert message.data == expected


# --- the mapping ------------------------------------------------------------------------------


def test_a_v2_master_order_maps_onto_the_documented_message() -> None:
    assert read("master_data", V2_MASTER_ORDER) == MasterOrderMessage(
        type="master_order",
        master_order_id="m-1",
        client_id="c-1",
        strategy="TWAP",
        symbol="BTCUSDT",
        side="buy",
        qty=1.5,
        duration_secs=300.0,
        category="spot",
        action="",
        reduce_only=True,
        status="PROCESSING",
        date=1720000000.123,
        ticktime_int=1720000000,
        ticktime_ms=UPDATED_MS,
        reason="none",
        timestamp=UPDATED_MS,
    )


def test_a_v2_order_maps_onto_the_documented_message() -> None:
    assert read("order_data", V2_ORDER) == OrderMessage(
        type="order",
        master_order_id="m-1",
        order_id="x-1",
        symbol="BTCUSDT",
        category="spot",
        side="buy",
        price=100.2,
        quantity=0.3,
        status="PLACED",
        created_time=1719999999000,
        fill_qty=0.1,
        fill_price=100.1,
        cum_filled_qty=0.1,
        quantity_remaining=0.2,
        ack_time=0,
        last_fill_time=UPDATED_MS,
        cancel_time=0,
        price_type="LIMIT",
        reason="none",
        timestamp=UPDATED_MS,
    )


@pytest.mark.parametrize(
    ("type_", "cls", "data"),
    [
        ("master_data", MasterOrderMessage, V1_MASTER_ORDER),
        ("order_data", OrderMessage, V1_ORDER),
        ("order_data", FillMessage, V1_FILL),
    ],
)
def test_a_v1_object_is_the_documented_message(type_: str, cls: Any, data: dict[str, Any]) -> None:
    assert read(type_, data) == cls(**data)
    as_text = {name: str(value) for name, value in data.items()}
    assert read(type_, as_text) == cls(**data)


@pytest.mark.parametrize(("type_", "data"), MESSAGES)
@pytest.mark.parametrize("nothing", [None, "", "left out"])
def test_any_field_may_be_missing_null_or_empty(
    type_: str, data: dict[str, Any], nothing: str | None
) -> None:
    for name in data:
        if name == "type":
            continue
        fields = {n: value for n, value in data.items() if n != name}
        if nothing != "left out":
            fields[name] = nothing
        read(type_, fields)
        detail(type_, fields)


@pytest.mark.parametrize(("type_", "data"), V2_MESSAGES)
def test_an_empty_object_is_all_defaults(type_: str, data: dict[str, Any]) -> None:
    message = read(type_, {})
    assert not any(getattr(message, name) for name in message.__struct_fields__ if name != "type")
    assert detail(type_, {}) == (MasterOrderDetail() if type_ == "master_data" else OrderDetail())


def test_what_stands_in_for_a_missing_field() -> None:
    master_order = {**V2_MASTER_ORDER, "category": "", "updatedAt": None}
    assert read("master_data", master_order).category == "SPOT"
    assert read("master_data", master_order).timestamp == 1720000000123 - 1123
    order = {**V2_ORDER, "category": None, "marketType": "PERP", "orderId": "", "updatedAt": ""}
    assert read("order_data", order).category == "PERP"
    assert read("order_data", order).order_id == "77"
    assert read("order_data", order).timestamp == 1720000000123 - 1123


def test_the_creation_time_may_be_rfc_3339() -> None:
    for created in ("2024-07-03T09:46:40.123Z", "1720000000123", 1720000000123, 1720000000123.0):
        fields = {**V2_ORDER, "orderCreatedTime": created}
        assert read("order_data", fields).created_time == UPDATED_MS
        assert detail("order_data", fields).order_created_time == UPDATED_MS


def test_an_order_without_a_fill_has_no_time_of_one() -> None:
    message = read("order_data", {**V2_ORDER, "filledQuantity": "0.000"})
    assert message.last_fill_time == 0
    assert message.quantity_remaining == 0.3


def test_the_remaining_quantity_is_exact() -> None:
    fields = {**V2_ORDER, "quantity": "0.3", "filledQuantity": "0.1"}
    assert read("order_data", fields).quantity_remaining == 0.2  # 0.3 - 0.1 is not
    fields = {**V2_ORDER, "quantity": "123456789.123456789", "filledQuantity": "1E-9"}
    assert read("order_data", fields).quantity_remaining == 123456789.123456788


# --- values -----------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["60", 60, 60.0, "60.0", "6e1", " 60 ", "+60", "0060"])
def test_a_whole_number_has_many_forms(value: Any) -> None:
    fields = {**V2_MASTER_ORDER, "executionDurationSeconds": value}
    assert read("master_data", fields).duration_secs == 60.0
    assert detail("master_data", fields).execution_duration_seconds == 60
    assert read("order_data", {**V1_ORDER, "ack_time": value}).ack_time == 60


@pytest.mark.parametrize("value", [9007199254740993, "9007199254740993", "1719999999000123456"])
def test_a_long_integer_is_unchanged(value: Any) -> None:
    assert read("order_data", {**V1_ORDER, "timestamp": value}).timestamp == int(value)
    fields = {**V2_MASTER_ORDER, "startTimeMs": value, "finishedMs": value}
    assert detail("master_data", fields).start_time_ms == int(value)
    assert read("order_data", {**V2_ORDER, "orderCreatedTime": value}).created_time == int(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((value, True) for value in (True, "true", 1, "1", "True", " TRUE ")),
        *((value, False) for value in (False, "false", 0, "0", None, "", "FALSE")),
    ],
)
def test_a_boolean_has_many_forms(value: Any, expected: bool) -> None:
    assert read("master_data", {**V2_MASTER_ORDER, "reduceOnly": value}).reduce_only is expected
    assert read("master_data", {**V1_MASTER_ORDER, "reduce_only": value}).reduce_only is expected


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("filledQuantity", "abc", "is no number"),
        ("filledNotional", "nan", "is no number"),
        ("averagePrice", "Infinity", "is no number"),
        ("quantity", "1_000", "is no number"),
        ("price", "1e999", "is no number"),
        ("price", "٣", "is no number"),
        ("price", True, "is no number"),
        ("price", [1], "is no number"),
        ("price", {"a": 1}, "is no number"),
        ("price", "null", "is no number"),
        ("quantity", "9" * 5000, "is no number"),
        ("orderCreatedTime", "yesterday", "is no time"),
        ("updatedAt", "yesterday", "is no time"),
    ],
)
def test_what_cant_be_read_is_named_with_its_place(field: str, value: Any, why: str) -> None:
    text = push("order_data", {**V2_ORDER, field: value})
    with pytest.raises(DecodeError) as caught:
        wire.decode(text)
    assert caught.value.raw == text
    assert caught.value.path == f"$.data.{field}"
    assert str(caught.value).startswith(f"$.data.{field}: ")
    assert str(caught.value).endswith(why)
    assert len(str(caught.value)) < 120


def test_a_field_that_no_message_shows_is_checked_too() -> None:
    for field, value in [
        ("povLimit", "abc"),
        ("finishedMs", "1.5"),
        ("finishedMs", "9223372036854775808"),
        ("finishedMs", "1e300"),
        ("enableMake", "maybe"),
        ("enableMake", 2),
        ("commission", {"BNB": "abc"}),
        ("commission", "5"),
    ]:
        with pytest.raises(DecodeError) as caught:
            read("master_data", {**V2_MASTER_ORDER, field: value})
        assert caught.value.path.startswith(f"$.data.{field}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "5",
        "null",
        '"pong"',
        "\ud800",
        "[" * 100_000,
        '{"type":"order_data","data":' + "[" * 100_000,
        '{"type":"order_data","data":' + "[" * 10_000 + "]" * 10_000 + "}",
        '{"type":"order_data"}',
        '{"type":"order_data","data":"{"}',
        '{"type":"order_data","data":"plain"}',
        '{"type":"order_data","data":"[]"}',
        '{"type":"data","data":"plain"}',
        '{"type":"order_data","data":"\\ud800"}',
        push("order_data", '{"price": ' + "9" * 5000 + "}"),
        push("order_data", '{"price": NaN}'),
        push("order_data", '{"price": 1e999}'),
        push("master_data", '{"finishedMs": ' + "9" * 5000 + "}"),
    ],
    ids=lambda text: repr(text[:40]),
)
def test_what_is_no_message_is_a_decode_error(text: str) -> None:
    with pytest.raises(DecodeError) as caught:
        wire.decode(text)
    assert caught.value.raw == text
    assert len(str(caught.value)) < 300


def test_deep_nesting_in_a_field_nobody_reads_is_no_error() -> None:
    deep = "[" * 500 + "]" * 500
    assert read("order_data", '{"status": "PLACED", "new": ' + deep + "}").status == "PLACED"


def test_half_of_a_surrogate_pair_never_reaches_a_message() -> None:
    for data in ('{"status": "\\ud800x"}', '{"status": "\\udc00x"}', '{"symbol": "a\\ud83d"}'):
        with suppress(DecodeError):
            msgspec.msgpack.encode(read("order_data", data))


# --- details ----------------------------------------------------------------------------------


def test_a_master_order_in_detail_has_every_field_exactly() -> None:
    for origin in ("stream", "catch_up"):
        exact = detail("master_data", V2_MASTER_ORDER, origin)
        assert exact == MasterOrderDetail(
            created_at="2024-07-03T09:46:39Z",
            updated_at=UPDATED,
            master_order_id="m-1",
            client_order_id="c-1",
            api_key_id="k-1",
            trading_account="acc",
            exchange="Binance",
            market_type="SPOT",
            category="spot",
            symbol="BTCUSDT",
            base_currency="BTC",
            quote_currency="USDT",
            side="buy",
            margin_type="U",
            reduce_only=True,
            is_margin=False,
            algorithm="TWAP",
            total_quantity=Decimal("1.50"),
            order_notional=None,
            start_time_ms=1719999999000,
            execution_duration_seconds=300,
            worst_price=Decimal(-1),
            must_complete=True,
            maker_rate_limit=Decimal(-1),
            pov_limit=Decimal("0.80"),
            pov_min_limit=Decimal("0.1"),
            up_tolerance=Decimal(0),
            low_tolerance=None,
            strict_up_bound=False,
            tail_order_protection=True,
            enable_make=True,
            is_target_position=False,
            notes="a note",
            status="PROCESSING",
            reject_reason="none",
            finished_ms=1720000001000,
            cum_filled_qty=Decimal("0.25"),
            cum_filled_notional=Decimal("16000.1000"),
            avg_filled_price=Decimal("64000.4"),
            maker_rate=Decimal("0.5"),
            completed_quantity=Decimal("0.25"),
            commission={"BNB": Decimal("0.00120"), "USDT": Decimal("0.12")},
            trigger_price=Decimal("1E-8"),
            trigger_price1=Decimal("123456789.123456789"),
            max_trigger_wait_secs=60,
            max_trigger_wait_timeout_action="CANCEL",
        )
        assert str(exact.cum_filled_notional) == "16000.1000"
        assert str(exact.commission["BNB"]) == "0.00120"


def test_the_samples_have_every_field_of_the_details() -> None:
    assert len(V2_MASTER_ORDER) == len(MasterOrderDetail.__struct_fields__)
    assert len(V2_ORDER) == len(OrderDetail.__struct_fields__)


def test_the_older_name_of_the_api_key_is_read() -> None:
    fields = {**V2_MASTER_ORDER, "apiKeyUuid": "old"}
    assert detail("master_data", fields).api_key_id == "k-1"
    for nothing in ("", None):
        assert detail("master_data", {**fields, "apiKeyId": nothing}).api_key_id == "old"
    del fields["apiKeyId"]
    assert detail("master_data", fields).api_key_id == "old"


def test_an_order_in_detail_has_every_field_exactly() -> None:
    exact = detail("order_data", V2_ORDER)
    assert exact == OrderDetail(
        id="77",
        order_created_time=1719999999000,
        master_order_id="m-1",
        exchange="Binance",
        category="spot",
        symbol="BTCUSDT",
        side="buy",
        filled_notional=Decimal("10.010"),
        filled_quantity=Decimal("0.10"),
        average_price=Decimal("100.10"),
        price=Decimal("100.20"),
        status="PLACED",
        reject_reason="none",
        base_currency="BTC",
        quote_currency="USDT",
        order_type="LIMIT",
        order_id="x-1",
        quantity=Decimal("0.3"),
        created_at="2024-07-03T09:46:39Z",
        updated_at=UPDATED,
    )
    assert str(exact.filled_notional) == "10.010"


def test_v1_objects_fill_the_details_they_have() -> None:
    master_order = detail("master_data", V1_MASTER_ORDER)
    assert master_order == MasterOrderDetail(
        master_order_id="m-1",
        client_order_id="c-1",
        algorithm="TWAP",
        symbol="BTCUSDT",
        side="buy",
        total_quantity=Decimal("1.5"),
        execution_duration_seconds=300,
        category="spot",
        reduce_only=True,
        status="NEW",
        reject_reason="none",
        updated_at="1720000000123",
    )
    assert detail("order_data", V1_ORDER) == OrderDetail(
        order_created_time=1719999999000,
        master_order_id="m-1",
        category="spot",
        symbol="BTCUSDT",
        side="buy",
        filled_quantity=Decimal("0.1"),
        average_price=Decimal("100.1"),
        price=Decimal("100.2"),
        status="PLACED",
        reject_reason="none",
        order_type="LIMIT",
        order_id="x-1",
        quantity=Decimal("0.3"),
        updated_at="1720000000123",
    )
    assert detail("data", V1_FILL) == FillDetail(
        master_order_id="m-1",
        order_id="x-1",
        symbol="BTCUSDT",
        category="spot",
        side="buy",
        price=Decimal("100.1"),
        quantity=Decimal("0.1"),
        fill_time=1719999999002,
    )


def test_a_v1_number_keeps_every_digit_in_detail() -> None:
    text = push("data", V1_FILL).replace("100.1,", "100.10000000000000000001,")
    message = wire.decode(text)
    assert message is not None
    assert isinstance(message.message, FillMessage)
    exact = wire.detail(FillEvent(1, "main", "", 0, "stream", False, text, message.message))
    assert isinstance(exact, FillDetail)
    assert str(exact.price) == "100.10000000000000000001"


def test_a_v1_duration_need_not_be_whole() -> None:
    fields = {**V1_MASTER_ORDER, "duration_secs": 60.5}
    assert read("master_data", fields).duration_secs == 60.5
    assert detail("master_data", fields).execution_duration_seconds is None


def test_a_derived_fill_brings_its_own_detail_and_other_events_have_none() -> None:
    fill = FillMessage("fill", "m", "x", "", "", "", 1.0, 1.0, 0, 0)
    exact = FillDetail("m", "x", quantity=Decimal("1.0"))
    event = FillEvent(1, "main", "", 0, "derived", False, push("order_data", V2_ORDER), fill, exact)
    assert wire.detail(event) is exact
    assert wire.detail(StatusEvent(1, "main", "", 0, "stream", False, "{}", "x")) is None


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
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


def altered(value: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    """One of the samples with up to three of its fields replaced."""

    def alter(sample: tuple[str, dict[str, Any]]) -> Any:
        type_, data = sample
        changes = st.dictionaries(st.sampled_from([*data, "type", "marketType"]), value, max_size=3)
        return changes.map(lambda change: (type_, {**data, **change}))

    return st.sampled_from(MESSAGES).flatmap(alter)


def decoded_or_none(text: str) -> wire.Decoded | None:
    try:
        return wire.decode(text)
    except DecodeError as error:
        if error.raw != text or not error.path.startswith("$.data"):
            raise AssertionError("the error does not hold what it is about") from error
        return None


@given(altered(values))
def test_any_value_in_any_field_is_a_message_with_its_detail_or_a_decode_error(
    sample: tuple[str, dict[str, Any]],
) -> None:
    text = push(*sample)
    decoded = decoded_or_none(text)
    if decoded is None:
        return
    msgspec.msgpack.encode(decoded.message)
    wire.push_message(text)
    if not isinstance(decoded.message, str | None):
        detail(*sample)


@given(
    st.dictionaries(
        st.sampled_from(["type", "messageId", "userId", "data"]),
        st.sampled_from(["data", "status", "order_data", "master_data"]) | values,
    )
)
def test_any_value_in_the_outer_message_is_a_message_or_a_decode_error(
    outer: dict[str, Any],
) -> None:
    text = json.dumps(outer)
    with suppress(DecodeError):
        wire.push_message(text)
        decoded = wire.decode(text)
        assert decoded is not None
        msgspec.msgpack.encode(decoded.message)


@given(st.text() | st.text(string.printable) | st.text('{}[]":,\\ud80019eE.-+truefalsn '))
def test_any_text_is_a_message_or_a_decode_error(text: str) -> None:
    for frame in (text, json.dumps({"type": "order_data", "data": text})):
        with suppress(DecodeError):
            wire.decode(frame)


@given(altered(scalars))
def test_the_fast_and_the_careful_way_give_equal_results(
    sample: tuple[str, dict[str, Any]],
) -> None:
    type_, data = sample
    text = json.dumps(data)

    def outcome(read: Any) -> Any:
        try:
            return read(type_, "", text).message
        except ValueError as error:
            return str(error)

    assert outcome(decoding._read_object) == outcome(decoding._read_carefully)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30))
def test_decimals_keep_every_digit_and_floats_are_the_nearest(number: Decimal) -> None:
    fields = {**V2_ORDER, "price": str(number), "averagePrice": str(number)}
    assert read("order_data", fields).price == float(number)
    assert read("order_data", fields).fill_price == float(number)
    exact = detail("order_data", fields)
    assert str(exact.price) == str(exact.average_price) == str(number)


@given(st.decimals(0, 10**12, places=12), st.decimals(0, 10**12, places=12))
def test_the_remaining_quantity_is_the_float_nearest_to_the_exact_one(
    quantity: Decimal, filled: Decimal
) -> None:
    fields = {**V2_ORDER, "quantity": str(quantity), "filledQuantity": str(filled)}
    assert read("order_data", fields).quantity_remaining == float(quantity - filled)
