"""Fills derived from child orders: exact, each increase once, within bounds."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qehost.fills import Fills
from qehost.messages import FillDetail, FillMessage, OrderMessage
from qehost.wire.shapes import Running, Unreadable, V2Order, order_message

START = 1_720_000_000_000


def update(
    fills: Fills,
    filled: str,
    notional: str = "",
    average: str = "",
    *,
    order_id: str = "x-1",
    venue_id: str = "",
    at: int = 1,
    status: str = "PLACED",
) -> FillDetail | None:
    shape = V2Order(
        id=venue_id,
        order_id=order_id,
        master_order_id="m-1",
        symbol="BTCUSDT",
        category="spot",
        side="buy",
        status=status,
        filled_quantity=filled,
        filled_notional=notional,
        average_price=average,
        updated_at=str(START + at),
    )
    return fills.update(order_message(shape), shape)


def push(fills: Fills, quantity: float, at: int, order_id: str = "x-1") -> bool:
    moment = START + at
    return fills.pushed(
        FillMessage("fill", "m-1", order_id, "BTC", "spot", "buy", 100.0, quantity, moment, moment)
    )


def v1_order(filled: float) -> OrderMessage:
    shape = V2Order(order_id="x-1", master_order_id="m-1", filled_quantity=str(filled))
    return order_message(shape)


def quantity(fill: FillDetail | None) -> str | None:
    return None if fill is None else str(fill.quantity)


def test_a_fill_is_the_difference_between_two_updates() -> None:
    fills = Fills()
    update(fills, "0.10", "10.010")
    assert update(fills, "0.30", "30.130", at=123) == FillDetail(
        master_order_id="m-1",
        order_id="x-1",
        symbol="BTCUSDT",
        category="spot",
        side="buy",
        price=Decimal("100.6"),
        quantity=Decimal("0.20"),
        notional=Decimal("20.120"),
        cum_quantity=Decimal("0.30"),
        fill_time=1_720_000_000_123,
    )


def test_a_first_update_that_has_a_fill_is_one_fill() -> None:
    assert quantity(update(Fills(), "0.10", "10")) == "0.10"


@pytest.mark.parametrize("nothing", ["", "0", "0.00000000", "-1"])
def test_an_order_without_a_fill_gives_none_and_takes_no_memory(nothing: str) -> None:
    fills = Fills()
    assert update(fills, nothing) is None
    assert len(fills) == 0


def test_repeated_and_late_updates_give_no_fill() -> None:
    fills = Fills()
    update(fills, "0.3", "30")
    for filled in ("0.3", "0.30", "3E-1", "0.1", "0", "", "-5"):
        assert update(fills, filled, "10") is None
    assert quantity(update(fills, "0.4", "40")) == "0.1"


def test_the_average_price_stands_in_for_a_notional_that_was_not_sent() -> None:
    fills = Fills()
    first = update(fills, "0.1", "", "100.1")
    second = update(fills, "0.2", "0", "100.2")
    assert first is not None
    assert second is not None
    assert (first.price, first.notional) == (Decimal("100.1"), Decimal("10.01"))
    assert (second.price, second.notional) == (Decimal("100.3"), Decimal("10.03"))


def test_a_fill_whose_price_nobody_told_has_none() -> None:
    fill = update(Fills(), "0.1")
    assert fill is not None
    assert (fill.price, fill.notional, fill.quantity) == (None, None, Decimal("0.1"))


def test_a_price_without_end_has_34_digits() -> None:
    fill = update(Fills(), "3", "10")
    assert fill is not None
    assert fill.price == Decimal("3." + "3" * 33)
    assert fill.notional == 10


def test_orders_are_told_apart_and_keep_their_id() -> None:
    fills = Fills()
    assert quantity(update(fills, "0.1", order_id="x-1")) == "0.1"
    assert quantity(update(fills, "0.1", order_id="x-2")) == "0.1"
    # The exchange's id came after the first fill.
    assert quantity(update(fills, "0.1", order_id="", venue_id="77")) == "0.1"
    assert quantity(update(fills, "0.3", order_id="x-3", venue_id="77")) == "0.2"
    assert quantity(update(fills, "0.4", order_id="x-3", venue_id="77")) == "0.1"


def test_an_order_without_any_id_gives_no_fill() -> None:
    assert update(Fills(), "0.1", order_id="") is None


def test_figures_too_far_apart_are_an_error_and_change_nothing() -> None:
    fills = Fills()
    update(fills, "1E-300", "1")
    with pytest.raises(Unreadable, match="filledQuantity"):
        update(fills, "1E+300", "1")
    assert update(fills, "1E-300", "1") is None
    assert len(fills) == 1


def test_a_price_beyond_a_float_is_an_error() -> None:
    with pytest.raises(Unreadable, match="filledQuantity"):
        update(Fills(), "1E-200", "1E+200")


def test_the_memory_is_bounded_and_finished_orders_go_first() -> None:
    fills = Fills(100)
    update(fills, "0.1", order_id="open", at=1)
    for number in range(1000):
        update(fills, "0.1", order_id=str(number), at=1000 + number, status="FILLED")
        assert len(fills) <= 100
    assert quantity(update(fills, "0.3", order_id="open", at=2000)) == "0.2"


def test_open_orders_are_bounded_too() -> None:
    fills = Fills(100)
    for number in range(1000):
        update(fills, "0.1", order_id=str(number), at=1000 + number)
        assert len(fills) <= 100


def test_a_late_duplicate_of_a_forgotten_order_is_no_second_fill() -> None:
    fills = Fills(100)
    updates = [(str(number), 1000 + number) for number in range(1000)]
    for order_id, at in updates:
        assert update(fills, "0.1", order_id=order_id, at=at, status="FILLED") is not None
    for order_id, at in updates:
        assert update(fills, "0.1", order_id=order_id, at=at, status="FILLED") is None
    assert update(fills, "0.1", order_id="new", at=3000) is not None


def test_what_v1_pushed_is_not_derived_again() -> None:
    fills = Fills()
    assert push(fills, 0.1, at=1000)
    assert push(fills, 0.2, at=2000)
    assert update(fills, "0.3", "30", at=2001) is None
    missed = update(fills, "0.5", "50", at=3000)
    assert missed is not None
    assert missed.quantity == Decimal("0.2")


def test_a_late_push_of_a_fill_that_was_derived_is_a_duplicate() -> None:
    fills = Fills()
    assert update(fills, "0.3", "30", at=2000) is not None
    assert not push(fills, 0.2, at=1999)
    assert push(fills, 0.1, at=2500)
    assert update(fills, "0.4", "40", at=2600) is None


def test_two_v1_fills_of_one_time_are_two_though_the_first_was_derived() -> None:
    fills = Fills()
    fills.ordered(v1_order(0.3))
    assert update(fills, "0.3", "30", at=2000) is not None
    assert not push(fills, 0.3, at=2000)
    fills.ordered(v1_order(0.4))
    assert push(fills, 0.1, at=2000)
    assert update(fills, "0.4", "40", at=2000) is None


def test_what_v1_did_not_push_is_derived_with_its_price() -> None:
    fills = Fills()
    assert push(fills, 0.1, at=1000)  # at 100
    missed = update(fills, "0.3", "50", at=3000)
    assert missed is not None
    assert (missed.quantity, missed.price) == (Decimal("0.2"), Decimal(200))


digits = st.decimals(min_value=0, max_value=10**9, places=8)
one_update = st.tuples(
    digits.map(str), st.sampled_from(["PLACED", "FILLED", "CANCELLED"]), st.booleans()
)


@given(st.lists(one_update, min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_the_fills_of_an_order_add_up_to_what_was_filled_in_any_order(
    updates: list[tuple[str, str, bool]], random: Any
) -> None:
    updates = updates + updates[: len(updates) // 2]
    random.shuffle(updates)
    fills = Fills()
    derived = [
        update(fills, filled, str(Decimal(filled) * 7) if priced else "", "7", status=status)
        for filled, status, priced in updates
    ]
    told = [fill for fill in derived if fill is not None]
    assert all(fill.quantity is not None and fill.quantity > 0 for fill in told)
    assert all(fill.price == 7 for fill in told)
    total = sum((fill.quantity for fill in told if fill.quantity is not None), Decimal(0))
    highest = max(Decimal(filled) for filled, _, _ in updates)
    assert total == highest
    assert sum((f.notional for f in told if f.notional is not None), Decimal(0)) == highest * 7
    if told:
        assert told[-1].cum_quantity == highest


@given(st.text("0123456789.-eE+", max_size=12), st.text("0123456789.", max_size=6))
def test_no_figure_raises_anything_else(filled: str, notional: str) -> None:
    fills = Fills()
    for text in (filled, "1E+300", filled, "1E-300"):
        try:
            order = V2Order(order_id="x", filled_quantity=text, filled_notional=notional)
            message: OrderMessage = order_message(order)
            running: Running = order
            fills.update(message, running)
        except Unreadable:
            continue
