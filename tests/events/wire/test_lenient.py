"""Every form that a value may have, and the name of the field that can't be read."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from samples import (
    MESSAGES,
    UPDATED_MS,
    V1_FILL,
    V1_MASTER_ORDER,
    V1_ORDER,
    V2_MASTER_ORDER,
    V2_MESSAGES,
    V2_ORDER,
    altered,
    detail,
    push,
    read,
    scalars,
)

from qehost.events import wire
from qehost.events.wire import decoding
from qehost.events.wire.details import detail_of
from qehost.events.wire.lenient import fields_of
from qehost.events.wire.values import Unreadable
from qehost.messages import (
    MasterOrderDetail,
    OrderDetail,
    OrderMessage,
)


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


# --- values -----------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["60", 60, 60.0, "60.0", "6e1", " 60 ", "+60", "0060"])
def test_a_whole_number_has_many_forms(value: Any) -> None:
    fields = {**V2_MASTER_ORDER, "executionDurationSeconds": value}
    assert read("master_data", fields).duration_secs == 60.0
    assert detail("master_data", fields).execution_duration_seconds == 60


TIMES = [
    *(1720000000123, "1720000000123", 1720000000123.0, "1.720000000123e12", " 1720000000123 "),
    *("1720000000.123", 1720000000.123, "1720000000123456", 1720000000123456),
    *("1720000000123456789", 1720000000123456789, "2024-07-03T09:46:40.123Z"),
    *("2024-07-03 09:46:40.123456789", "2024-07-03t17:46:40.123999+08:00"),
]


@pytest.mark.parametrize("value", TIMES)
def test_a_time_is_right_in_any_unit_and_form(value: Any) -> None:
    order = {"created_time": value, "ack_time": value, "last_fill_time": value}
    order |= {"cancel_time": value, "timestamp": value}
    message = read("order_data", {**V1_ORDER, **order})
    assert {getattr(message, name) for name in order} == {UPDATED_MS}
    assert detail("order_data", {**V1_ORDER, **order}).order_created_time == UPDATED_MS
    for name in ("timestamp", "fill_time"):
        assert getattr(read("data", {**V1_FILL, name: value}), name) == UPDATED_MS
    assert detail("data", {**V1_FILL, "fill_time": value}).fill_time == UPDATED_MS
    seconds = {"date": value, "ticktime_int": value, "ticktime_ms": value}
    message = read("master_data", {**V1_MASTER_ORDER, **seconds})
    assert (message.date, message.ticktime_int) == (1720000000.123, 1720000000)
    assert message.ticktime_ms == UPDATED_MS
    for name, type_, data in (
        ("updatedAt", "master_data", V2_MASTER_ORDER),
        ("updatedAt", "order_data", V2_ORDER),
    ):
        assert read(type_, {**data, name: value}).timestamp == UPDATED_MS
    fields = {**V2_ORDER, "orderCreatedTime": value}
    assert read("order_data", fields).created_time == UPDATED_MS
    assert detail("order_data", fields).order_created_time == UPDATED_MS


@pytest.mark.parametrize("value", [1720000000, "1720000000000", 1720000000000000, "1.72e18"])
def test_a_number_of_milliseconds_is_right_in_any_unit(value: Any) -> None:
    exact = detail("master_data", {**V2_MASTER_ORDER, "startTimeMs": value, "finishedMs": value})
    assert (exact.start_time_ms, exact.finished_ms) == (1720000000000, 1720000000000)


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


FAULTS = [
    ("order_data", "filledQuantity", "abc", "is no number"),
    ("order_data", "filledNotional", "nan", "is no number"),
    ("order_data", "averagePrice", "Infinity", "is no number"),
    ("order_data", "quantity", "1_000", "is no number"),
    ("order_data", "price", "1e999", "is no number"),
    ("order_data", "price", "٣", "is no number"),
    ("order_data", "price", True, "is no number"),
    ("order_data", "price", [1], "is no number"),
    ("order_data", "price", {"a": 1}, "is no number"),
    ("order_data", "price", "null", "is no number"),
    ("order_data", "quantity", "9" * 5000, "is no number"),
    ("order_data", "orderCreatedTime", "yesterday", "is no time"),
    ("order_data", "updatedAt", "yesterday", "is no time"),
    ("order_data", "updatedAt", 10**21, "is no time"),
    ("master_data", "povLimit", "abc", "is no number"),
    ("master_data", "makerRate", "12%", "is no number"),
    ("master_data", "totalQuantity", "many", "is no number"),
    ("master_data", "finishedMs", "1.5", "is no whole number of 64 bits"),
    ("master_data", "finishedMs", 2**64 - 1, "is no whole number of 64 bits"),
    ("master_data", "finishedMs", "9223372036854775808", "is no whole number of 64 bits"),
    ("master_data", "finishedMs", "1e300", "is no whole number of 64 bits"),
    ("master_data", "maxTriggerWaitSecs", 2.5, "is no whole number of 64 bits"),
    ("master_data", "startTimeMs", "2026-07-03T09:46:40Z", "is no number"),
    ("master_data", "enableMake", "maybe", "is neither true nor false"),
    ("master_data", "isMargin", "N/A", "is neither true nor false"),
    ("master_data", "enableMake", 2, "is neither true nor false"),
    ("master_data", "commission", "5", "is no object of numbers"),
    ("master_data", "commission", [], "is no object of numbers"),
]


@pytest.mark.parametrize(("type_", "field", "value", "why"), FAULTS)
def test_a_field_that_cant_be_read_costs_that_field_alone(
    type_: str, field: str, value: Any, why: str
) -> None:
    data = V2_MASTER_ORDER if type_ == "master_data" else V2_ORDER
    text = push(type_, {**data, field: value})
    decoded = wire.decode(text)
    assert decoded is not None
    assert decoded.message == read(type_, {**data, field: None})
    if field != "updatedAt":  # that stands in the detail as the venue wrote it
        assert detail(type_, {**data, field: value}) == detail(type_, {**data, field: None})
    (fault,) = decoded.faults
    error = wire.unreadable(fault, text)
    assert (error.raw, error.path) == (text, f"$.data.{field}")
    assert str(error).startswith(f"$.data.{field}: ")
    assert str(error).endswith(why)
    assert len(str(error)) < 120
    bare = json.dumps({**data, field: value})
    again = wire.decode_object(type_, bare)
    assert (again.message, len(again.faults)) == (decoded.message, 1)
    assert wire.unreadable(again.faults[0], bare, "catch_up").path == f"$.{field}"


def test_what_can_be_read_of_a_field_is_kept() -> None:
    fields = {**V2_MASTER_ORDER, "commission": {"BNB": "abc", "USDT": "0.12"}}
    decoded = wire.decode(push("master_data", fields))
    assert decoded is not None
    assert [fault.field for fault in decoded.faults] == ["commission.BNB"]
    assert detail("master_data", fields).commission == {"USDT": Decimal("0.12")}


def test_each_field_that_cant_be_read_is_named() -> None:
    decoded = wire.decode(push("order_data", {**V2_ORDER, "price": "a", "quantity": "b"}))
    assert decoded is not None
    assert sorted(fault.field for fault in decoded.faults) == ["price", "quantity"]


@pytest.mark.parametrize("value", ["NaN", "1e999", "-Infinity", "9" * 5000])
def test_what_is_no_json_within_one_field_costs_that_field_alone(value: str) -> None:
    decoded = wire.decode(
        push("order_data", '{"id": "7", "status": "PLACED", "price": ' + value + "}")
    )
    assert decoded is not None
    assert isinstance(decoded.message, OrderMessage)
    assert (decoded.message.status, decoded.message.price) == ("PLACED", 0.0)
    assert [fault.field for fault in decoded.faults] == ["price"]


def read_alike(type_: str, text: str) -> Any:
    """What the fast way reads, if it accepts the text; the careful way must read the same."""
    try:
        shape = decoding._shape(type_, text)
        fast = decoding._FAST_MESSAGES[type(shape)](shape)
    except (*decoding._REFUSED, Unreadable):
        return None
    careful = decoding._read_object(type_, "", fields_of(text))
    assert (fast, ()) == (careful.message, careful.faults)
    return shape


@given(altered(scalars))
@example(("master_data", {**V1_MASTER_ORDER, "date": 1720000000.1234}))
@example(("master_data", {**V1_MASTER_ORDER, "date": "1E-4"}))
@example(("master_data", {**V1_MASTER_ORDER, "ticktime_int": "0.99999999999999999999"}))
@example(("order_data", {**V1_ORDER, "timestamp": "1720000000122.99999999999999999"}))
@example(("order_data", {**V1_ORDER, "category": "", "marketType": "SPOT"}))
def test_the_fast_and_the_careful_way_give_equal_results(
    sample: tuple[str, dict[str, Any]],
) -> None:
    type_, data = sample
    read_alike(type_, json.dumps(data))


json_numbers = st.from_regex(
    r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True
) | st.sampled_from(["-0", "0E+400", "-0.0", "1E-400", "0e0", "1.0", "-0E-5", "10E-1", "true"])


fields_and_pieces = st.sampled_from(
    [(type_, data, field) for type_, data in MESSAGES for field in data if field != "type"]
)


@given(fields_and_pieces, json_numbers | json_numbers.map(lambda number: f'"{number}"'))
@example(("master_data", V2_MASTER_ORDER, "mustComplete"), "-0")
@example(("order_data", V1_ORDER, "created_time"), '"0E+400"')
def test_what_the_fast_way_accepts_the_careful_way_and_the_detail_read_alike(
    sample: tuple[str, dict[str, Any], str], piece: str
) -> None:
    type_, data, field = sample
    text = json.dumps({**data, field: "HERE"}).replace('"HERE"', piece)
    shape = read_alike(type_, text)
    if shape is None:
        return
    if field != "duration_secs":  # V1's may have a fraction, for which the detail has no room
        faults: list[Unreadable] = []
        detail_of(type(shape), fields_of(text), faults)
        assert faults == []
