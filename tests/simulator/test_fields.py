"""The fields of requests: what is read, and what is refused with the field's name."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qehost.simulator.fields import created, filters, json_object, updated, whole
from qehost.simulator.refusal import RestRefusal

ORDER = {
    "exchange": "Binance",
    "marketType": "SPOT",
    "symbol": "BTCUSDT",
    "side": "buy",
    "algorithm": "TWAP",
    "executionDurationSeconds": 60,
    "totalQuantity": "1.50",
}


@pytest.mark.parametrize(("body", "read"), [(b"", {}), (b'{"a": 1}', {"a": 1})])
def test_a_body_is_an_object_or_empty(body: bytes, read: dict[str, Any]) -> None:
    assert json_object(body) == read


@given(st.binary(max_size=40))
def test_no_body_does_worse_than_a_refusal(body: bytes) -> None:
    with contextlib.suppress(RestRefusal):
        assert isinstance(json_object(body), dict)


def test_a_new_order_is_named_and_typed_as_in_the_messages() -> None:
    assert created({**ORDER, "isMargin": True, "unknown": 1}) == {
        "exchange": "Binance",
        "side": "buy",
        "algorithm": "TWAP",
        "execution_duration_seconds": 60,
        "total_quantity": Decimal("1.50"),
        "is_margin": True,
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"symbol": ""}, "symbol is required"),
        ({"side": "long"}, "side must be buy or sell"),
        ({"orderNotional": "5"}, "exactly one of totalQuantity and orderNotional"),
        ({"totalQuantity": ""}, "exactly one of totalQuantity and orderNotional"),
        ({"totalQuantity": "much"}, "totalQuantity must be a decimal number"),
        ({"totalQuantity": "NaN"}, "totalQuantity must be a decimal number"),
        ({"isMargin": "yes"}, "isMargin must be true or false"),
        ({"executionDurationSeconds": 10}, "executionDurationSeconds must be greater than 10"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_by_the_fields_name(
    change: dict[str, Any], said: str
) -> None:
    with pytest.raises(RestRefusal, match=said):
        created({**ORDER, **change})


def test_what_can_be_changed_is_read_and_the_rest_refused() -> None:
    assert updated({"worstPrice": "9.0", "mustComplete": False}) == {
        "worst_price": Decimal("9.0"),
        "must_complete": False,
    }
    with pytest.raises(RestRefusal, match="symbol can't be updated"):
        updated({"symbol": "ETHUSDT"})
    with pytest.raises(RestRefusal, match="nothing to update"):
        updated({})


def test_a_query_is_read_in_snake_case_with_its_times() -> None:
    query = {"masterOrderId": "m", "side": "", "startTime": "2026-11-25T02:00:00Z", "page": "1"}
    wanted, since, until = filters(query, ("masterOrderId", "side"))
    assert (wanted, since) == ({"master_order_id": "m"}, datetime(2026, 11, 25, 2, tzinfo=UTC))
    assert until is None
    # Without a zone it is UTC.
    assert filters({"endTime": "2026-11-25T02:00:00"}, ())[2] == since
    with pytest.raises(RestRefusal, match="startTime must be RFC 3339"):
        filters({"startTime": "yesterday"}, ())


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "x", "٣"])
def test_a_whole_number_begins_at_1(text: str) -> None:
    assert whole({}, "page", 1) == 1
    assert whole({"page": "20"}, "page", 1) == 20
    with pytest.raises(RestRefusal, match="page must be a whole number from 1"):
        whole({"page": text}, "page", 1)
