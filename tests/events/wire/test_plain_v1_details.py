"""The fast way to V1's exact figures gives what the careful way gives, or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from odd_values import odd, written
from samples import V1_FILL, V1_MASTER_ORDER, V1_ORDER

from qehost.events.wire import lenient
from qehost.events.wire.aliases import ALIASES
from qehost.events.wire.decoding import Shape
from qehost.events.wire.details import detail_of
from qehost.events.wire.plain_v1_details import fill_detail, master_order_detail, order_detail
from qehost.events.wire.v1 import V1Fill, V1MasterOrder, V1Order

FAST: dict[str, Callable[[str], object]] = {
    "master_order": master_order_detail,
    "order": order_detail,
    "fill": fill_detail,
}
SHAPES: dict[str, type[Shape]] = {
    "master_order": V1MasterOrder,
    "order": V1Order,
    "fill": V1Fill,
}
SAMPLES = {"master_order": V1_MASTER_ORDER, "order": V1_ORDER, "fill": V1_FILL}
NUMBERS = ("-0", "-0.0", "0", "0.00", "100", "100.10", "1E-8", "1e400", "-1e400", "1e308", "9e307")


def careful(type_: str, text: str) -> object:
    return detail_of(SHAPES[type_], lenient.fields_of(text))


def with_number(type_: str, name: str, number: str, end: str = "") -> str:
    """The object with a number as it is written."""
    text = json.dumps(SAMPLES[type_] | {name: "HERE"})
    return text.replace('"HERE"', number + end)


@pytest.mark.parametrize("type_", FAST)
def test_what_the_venue_documents_goes_the_fast_way(type_: str) -> None:
    text = json.dumps(SAMPLES[type_])
    made = FAST[type_](text)
    assert made is not None
    assert written(made) == written(careful(type_, text))


def test_no_digit_is_lost() -> None:
    made = order_detail(with_number("order", "quantity", "123456789012345678901234567890.10"))
    assert made is not None
    assert str(made.quantity) == "123456789012345678901234567890.10"


@pytest.mark.parametrize(
    ("type_", "name"),
    [
        *(("order", name) for name in ("price", "quantity", "cum_filled_qty", "fill_price")),
        *(("fill", name) for name in ("filled_qty", "fill_price", "fill_time")),
        *(("master_order", name) for name in ("qty", "duration_secs", "timestamp")),
    ],
)
@pytest.mark.parametrize("end", ["", " ", "\n"])
@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_is_what_is_written(type_: str, name: str, number: str, end: str) -> None:
    text = with_number(type_, name, number, end)
    made = FAST[type_](text)
    if made is not None:
        assert written(made) == written(careful(type_, text))


@pytest.mark.parametrize("number", ["100", "0", "100.10", "1E-8", "0.0"])
def test_plain_numbers_go_the_fast_way(number: str) -> None:
    made = order_detail(with_number("order", "price", number))
    assert made is not None
    assert str(made.price) == str(Decimal(number))


@pytest.mark.parametrize("type_", FAST)
@given(data=st.data())
def test_whatever_a_field_holds_both_ways_agree(type_: str, data: Any) -> None:
    sample = SAMPLES[type_]
    names = data.draw(st.lists(st.sampled_from(sorted(set(sample) - {"type"})), max_size=3))
    changed = dict(sample)
    for name in names:
        if data.draw(st.booleans()):
            changed[name] = data.draw(odd)
        else:
            changed.pop(name, None)
    text = json.dumps(changed)
    made = FAST[type_](text)
    if made is not None:
        assert written(made) == written(careful(type_, text))


@pytest.mark.parametrize("type_", FAST)
@given(
    name=st.sampled_from(sorted({alias for names in ALIASES.values() for alias in names})),
    left_out=st.sampled_from(sorted(set(V1_ORDER) - {"type"})),
)
@example(name="fill_qty", left_out="cum_filled_qty")
def test_other_names_of_fields_are_left_to_the_careful_way(
    type_: str, name: str, left_out: str
) -> None:
    changed = {key: value for key, value in SAMPLES[type_].items() if key != left_out}
    text = json.dumps({**changed, name: changed.get(name, 7)})
    made = FAST[type_](text)
    if made is not None:
        assert written(made) == written(careful(type_, text))


@pytest.mark.parametrize("name", ["masterOrderId", "orderId", "clientOrderId", "id"])
@pytest.mark.parametrize("type_", FAST)
def test_what_may_be_an_object_of_v2_is_left_to_the_careful_way(type_: str, name: str) -> None:
    assert FAST[type_](json.dumps(SAMPLES[type_] | {name: "7"})) is None


@pytest.mark.parametrize("type_", FAST)
@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"type":"order"}', '{"a":' * 9999])
def test_what_is_no_object_with_an_id_is_left_to_the_careful_way(type_: str, text: str) -> None:
    assert FAST[type_](text) is None
