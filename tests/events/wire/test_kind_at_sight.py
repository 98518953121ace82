"""A text's kind without its inner object: never another one than decoding finds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from qehost.errors import DecodeError
from qehost.events import wire
from qehost.events.codec import stream_event
from qehost.simulator.encode import pushes
from qehost.simulator.market import Market


def kind_of(text: str) -> str | None:
    try:
        return stream_event(wire.decode(text), 1, "main", 1, text).kind
    except DecodeError:
        return None


V2 = ("masterOrderId", "orderId", "clientOrderId", "id", "orderType", "type", "status", "symbol")
V1 = ("master_order_id", "order_id", "client_id", "filled_qty", "quantity", "type", "status")
VALUES = ("", "order", "fill", "master_order", "x-1", "12", '"type"')


def objects(names: tuple[str, ...]) -> st.SearchStrategy[dict[str, str]]:
    return st.dictionaries(st.sampled_from(names), st.sampled_from(VALUES), max_size=6)


@settings(max_examples=500)
@given(
    st.sampled_from(["data", "master_data", "order_data", "status", "error", "news"]),
    objects(V2) | objects(V1),
    st.booleans(),
    st.booleans(),
)
@example("order_data", {"masterOrderId": "m", "type": "master_order"}, True, True)
@example("data", {"type": "order", "master_order_id": "m"}, True, False)
def test_it_is_the_kind_that_decoding_finds_or_not_known(
    type_: str, fields: dict[str, Any], as_text: bool, is_compact: bool
) -> None:
    separators = (",", ":") if is_compact else None
    data: Any = json.dumps(fields, separators=separators) if as_text else fields
    outer = {"type": type_, "messageId": "1", "userId": "", "data": data}
    if data == fields and fields.get("id"):
        outer = {"data": data}  # an inner type alone
    text = json.dumps(outer, separators=separators)
    seen = wire.kind_at_sight(text)
    assert seen in (None, kind_of(text))


@pytest.mark.parametrize("form", ["v1", "v2"])
def test_the_venues_own_texts_are_known_at_sight(form: Any) -> None:
    market = Market(1, 1_712_345_000_000, 1)
    seen = set()
    for number in range(300):
        update = market.step(1_712_345_000_000 + number * 10)
        for _, raw in pushes(update, str(number), "user", form):
            text = raw.decode()
            assert wire.kind_at_sight(text) == kind_of(text)
            seen.add(kind_of(text))
    assert seen == (
        {"master_order", "order", "fill"} if form == "v1" else {"master_order", "order"}
    )
