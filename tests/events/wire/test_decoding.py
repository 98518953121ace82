"""Any text is a message, or a DecodeError that says where."""

from __future__ import annotations

import json
import string
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import (
    MESSAGES,
    V1_FILL,
    V1_MASTER_ORDER,
    V1_ORDER,
    V1_TYPES,
    V2_MASTER_ORDER,
    V2_MESSAGES,
    V2_ORDER,
    altered,
    detail,
    push,
    read,
    scalars,
)

from qehost.errors import DecodeError
from qehost.events import wire
from qehost.messages import (
    MasterOrderEvent,
    OrderEvent,
)

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


@pytest.mark.parametrize("outer", ["data", "master_data", "order_data"])
@pytest.mark.parametrize("inner", ["left out", "", None])
@pytest.mark.parametrize("data", [V1_MASTER_ORDER, V1_ORDER, V1_FILL])
def test_v1_is_recognised_by_its_fields_where_it_has_no_type(
    outer: str, inner: str | None, data: dict[str, Any]
) -> None:
    fields = {name: value for name, value in data.items() if name != "type"}
    if inner != "left out":
        fields["type"] = inner
    assert read(outer, fields) == read("data", data)
    assert detail(outer, fields) == detail("data", data)


@pytest.mark.parametrize("data", [V2_MASTER_ORDER, V2_ORDER])
def test_v2_is_recognised_by_its_fields_where_the_outer_type_says_nothing(
    data: dict[str, Any],
) -> None:
    outer = "order_data" if data is V2_ORDER else "master_data"
    assert read("data", data) == read(outer, data)


@pytest.mark.parametrize("data", ["", "hello", "[1]", "5"])
def test_data_that_is_plain_text_is_handed_on_raw(data: str) -> None:
    assert read("data", data) is None


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
        '{"type":"order_data","data":"\\ud800"}',
    ],
    ids=lambda text: repr(text[:40]),
)
def test_what_is_no_message_is_a_decode_error(text: str) -> None:
    with pytest.raises(DecodeError) as caught:
        wire.decode(text)
    assert caught.value.raw == text
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("as_object", [False, True])
def test_a_new_field_of_any_depth_costs_nothing(as_object: bool) -> None:
    deep = "[" * 1000 + "]" * 1000
    inner = json.dumps(V2_ORDER)[:-1] + ', "new": ' + deep + "}"
    text = push("order_data", inner)
    if as_object:
        text = '{"type": "order_data", "messageId": "id-1", "data": ' + inner + "}"
    decoded = wire.decode(text)
    assert decoded is not None
    assert decoded.message == read("order_data", V2_ORDER)
    assert decoded.faults == ()
    event = OrderEvent(1, "main", "", 0, "stream", False, text, decoded.message)
    assert wire.detail(event) == detail("order_data", V2_ORDER)


def test_deep_nesting_in_a_field_nobody_reads_is_no_error() -> None:
    deep = "[" * 500 + "]" * 500
    assert read("order_data", '{"status": "PLACED", "new": ' + deep + "}").status == "PLACED"


def test_half_of_a_surrogate_pair_never_reaches_a_message() -> None:
    for data in ('{"status": "\\ud800x"}', '{"status": "\\udc00x"}', '{"symbol": "a\\ud83d"}'):
        with suppress(DecodeError):
            msgspec.msgpack.encode(read("order_data", data))


# --- details ----------------------------------------------------------------------------------


values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


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
    assert all(wire.unreadable(fault, text).path.startswith("$.data.") for fault in decoded.faults)


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
