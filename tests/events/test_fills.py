"""Fills out of the growth of a running fill: exact, whatever the venue leaves out."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qehost.events.fills import (
    NOTHING_FILLED,
    PRICE,
    CumulativeFill,
    derive,
    fill_message,
    notional_of,
)
from qehost.events.wire.v2 import V2Order, order_message
from qehost.events.wire.values import Unreadable
from qehost.messages import FillDetail

ORDER = order_message(
    V2Order(master_order_id="m", order_id="x", symbol="BTCUSDT", updated_at="1720000000007")
)
MOMENT = 1_720_000_000_007

amounts = st.decimals("1E-8", "1E+8", allow_nan=False, allow_infinity=False, places=8)

plain_amounts = st.decimals("0.0001", "1E+6", places=4)


def filled(quantity: object, notional: object = "", average: object = "") -> V2Order:
    return V2Order(
        filled_quantity=str(quantity), filled_notional=str(notional), average_price=str(average)
    )


def exact(now: V2Order, before: CumulativeFill = NOTHING_FILLED) -> FillDetail:
    return derive(ORDER, now, before)[1]


def told(now: V2Order, before: CumulativeFill = NOTHING_FILLED) -> tuple[float, float]:
    """Quantity and price of the message."""
    message, _ = derive(ORDER, now, before)
    return message.filled_qty, message.fill_price


@given(st.lists(st.tuples(amounts, amounts), min_size=1, max_size=8))
def test_quantities_and_notionals_add_up_to_the_last_digit(
    parts: list[tuple[Decimal, ...]],
) -> None:
    before, quantity, notional = NOTHING_FILLED, Decimal(0), Decimal(0)
    fills = []
    for more, worth in parts:
        quantity, notional = quantity + more, notional + worth
        fills.append(exact(filled(quantity, notional), before))
        before = CumulativeFill(str(quantity), str(notional))
    assert sum(fill.quantity for fill in fills if fill.quantity) == quantity
    assert sum(fill.notional for fill in fills if fill.notional) == notional
    assert fills[-1].cum_quantity == quantity


@given(
    st.lists(st.tuples(plain_amounts, plain_amounts), min_size=1, max_size=8),
    st.sampled_from(["", "-", "0"]),
)
def test_where_notional_and_average_agree_the_price_is_what_was_paid(
    parts: list[tuple[Decimal, Decimal]], sign: str
) -> None:
    """However the quantity is written: plain figures are read in a way of their own."""
    before, quantity, notional = NOTHING_FILLED, Decimal(0), Decimal(0)
    for more, price in parts:
        worth = more * price
        quantity, notional = quantity + more, notional + worth
        now = filled(f"{sign}{quantity:f}", f"{notional:f}", f"{notional / quantity:f}")
        message, fill = derive(order_message(now), now, before)
        paid = PRICE.divide(worth, more)
        assert (fill.quantity, fill.notional, fill.price) == (more, worth, paid)
        assert (message.filled_qty, message.fill_price) == (float(more), float(paid))
        before = CumulativeFill(now.filled_quantity, now.filled_notional, now.average_price)


def test_the_average_price_stands_in_for_both_notionals_or_for_none() -> None:
    # With the one notional that is there, the average's rounding would make up a price.
    fill = exact(filled("3", "", "10.5"), CumulativeFill("2", "20.01", "10.0"))
    assert (fill.notional, fill.price) == (Decimal("11.5"), Decimal("11.5"))


@given(st.lists(amounts, min_size=1, max_size=8), st.sampled_from(["", "0", "0.000"]))
def test_fills_by_a_steady_average_have_that_price(parts: list[Decimal], notional: str) -> None:
    before, quantity = NOTHING_FILLED, Decimal(0)
    for more in parts:
        quantity += more
        fill = exact(filled(quantity, notional, "7"), before)
        assert (fill.price, fill.notional) == (7, 7 * more)
        before = CumulativeFill(str(quantity), notional, "7")


# --- a price is 0.0 only where nothing is known -----------------------------------------------


def test_a_fill_of_which_nothing_was_said_but_its_quantity_has_no_price() -> None:
    fill = exact(filled("3"), CumulativeFill("2"))
    assert (fill.quantity, fill.notional, fill.price) == (Decimal(1), None, None)
    assert told(filled("3"), CumulativeFill("2")) == (1.0, 0.0)
    assert told(filled("3", "0", "0")) == (3.0, 0.0)


@pytest.mark.parametrize("before", [CumulativeFill("2"), CumulativeFill("2", "0", "0.00")])
@pytest.mark.parametrize("now", [filled("3", "30", "10"), filled("3", "", "10"), filled("3", "30")])
def test_where_it_is_not_known_what_was_paid_before_the_message_has_the_average(
    now: V2Order, before: CumulativeFill
) -> None:
    assert exact(now, before).price is None
    assert told(now, before) == (1.0, 10.0)


def test_figures_that_go_back_have_the_average_in_the_message() -> None:
    now, before = filled("3", "19"), CumulativeFill("2", "20")
    assert exact(now, before).price is None
    assert told(now, before) == (1.0, pytest.approx(19 / 3))


def test_a_price_that_the_averages_rounding_would_make_up_is_not_told() -> None:
    now, before = filled("3.001", "", "33.34"), CumulativeFill("3", "", "33.33")
    assert exact(now, before).price is None
    assert told(now, before) == (pytest.approx(0.001), 33.34)


# --- a notional that is not quantity × price --------------------------------------------------


@pytest.mark.parametrize(
    ("notional", "more"),
    [
        ("0.001", "0.004"),  # in coins: 100 contracts of 1 USD at 100,000
        ("100", "401.5"),  # in USD, the quantity in contracts of 1 USD
        ("10000", "40160"),  # contracts of 0.001
    ],
)
def test_the_price_comes_from_the_averages_where_the_notional_is_in_other_units(
    notional: str, more: str
) -> None:
    first, second = filled("100", notional, "100000"), filled("400", more, "100750")
    assert told(first) == (100.0, 100000.0)
    assert exact(first).notional == Decimal(notional)
    before = CumulativeFill("100", notional, "100000")
    assert told(second, before) == (300.0, 101000.0)
    assert exact(second, before).notional == Decimal(more) - Decimal(notional)


def test_units_are_not_mixed() -> None:
    before = CumulativeFill("100", "0.001")
    assert exact(filled("400", "0.004", "100750"), before).price is None
    assert told(filled("400", "0.004", "100750"), before) == (300.0, 100750.0)


@pytest.mark.parametrize(
    ("quantity", "notional", "average"),
    [
        ("3", "100.00", "33.33"),
        ("3", "100", "33"),
        ("7", "233.1", "33.3"),
        ("3", "100.05", "33.33"),
    ],
)
def test_what_differs_by_rounding_or_a_fee_is_worth_what_the_notional_says(
    quantity: str, notional: str, average: str
) -> None:
    assert exact(filled(quantity, notional, average)).notional == Decimal(notional)
    assert exact(filled(quantity, notional, average)).price == PRICE.divide(
        Decimal(notional), Decimal(quantity)
    )


# --- signs ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "before"),
    [
        (filled("-3", "-32", "10.7"), CumulativeFill("-2", "-20", "10")),
        (filled("-3", "32", "10.7"), CumulativeFill("-2", "20", "10")),
        (filled("3", "-32", "10.7"), CumulativeFill("2", "-20", "10")),
        (filled("-3", "-32"), CumulativeFill("-2", "-20")),
    ],
)
def test_signs_do_not_count_since_the_side_says_what_it_is(
    now: V2Order, before: CumulativeFill
) -> None:
    assert told(now, before) == (1.0, 12.0)
    fill = exact(now, before)
    assert (fill.quantity, fill.notional, fill.cum_quantity) == (1, 12, 3)


# --- what can't be told -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quantity", "notional"), [("1E+400", "1"), ("1E-300", "1E+300"), ("1E-390", "1E+10")]
)
def test_what_no_float_holds_is_unreadable(quantity: str, notional: str) -> None:
    with pytest.raises(Unreadable):
        derive(ORDER, filled(quantity, notional), CumulativeFill("1E-399", "1E-399"))


def test_a_documented_fill_has_the_orders_time_twice() -> None:
    message = fill_message(exact(filled("2", "5")))
    assert (message.fill_time, message.timestamp) == (MOMENT, MOMENT)
    assert (message.fill_price, message.filled_qty) == (2.5, 2.0)


@pytest.mark.parametrize(
    ("figures", "worth"),
    [
        (filled("2", "5", "2.5"), "5"),
        (filled("2", "", "9"), "18"),
        (filled("2", "0", "9"), "18"),
        (filled("2", "5", "9"), "18"),
    ],
)
def test_what_a_quantity_is_worth_is_the_notional_where_that_is_quantity_times_price(
    figures: V2Order, worth: str
) -> None:
    assert notional_of(Decimal(2), figures) == Decimal(worth)


def test_the_detail_says_whose_fill_it_is() -> None:
    fill = exact(filled("2", "5"))
    assert (fill.master_order_id, fill.order_id, fill.symbol) == ("m", "x", "BTCUSDT")


def test_a_fill_is_joined_to_its_order_by_the_venues_id_also_where_that_was_amended() -> None:
    state = V2Order(id="9071", filled_quantity="2", order_id="after the amendment")
    assert exact(state).id == "9071"
    assert exact(V2Order(filled_quantity="2")).id == ""
