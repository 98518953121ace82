"""The fast way to exact figures gives what the careful way gives, or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from odd_values import odd, written
from samples import V2_MASTER_ORDER, V2_ORDER

from qehost.events.wire import lenient
from qehost.events.wire.aliases import ALIASES
from qehost.events.wire.decoding import V2_SHAPES
from qehost.events.wire.details import detail_of
from qehost.events.wire.plain_details import master_order_detail, order_detail
from qehost.messages import MasterOrderDetail, OrderDetail

PLAIN_MASTER_ORDER = V2_MASTER_ORDER | {
    "isMargin": False,
    "mustComplete": True,
    "povMinLimit": "0.1",
    "lowTolerance": "",
    "strictUpBound": "",
    "enableMake": True,
    "commission": {"BNB": "0.00120", "USDT": ""},
    "triggerPrice": "0.5",
    "maxTriggerWaitTimeoutAction": 3,
}
FAST: dict[str, Callable[[str], MasterOrderDetail | OrderDetail | None]] = {
    "master_data": master_order_detail,
    "order_data": order_detail,
}
SAMPLES = {"master_data": PLAIN_MASTER_ORDER, "order_data": V2_ORDER}


def careful(type_: str, text: str) -> MasterOrderDetail | OrderDetail:
    made = detail_of(V2_SHAPES[type_], lenient.fields_of(text))
    assert isinstance(made, MasterOrderDetail | OrderDetail)
    return made


@pytest.mark.parametrize("type_", FAST)
def test_what_the_venue_documents_goes_the_fast_way(type_: str) -> None:
    text = json.dumps(SAMPLES[type_])
    made = FAST[type_](text)
    assert written(made) == written(careful(type_, text))
    assert made is not None


def test_no_digit_is_lost() -> None:
    made = order_detail(json.dumps(V2_ORDER | {"quantity": "123456789012345678901234567890.10"}))
    assert made is not None
    assert str(made.quantity) == "123456789012345678901234567890.10"


@pytest.mark.parametrize("type_", FAST)
@given(data=st.data())
def test_whatever_a_field_holds_both_ways_agree(type_: str, data: Any) -> None:
    sample = SAMPLES[type_]
    names = data.draw(st.lists(st.sampled_from(sorted(sample)), max_size=3))
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
    left_out=st.sampled_from(sorted(V2_ORDER)),
)
@example(name="type", left_out="id")
def test_other_names_of_fields_are_left_to_the_careful_way(
    type_: str, name: str, left_out: str
) -> None:
    changed = {key: value for key, value in SAMPLES[type_].items() if key != left_out}
    text = json.dumps({**changed, name: changed.get(name, "7")})
    made = FAST[type_](text)
    if made is not None:
        assert written(made) == written(careful(type_, text))


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"masterOrderId":""}', '{"a":' * 9999])
def test_what_is_no_object_with_an_id_is_left_to_the_careful_way(text: str) -> None:
    assert order_detail(text) is None
    assert master_order_detail(text) is None


def test_a_fee_of_nothing_is_none() -> None:
    made = master_order_detail(json.dumps(PLAIN_MASTER_ORDER))
    assert made is not None
    assert made.commission == {"BNB": Decimal("0.00120")}


@pytest.mark.parametrize("empty", ["{}", "[]"])
@pytest.mark.parametrize("commission", [{}, {"BNB": "0.1"}])
def test_a_text_that_says_nothing_is_left_to_the_careful_way(
    empty: str, commission: dict[str, str]
) -> None:
    plain = PLAIN_MASTER_ORDER | {"commission": commission}
    assert master_order_detail(json.dumps(plain)) is not None
    assert master_order_detail(json.dumps(plain | {"notes": f"{empty} or none"})) is not None
    for place in ("notes", "rejectReason", "triggerPrice1"):
        assert master_order_detail(json.dumps(plain | {place: empty})) is None


def test_what_was_read_before_is_read_the_same_and_refused_the_same() -> None:
    for field, value in (("startTimeMs", "1712345000028"), ("worstPrice", "97.1")):
        text, odd_text = (
            json.dumps(PLAIN_MASTER_ORDER | {field: each}) for each in (value, f"{value}e")
        )
        for _ in range(2):
            assert written(master_order_detail(text)) == written(careful("master_data", text))
            assert master_order_detail(odd_text) is None
