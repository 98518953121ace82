"""How V2's objects become the documented messages."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from samples import (
    UPDATED_MS,
    V2_MASTER_ORDER,
    V2_ORDER,
    detail,
    read,
)

from qehost.messages import (
    MasterOrderMessage,
    OrderMessage,
)


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


def test_what_stands_in_for_a_missing_field() -> None:
    master_order = {**V2_MASTER_ORDER, "category": "", "updatedAt": None}
    assert read("master_data", master_order).category == "SPOT"
    assert read("master_data", master_order).timestamp == 1720000000123 - 1123
    order = {**V2_ORDER, "category": None, "marketType": "PERP", "orderId": "", "updatedAt": ""}
    assert read("order_data", order).category == "PERP"
    assert read("order_data", order).order_id == "77"
    assert read("order_data", order).timestamp == 1720000000123 - 1123


def test_an_order_without_a_fill_has_no_time_of_one() -> None:
    message = read("order_data", {**V2_ORDER, "filledQuantity": "0.000"})
    assert message.last_fill_time == 0
    assert message.quantity_remaining == 0.3


def test_the_remaining_quantity_is_exact() -> None:
    fields = {**V2_ORDER, "quantity": "0.3", "filledQuantity": "0.1"}
    assert read("order_data", fields).quantity_remaining == 0.2  # 0.3 - 0.1 is not
    fields = {**V2_ORDER, "quantity": "123456789.123456789", "filledQuantity": "1E-9"}
    assert read("order_data", fields).quantity_remaining == 123456789.123456788


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30))
def test_decimals_keep_every_digit_and_floats_are_the_nearest(number: Decimal) -> None:
    fields = {**V2_ORDER, "price": str(number), "averagePrice": str(number)}
    assert read("order_data", fields).price == float(number)
    assert read("order_data", fields).fill_price == float(number)
    exact = detail("order_data", fields)
    assert str(exact.price) == str(exact.average_price) == str(number)


@given(*(st.one_of(st.decimals(0, 10**n, places=n) for n in (3, 6, 12)) for _ in range(2)))
def test_the_remaining_quantity_is_the_float_nearest_to_the_exact_one(
    quantity: Decimal, filled: Decimal
) -> None:
    fields = {**V2_ORDER, "quantity": str(quantity), "filledQuantity": str(filled)}
    assert read("order_data", fields).quantity_remaining == float(quantity - filled)


def test_of_an_order_whose_quantity_is_not_known_nothing_remains() -> None:
    assert read("order_data", {**V2_ORDER, "quantity": ""}).quantity_remaining == 0.0
