"""V1's objects are the documented messages."""

from __future__ import annotations

from typing import Any

import pytest
from samples import (
    V1_FILL,
    V1_MASTER_ORDER,
    V1_ORDER,
    push,
    read,
)

from qehost.events.wire.decoding import glance
from qehost.messages import (
    FillMessage,
    MasterOrderMessage,
    OrderMessage,
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


@pytest.mark.parametrize(
    ("type_", "data"),
    [("master_data", V1_MASTER_ORDER), ("order_data", V1_ORDER), ("order_data", V1_FILL)],
)
@pytest.mark.parametrize("more", [{"newField": {"a": [1]}}, {"fillQty": None, "clientId": None}])
def test_a_field_more_changes_nothing_and_goes_the_fast_way(
    type_: str, data: dict[str, Any], more: dict[str, Any]
) -> None:
    assert read(type_, {**data, **more}) == read(type_, data)
    assert glance(push(type_, {**data, **more})) == glance(push(type_, data))
    assert glance(push(type_, data)) is not None


def test_v1_without_a_cumulative_quantity_has_what_was_filled() -> None:
    fields = {name: value for name, value in V1_ORDER.items() if name != "cum_filled_qty"}
    for nothing in ({}, {"cum_filled_qty": 0}, {"cum_filled_qty": None}):
        assert read("order_data", {**fields, **nothing}).cum_filled_qty == V1_ORDER["fill_qty"]
