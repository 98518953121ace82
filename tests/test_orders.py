"""What is known of each order: fills derived exactly and once, states told once, within bounds."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qehost.fills import Before, derive, fill_message
from qehost.messages import FillDetail
from qehost.orders import Lost, Orders
from qehost.wire.shapes import Unreadable, V1Fill, V1Order, V2MasterOrder, V2Order, order_message

START = 1_720_000_000_000


def update(
    orders: Orders,
    filled: str,
    notional: str = "",
    average: str = "",
    *,
    order_id: str = "x-1",
    venue_id: str = "",
    at: int = 1,
    status: str = "PLACED",
    from_rest: bool = False,
) -> FillDetail | None:
    """The fill that an update of a V2 child order brings."""
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
    told = orders.catch_up(shape) if from_rest else orders.note(shape)
    before = told.before if isinstance(told, Lost) else told
    if not isinstance(before, Before):
        return None
    fill = derive(order_message(shape), shape, before)
    fill_message(fill)
    return fill


def push(orders: Orders, quantity: float, at: int, order_id: str = "x-1") -> bool:
    moment = START + at
    told = orders.note(
        V1Fill("m-1", order_id, "BTC", "spot", "buy", 100.0, quantity, moment, moment)
    )
    assert isinstance(told, bool)
    return told


def v1_order(filled: float) -> V1Order:
    return V1Order(order_id="x-1", master_order_id="m-1", cum_filled_qty=filled)


def lacking(ids: dict[str, str], name: str) -> dict[str, str]:
    return {**ids, name: ""} if name else ids


def quantity(fill: FillDetail | None) -> str | None:
    return None if fill is None else str(fill.quantity)


def test_a_fill_is_the_difference_between_two_updates() -> None:
    orders = Orders()
    update(orders, "0.10", "10.010")
    assert update(orders, "0.30", "30.130", at=123) == FillDetail(
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
    assert quantity(update(Orders(), "0.10", "10")) == "0.10"


@pytest.mark.parametrize("nothing", ["", "0", "0.00000000", "-1"])
def test_an_order_without_a_fill_gives_none(nothing: str) -> None:
    assert update(Orders(), nothing) is None


def test_repeated_and_late_updates_give_no_fill() -> None:
    orders = Orders()
    update(orders, "0.3", "30")
    for filled in ("0.3", "0.30", "3E-1", "0.1", "0", "", "-5"):
        assert update(orders, filled, "10") is None
    assert quantity(update(orders, "0.4", "40")) == "0.1"


def test_the_average_price_stands_in_for_a_notional_that_was_not_sent() -> None:
    orders = Orders()
    first = update(orders, "0.1", "", "100.1")
    second = update(orders, "0.2", "0", "100.2")
    assert first is not None
    assert second is not None
    assert (first.price, first.notional) == (Decimal("100.1"), Decimal("10.01"))
    assert (second.price, second.notional) == (Decimal("100.3"), Decimal("10.03"))


def test_a_notional_is_not_compared_with_an_average_that_was_rounded() -> None:
    orders = Orders()
    update(orders, "3", "", "33.33")
    fill = update(orders, "3.001", "100.0333", "33.33")
    assert fill is not None
    assert fill.price == Decimal("33.33")
    fill = update(orders, "3.002", "", "33.33")
    assert fill is not None
    assert fill.price == Decimal("33.33")


def test_a_fill_whose_price_nobody_told_has_none() -> None:
    fill = update(Orders(), "0.1")
    assert fill is not None
    assert (fill.price, fill.notional, fill.quantity) == (None, None, Decimal("0.1"))


def test_a_price_without_end_has_34_digits() -> None:
    fill = update(Orders(), "3", "10")
    assert fill is not None
    assert fill.price == Decimal("3." + "3" * 33)
    assert fill.notional == 10


def test_orders_are_told_apart_and_keep_their_id() -> None:
    orders = Orders()
    assert quantity(update(orders, "0.1", order_id="x-1")) == "0.1"
    assert quantity(update(orders, "0.1", order_id="x-2")) == "0.1"
    # The exchange's id came after the first fill.
    assert quantity(update(orders, "0.1", order_id="", venue_id="77")) == "0.1"
    assert quantity(update(orders, "0.3", order_id="x-3", venue_id="77")) == "0.2"
    assert quantity(update(orders, "0.4", order_id="x-3", venue_id="77")) == "0.1"


@pytest.mark.parametrize("left_out", ["order_id", "master_order_id", "id"])
@pytest.mark.parametrize("from_rest", [False, True])
def test_an_update_that_lacks_an_id_is_of_the_same_order(left_out: str, from_rest: bool) -> None:
    orders = Orders()
    ids = {"master_order_id": "m-1", "order_id": "x-1", "id": "77"}
    assert isinstance(orders.note(V2Order(**ids, filled_quantity="1")), Before)
    part = V2Order(**lacking(ids, left_out), filled_quantity="2")
    told = orders.catch_up(part) if from_rest else orders.note(part)
    assert told == Before("1")
    assert orders.note(V2Order(**ids, filled_quantity="5")) == Before("2")
    assert len(orders) == 1


def test_a_venue_s_id_that_two_orders_share_does_not_make_one_of_them() -> None:
    orders = Orders()
    first = V2Order(master_order_id="m-1", order_id="x-1", id="77", filled_quantity="1")
    for other in ({"order_id": "x-2"}, {"master_order_id": "m-2"}):
        orders.note(first)
        told = orders.note(msgspec.structs.replace(first, **other))
        assert told == Before()


def test_orders_without_any_id_take_no_other_order_s_place() -> None:
    orders = Orders()
    orders.note(V2Order(master_order_id="m-1", filled_quantity="3"))
    assert update(orders, "1") is not None
    assert quantity(update(orders, "4")) == "3"


def test_an_order_without_any_id_gives_no_fill() -> None:
    assert update(Orders(), "0.1", order_id="") is None


def test_figures_too_far_apart_are_an_error_and_change_nothing() -> None:
    orders = Orders()
    update(orders, "1E-300", "1")
    with pytest.raises(Unreadable, match="filledQuantity"):
        update(orders, "1E+300", "1")
    assert update(orders, "1E-300", "1") is None
    assert len(orders) == 1


def test_a_price_beyond_a_float_is_an_error() -> None:
    with pytest.raises(Unreadable, match="filledQuantity"):
        update(Orders(), "1E-200", "1E+200")


def test_the_memory_is_bounded_and_keeps_what_changes() -> None:
    orders = Orders(100)
    update(orders, "0.1", order_id="open", at=1)
    for number in range(1000):
        update(orders, "0.1", order_id=str(number), at=1000 + number, status="FILLED")
        if number % 90 == 0:
            assert update(orders, "0.1", order_id="open", at=1000 + number) is None
        assert len(orders) <= 200
    assert quantity(update(orders, "0.3", order_id="open", at=2000)) == "0.2"
    assert update(orders, "0.1", order_id="999", at=2001) is None


def test_a_partly_filled_order_is_not_forgotten() -> None:
    orders = Orders(100)
    update(orders, "5", order_id="open", venue_id="77", at=1)
    push(orders, 0.5, at=1, order_id="pushed")
    for number in range(1000):
        update(orders, "0.1", order_id=str(number), at=1000 + number, status="FILLED")
    assert quantity(update(orders, "6", order_id="", venue_id="77", at=2000)) == "1"
    assert update(orders, "0.5", "50", order_id="pushed", at=2001) is None


def test_partly_filled_orders_are_remembered_within_bounds() -> None:
    orders = Orders(10)
    for number in range(1000):
        update(orders, "0.1", order_id=str(number), venue_id=f"v-{number}", at=1000 + number)
    assert len(orders.open_orders()) == 10
    for number in range(990, 1000):
        again = update(orders, "0.3", order_id="", venue_id=f"v-{number}", at=2000 + number)
        assert quantity(again) == "0.2"


def test_an_order_is_adopted_as_an_earlier_process_knew_it() -> None:
    earlier, later = Orders(), Orders()
    update(earlier, "5", order_id="a", venue_id="77", at=1)
    push(earlier, 0.1, at=2, order_id="b")
    update(earlier, "5", order_id="done", at=3, status="FILLED")
    saved = earlier.open_orders()
    assert [key for key, _ in saved] == [("m-1", "a"), ("m-1", "b")]
    update(later, "3", order_id="", venue_id="77", at=0)
    later.adopt(saved)
    assert update(later, "0.1", "10", order_id="b", at=3) is None
    assert quantity(update(later, "6", order_id="a", venue_id="77", at=3)) == "1"


def test_an_absurd_time_does_not_silence_the_fills_of_new_orders() -> None:
    orders = Orders(10)
    orders.now = START + 1000
    update(orders, "0.1", order_id="absurd", at=10**15)
    for number in range(100):
        orders.now += 1
        assert update(orders, "0.1", order_id=str(number), at=2000 + number) is not None


def test_a_late_duplicate_of_a_forgotten_order_is_no_second_fill() -> None:
    orders = Orders(100)
    updates = [(str(number), 1000 + number) for number in range(1000)]
    for order_id, at in updates:
        assert update(orders, "0.1", order_id=order_id, at=at, status="FILLED") is not None
    for order_id, at in updates:
        assert update(orders, "0.1", order_id=order_id, at=at, status="FILLED") is None
    assert update(orders, "0.1", order_id="new", at=3000) is not None


def test_what_v1_pushed_is_not_derived_again() -> None:
    orders = Orders()
    assert push(orders, 0.1, at=1000)
    assert push(orders, 0.2, at=2000)
    assert update(orders, "0.3", "30", at=2001) is None
    missed = update(orders, "0.5", "50", at=3000)
    assert missed is not None
    assert missed.quantity == Decimal("0.2")


def test_a_late_push_of_a_fill_that_was_derived_is_a_duplicate() -> None:
    orders = Orders()
    assert update(orders, "0.3", "30", at=2000) is not None
    assert not push(orders, 0.2, at=1999)
    assert push(orders, 0.1, at=2500)
    assert update(orders, "0.4", "40", at=2600) is None


def test_what_floats_round_away_is_no_fill() -> None:
    orders = Orders()
    push(orders, 0.1, at=1000)
    push(orders, 0.19999999999999998, at=2000)
    assert update(orders, "0.3", "30", at=2001) is None
    assert quantity(update(orders, "0.5", "50", at=3000)) == "0.2"


def test_two_v1_orders_of_one_time_are_two_though_the_first_was_derived() -> None:
    orders = Orders()
    orders.note(v1_order(0.3))
    assert update(orders, "0.3", "30", at=2000) is not None
    assert not push(orders, 0.3, at=2000)
    orders.note(v1_order(0.4))
    assert push(orders, 0.1, at=2000)
    assert update(orders, "0.4", "40", at=2000) is None


def test_what_v1_did_not_push_is_derived_with_its_price() -> None:
    orders = Orders()
    assert push(orders, 0.1, at=1000)  # at 100
    missed = update(orders, "0.3", "50", at=3000)
    assert missed is not None
    assert (missed.quantity, missed.price) == (Decimal("0.2"), Decimal(200))


digits = st.decimals(min_value=0, max_value=10**9, places=8)
one_update = st.tuples(
    digits.map(str), st.sampled_from(["PLACED", "FILLED", "CANCELLED"]), st.booleans()
)


@given(st.lists(one_update, min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_the_orders_of_an_order_add_up_to_what_was_filled_in_any_order(
    updates: list[tuple[str, str, bool]], random: Any
) -> None:
    updates = updates + updates[: len(updates) // 2]
    random.shuffle(updates)
    orders = Orders()
    derived = [
        update(orders, filled, str(Decimal(filled) * 7) if priced else "", "7", status=status)
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


@given(
    st.lists(
        st.tuples(
            st.integers(0, 4),
            st.integers(0, 3),
            st.sampled_from(["", "id", "order_id", "master_order_id"]),
            st.integers(0, 12),
        ),
        max_size=60,
    )
)
def test_open_orders_are_filled_once_whatever_else_comes_in_between(
    updates: list[tuple[int, int, str, int]],
) -> None:
    """Five of them in a memory for eight, with finished ones in between, ids left out at times."""
    orders = Orders(8)
    filled, told, finished = [1] * 5, [0] * 5, 0

    def note(number: int, left_out: str = "") -> None:
        ids = {"id": f"v-{number}", "order_id": f"x-{number}", "master_order_id": "m"}
        before = orders.note(V2Order(**lacking(ids, left_out), filled_quantity=str(filled[number])))
        if isinstance(before, Before):
            told[number] += filled[number] - int(before.filled_quantity or 0)

    for number in range(5):
        note(number)
    for number, more, left_out, others in updates:
        filled[number] += more
        note(number, left_out)
        for _ in range(others):
            finished += 1
            update(orders, "1", order_id=f"y-{finished}", at=finished, status="FILLED")
        assert told == filled


@given(st.text("0123456789.-eE+", max_size=12), st.text("0123456789.", max_size=6))
def test_no_figure_raises_anything_else(filled: str, notional: str) -> None:
    orders = Orders()
    for text in (filled, "1E+300", filled, "1E-300"):
        try:
            update(orders, text, notional)
        except Unreadable:
            continue


# --- states -----------------------------------------------------------------------------------


def streamed(orders: Orders, *state: Any, order: str = "o") -> bool:
    told = orders.note(master_order(order, *state))
    assert isinstance(told, bool)
    return told


def caught_up(orders: Orders, *state: Any, order: str = "o") -> bool:
    told = orders.catch_up(master_order(order, *state))
    assert isinstance(told, bool)
    return told


def master_order(order: str, at: int, status: str, filled: float = 0.0) -> V2MasterOrder:
    return V2MasterOrder(
        master_order_id=order,
        status=status,
        cum_filled_qty=filled,
        updated_at=str(START + at) if at else "",
    )


def test_a_state_that_the_stream_brought_is_not_caught_up() -> None:
    orders = Orders()
    assert streamed(orders, 10, "PLACED")
    assert not caught_up(orders, 10, "PLACED")
    assert caught_up(orders, 10, "PLACED", order="other")


def test_a_state_that_was_caught_up_is_not_streamed_again() -> None:
    orders = Orders()
    assert caught_up(orders, 10, "PLACED")
    assert not streamed(orders, 10, "PLACED")
    assert not caught_up(orders, 10, "PLACED")
    assert streamed(orders, 11, "FILLED", 1.0)


def test_the_stream_is_never_held_back_for_its_own_states() -> None:
    orders = Orders()
    assert streamed(orders, 10, "PLACED")
    assert streamed(orders, 10, "PLACED")
    assert streamed(orders, 9, "PLACED")


def test_rest_does_not_take_an_order_back_in_time() -> None:
    orders = Orders()
    streamed(orders, 10, "FILLED", 1.0)
    streamed(orders, 9, "PLACED", 0.5)  # late
    assert not caught_up(orders, 8, "PLACED")
    assert not caught_up(orders, 9, "PLACED", 0.5)
    assert caught_up(orders, 11, "CANCELLED", 1.0)


def test_a_state_that_grew_is_new_whatever_its_time() -> None:
    orders = Orders()
    assert quantity(update(orders, "0.5", at=10)) == "0.5"
    assert quantity(update(orders, "1.0", at=9, status="FILLED", from_rest=True)) == "0.5"
    assert orders.note(child(9, "FILLED", "1.0")) is False


def child(at: int, status: str, filled: str) -> V2Order:
    return V2Order(
        order_id="x-1",
        master_order_id="m-1",
        status=status,
        filled_quantity=filled,
        updated_at=str(START + at),
    )


def test_states_at_one_time_are_told_apart() -> None:
    orders = Orders()
    streamed(orders, 10, "PLACED")
    streamed(orders, 10, "FILLED", 1.0)
    assert not caught_up(orders, 10, "PLACED")
    assert not caught_up(orders, 10, "FILLED", 1.0)
    assert caught_up(orders, 10, "CANCELLED", 1.0)


def test_a_state_without_a_time_is_only_compared() -> None:
    orders = Orders()
    streamed(orders, 10, "FILLED", 1.0)
    assert caught_up(orders, 0, "CANCELLED", 1.0)
    assert not caught_up(orders, 0, "CANCELLED", 1.0)


def test_the_memory_of_states_keeps_the_last() -> None:
    orders = Orders(10)
    for number in range(100):
        streamed(orders, 1, "NEW", order=str(number))
        assert len(orders) <= 20
    assert not any(caught_up(orders, 1, "NEW", order=str(number)) for number in range(90, 100))
