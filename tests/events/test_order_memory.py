"""Which order an update is of, and that its fills add up, whatever else comes in between."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from venue_account import Account, at, child, epoch_ms, master

from qehost.events.fills import CumulativeFill
from qehost.events.order_memory import OrderMemory, Told, created_ms
from qehost.events.pushes import Pushes
from qehost.events.wire.v1 import V1Fill
from qehost.events.wire.v2 import V2Order
from qehost.events.wire.values import Unreadable

START = 1_783_072_000_000


class Orders:
    """A memory of the given size, and the stream that tells of its orders."""

    def __init__(self, size: int = 20_000) -> None:
        self.memory = OrderMemory(size)
        self.pushes = Pushes(self.memory)

    def update(
        self,
        filled: object,
        order_id: str = "x-1",
        venue_id: str = "",
        second: int = 0,
        status: str = "PLACED",
        notional: str = "",
    ) -> Decimal | None:
        """The quantity of the fill that an update brings, if it is told without a mark."""
        shape = V2Order(
            id=venue_id,
            order_id=order_id,
            master_order_id="m-1",
            status=status,
            filled_quantity=str(filled),
            filled_notional=notional,
            updated_at=str(START + 1000 * second),
        )
        told = self.pushes.note[V2Order](shape, self.memory.texts.add(("",)))
        if not isinstance(told, CumulativeFill):
            return None
        return Decimal(str(filled)) - Decimal(told.filled_quantity or 0)

    def push(self, quantity: float, second: int, order_id: str = "x-1") -> Told | bool:
        moment = START + 1000 * second
        shape = V1Fill("m-1", order_id, "", "", "", 100.0, quantity, moment, moment)
        told = self.pushes.note[V1Fill](shape, self.memory.texts.add(("",)))
        assert not isinstance(told, CumulativeFill)
        return told


# --- which order it is ----------------------------------------------------------------------------


def test_an_amended_order_goes_on_under_its_new_id_at_the_exchange() -> None:
    account = Account()
    account.push(child("PLACED", 40, orderId="A"))
    assert account.push(child("PLACED", 60, orderId="B"))[-1] == "fill 20"
    # A late state of the former one is told, and is not the order's.
    assert account.push(child("CANCELLED", 40, orderId="A")) == ["CANCELLED 40"]
    assert account.push(child("PLACED", 70, orderId="B")) == ["PLACED 70", "fill 10"]
    assert account.read(child("PLACED", 70, orderId="B")) == []


def test_a_late_state_from_before_an_amendment_is_stale() -> None:
    account = Account()
    account.push(child("PLACED", 0, at(1), orderId="A"), child("CANCELLED", 0, at(2), orderId="B"))
    assert account.push(child("PLACED", 0, at(1), orderId="A")) == ["stale PLACED 0"]


@pytest.mark.parametrize("ended", ["PLACED", "CANCELLED", "FILLED"])
def test_an_id_that_comes_late_is_a_former_one_and_books_nothing(ended: str) -> None:
    account = Account()
    account.push(child(ended, 60, at(2), orderId="B"))
    assert account.push(child("PLACED", 40, at(1), orderId="A")) == ["stale PLACED 40"]
    assert account.push(child("PLACED", 40, at(1, 0), orderId="A")) == ["stale PLACED 40"]
    assert account.push(child("FILLED", 70, at(3), orderId="B")) == ["FILLED 70", "fill 10"]


def test_two_states_of_one_time_in_the_wrong_order_do_not_hide_what_follows() -> None:
    account = Account()
    account.push(child("PLACED", 0, at(1), orderId="B"), child("PLACED", 0, at(1), orderId="A"))
    assert account.read(child("FILLED", 7, at(2), orderId="B")) == ["catch_up FILLED 7", "fill 7"]
    account = Account()
    account.push(child("PLACED", 0, at(1), orderId="B"), child("PLACED", 0, at(1), orderId="A"))
    assert account.push(child("PLACED", 7, at(2), orderId="B")) == ["PLACED 7", "fill 7"]


def test_an_answer_of_rest_from_before_an_amendment_is_no_news() -> None:
    account = Account()
    account.push(child("PLACED", 40, orderId="A"))
    asked = account.ask()
    account.push(child("PLACED", 60, orderId="C"))
    assert account.read(child("PLACED", 50, orderId="B"), asked=asked) == []
    assert account.push(child("PLACED", 70, orderId="C"))[-1] == "fill 10"


@pytest.mark.parametrize(("ended", "filled"), [("FILLED", 40), ("REJECTED", 0), ("CANCELLED", 0)])
def test_an_id_that_an_ended_order_had_may_be_given_again(ended: str, filled: int) -> None:
    account = Account()
    anew = {"orderId": "0", "orderCreatedTime": at(500)}
    account.push(child(ended, filled, at(1), orderId="0"))
    assert account.push(child("PLACED", 30, at(501), **anew)) == ["PLACED 30", "fill 30"]
    assert account.read(child("FILLED", 90, at(502), **anew)) == ["catch_up FILLED 90", "fill 60"]


@pytest.mark.parametrize("first_id", ["0", "", "A"])
def test_what_rest_said_before_an_id_was_given_again_is_no_news_of_the_new_order(
    first_id: str,
) -> None:
    account = Account()
    first = child("FILLED", 40, at(1), orderId=first_id)
    account.push(first)
    asked = account.ask()
    anew = {"orderId": "B", "orderCreatedTime": at(500)}
    assert account.push(child("PLACED", 0, at(501), **anew)) == ["PLACED 0"]
    assert account.read(first, asked=asked) == []
    assert account.read(child("PLACED", 30, at(502), **anew)) == ["catch_up PLACED 30", "fill 30"]


def test_an_order_may_be_cancelled_to_be_amended() -> None:
    account = Account()
    account.push(child("CANCELLED", 40, orderId="A"))
    assert account.push(child("PLACED", 60, orderId="B")) == ["PLACED 60", "fill 20"]


def test_an_id_that_begins_anew_after_the_venue_set_its_clock_back_is_another_order() -> None:
    account = Account()
    account.push(child("FILLED", 60, at(90_000), orderCreatedTime=at(90_000)))
    anew = {"orderId": "x-1", "orderCreatedTime": at(3_600)}
    # By its time it may as well be an order from before the other one.
    assert account.push(child("PLACED", 30, at(3_601), **anew)) == [
        "PLACED 30",
        "redelivered fill 30",
    ]
    assert account.read(child("FILLED", 90, at(3_602), **anew)) == ["catch_up FILLED 90", "fill 60"]
    # This one was overtaken.
    account.push(child("FILLED", 60, at(90_000), id="c-2", orderCreatedTime=at(90_000)))
    late = child("PLACED", 60, at(89_990), id="c-2", orderCreatedTime=at(89_990))
    assert account.push(late) == ["stale PLACED 60"]


def test_an_amended_order_whose_figures_begin_anew_is_filled_from_nothing() -> None:
    account = Account()
    account.push(child("PLACED", 40, orderId="A"))
    assert account.push(child("PLACED", 0, orderId="B")) == ["PLACED 0"]
    assert account.push(child("PLACED", 15, orderId="B")) == ["PLACED 15", "fill 15"]
    assert account.push(child("PLACED", 45, orderId="A")) == ["PLACED 45", "fill 5"]


def test_an_id_of_an_order_before_it_was_filled_that_comes_late_is_stale() -> None:
    account = Account()
    account.push(child("FILLED", 60, at(2), orderId="B", orderCreatedTime=at(1)))
    late = child("PLACED", 0, at(2), orderId="A", orderCreatedTime=at(1))
    assert account.push(late) == ["stale PLACED 0"]
    assert account.read(child("FILLED", 60, at(2), orderId="B", orderCreatedTime=at(1))) == []


def test_what_comes_with_the_id_of_an_order_that_was_filled_is_another_order() -> None:
    account = Account()
    account.push(child("FILLED", 40, orderId="A"))
    assert account.push(child("PLACED", 60, orderId="B")) == ["PLACED 60", "fill 60"]


@pytest.mark.parametrize("order_id", ["0", "", "null", "same"])
@pytest.mark.parametrize("master_id", ["m-1", ""])
def test_two_child_orders_with_one_id_at_their_exchange_have_their_own_fills(
    order_id: str, master_id: str
) -> None:
    account = Account()
    ids = {"orderId": order_id, "masterOrderId": master_id}
    assert account.push(child("PLACED", 40, id="c-1", **ids))[-1] == "fill 40"
    assert account.push(child("PLACED", 30, id="c-2", **ids))[-1] == "fill 30"
    assert account.push(child("PLACED", 50, id="c-1", **ids))[-1] == "fill 10"
    # The exchange gives them their ids after the first fills.
    named = {"masterOrderId": master_id}
    assert account.push(child("PLACED", 60, id="c-1", orderId="x-1", **named))[-1] == "fill 10"
    assert account.push(child("PLACED", 35, id="c-2", orderId="x-2", **named))[-1] == "fill 5"


def test_ids_in_another_case_are_the_same_ids() -> None:
    account = Account()
    account.push(child("PLACED", 40, id="Ab", orderId="Cd", masterOrderId="Ef"))
    other = child("PLACED", 60, id="aB", orderId="cD", masterOrderId="eF")
    assert account.push(other)[-1] == "fill 20"
    account.push(master("COMPLETED", masterOrderId="Ef"))
    assert account.push(master("PAUSED", masterOrderId="eF")) == ["stale master PAUSED"]


@pytest.mark.parametrize("left_out", ["orderId", "masterOrderId", "id"])
def test_an_update_that_lacks_an_id_is_of_the_same_order(left_out: str) -> None:
    account = Account()
    account.push(child("PLACED", 10))
    assert account.push(child("PLACED", 20, **{left_out: ""}))[-1] == "fill 10"
    assert account.read(child("PLACED", 30, **{left_out: ""}))[-1] == "fill 10"
    assert account.push(child("PLACED", 50))[-1] == "fill 20"


def test_a_master_order_whose_id_comes_again_is_another_one() -> None:
    account = Account()
    account.push(master("COMPLETED", 100, createdAt=at(0)))
    assert account.push(master("PROCESSING", 0, createdAt=at(500))) == ["master PROCESSING"]
    # The same time, written less exactly.
    assert account.push(master("PAUSED", 0, createdAt=at(500, 0))) == ["master PAUSED"]
    # A late state of the former one.
    assert account.push(master("PROCESSING", 100, createdAt=at(0))) == ["stale master PROCESSING"]
    assert account.read(master("COMPLETED", 100, createdAt=at(0))) == []
    assert account.push(master("PAUSED", 0, createdAt=at(500))) == ["master PAUSED"]


def test_an_earlier_master_order_is_no_news_after_the_end_of_the_one_that_has_its_id_now() -> None:
    account = Account()
    earlier = master("CANCELLED", 7, at(3), createdAt=at(0))
    account.push(earlier)
    asked = account.ask()
    account.push(master("COMPLETED", 0, at(50), createdAt=at(50)))
    late = master("PROCESSING", 7, at(2), createdAt=at(0))
    assert account.push(late) == ["stale master PROCESSING"]
    account.push(master("COMPLETED", 0, at(5_000), createdAt=at(5_000)))
    assert account.read(earlier, asked=asked) == []


def test_a_late_state_of_an_earlier_order_is_none_of_the_one_that_has_its_id_now() -> None:
    account = Account()
    account.push(child("FILLED", 51, at(2), orderId="A", orderCreatedTime=at(1)))
    anew = {"orderId": "0", "orderCreatedTime": at(30)}
    assert account.push(child("FILLED", 7, at(30), **anew)) == ["FILLED 7", "fill 7"]
    late = child("PLACED", 38, at(1), orderId="A", orderCreatedTime=at(1))
    assert account.push(late) == ["stale PLACED 38"]


def test_a_late_repeat_of_an_earlier_order_is_none_of_the_one_that_has_its_id_now() -> None:
    account = Account()
    first = child("FILLED", 6, at(2), orderId="A", orderCreatedTime=at(1))
    account.push(first)
    anew = child("FILLED", 150, at(100), orderId="B", orderCreatedTime=at(100))
    assert account.push(anew) == ["FILLED 150", "fill 150"]
    assert account.push(first) == ["FILLED 6"]
    assert account.read(anew) == []


def test_a_late_state_of_an_earlier_master_order_is_stale_though_a_clock_was_set_back() -> None:
    account = Account()
    account.push(master("COMPLETED", 154, at(86_400), createdAt=at(86_400)))
    account.push(master("COMPLETED", 100, at(30), createdAt=at(30)))
    late = master("PROCESSING", 154, at(86_400), createdAt=at(86_400))
    assert account.push(late) == ["stale master PROCESSING"]


def test_less_at_an_earlier_time_with_another_id_is_from_before_an_amendment() -> None:
    account = Account()
    account.push(child("CANCELLED", 77, at(3_600), orderId="B"))
    assert account.push(child("PLACED", 0, at(5), orderId="A")) == ["stale PLACED 0"]


@pytest.mark.parametrize("time", ["", at(2)])
def test_less_with_an_unknown_id_may_be_from_before_an_amendment_and_its_fill_is_marked(
    time: str,
) -> None:
    account = Account()
    account.push(child("PLACED", 60, time, orderId="B"))
    late = child("PLACED", 40, time, orderId="A")
    assert account.push(late) == ["PLACED 40", "redelivered fill 40"]
    account = Account()
    account.push(child("PLACED", 60, at(2), orderId="B"))
    later = child("PLACED", 40, at(4), orderId="C")
    assert account.push(later) == ["PLACED 40", "fill 40"]


def test_less_with_an_unknown_id_is_marked_where_rest_has_told_of_the_order_alone() -> None:
    account = Account()
    account.read(child("CANCELLED", 62, at(2), orderId="B"))
    late = child("PLACED", 57, at(3_600), orderId="A")
    assert account.push(late) == ["PLACED 57", "redelivered fill 57"]
    # Until more is filled of it than may have been told.
    late = child("PLACED", 62, at(3_600), orderId="A")
    assert account.push(late) == ["PLACED 62", "redelivered fill 5"]
    assert account.push(child("PLACED", 70, at(3_601), orderId="A"))[-1] == "fill 8"


def test_an_order_without_any_id_tells_its_state_and_that_its_fill_is_not_told() -> None:
    account = Account()
    nameless = {"id": "", "orderId": "0"}
    assert account.push(child("PLACED", 0, **nameless)) == ["PLACED 0"]
    assert account.push(child("PLACED", 10, **nameless)) == ["PLACED 10", "decode"]
    assert account.push(child("PLACED", 10)) == ["PLACED 10", "fill 10"]


# --- within bounds --------------------------------------------------------------------------------


def test_the_memory_is_bounded_and_keeps_what_changes() -> None:
    orders = Orders(100)
    orders.update("0.1", "open")
    for number in range(1000):
        orders.update("0.1", f"o-{number}", second=number, status="FILLED")
        if number % 90 == 0:
            assert orders.update("0.1", "open", second=number) is None
        assert len(orders.memory) <= 200
    assert orders.update("0.3", "open", second=2000) == Decimal("0.2")


def test_a_partly_filled_order_is_not_forgotten() -> None:
    orders = Orders(100)
    orders.update(5, "open", "77")
    orders.push(0.5, 1, "pushed")
    for number in range(1000):
        orders.update("0.1", f"o-{number}", second=number, status="FILLED")
    assert orders.update(6, "", "77", second=2000) == 1
    assert orders.update("0.5", "pushed", second=2001) is None


def test_an_absurd_time_does_not_mark_the_fills_of_new_orders() -> None:
    orders = Orders(10)
    orders.memory.received((START + 10_000) * 10**6)
    orders.update("0.1", "absurd", second=10**12)
    orders.update("0.1", "tomorrow", second=80_000)
    for number in range(100):
        orders.memory.received((START + 10_000 + number) * 10**6)
        assert orders.update("0.1", f"o-{number}", second=11 + number) is not None


def test_a_repeat_of_an_order_that_was_forgotten_is_a_fill_with_a_mark() -> None:
    orders = Orders(100)
    for number in range(1000):
        assert orders.update("0.1", f"o-{number}", second=number, status="FILLED") is not None
    for number in range(800):
        assert orders.update("0.1", f"o-{number}", second=number, status="FILLED") is None
    assert orders.update("0.1", "new", second=3000) is not None


def test_an_order_is_adopted_as_an_earlier_process_knew_it() -> None:
    earlier, later = Orders(), Orders()
    earlier.update(5, "a", "77", second=1)
    earlier.push(0.1, 2, "b")
    earlier.update(5, "done", second=3, status="FILLED")
    later.update(3, "", "77")
    later.memory.adopt(earlier.memory.known())
    assert later.update("0.1", "b", second=3) is None
    assert later.update(5, "done", second=3, status="FILLED") is None
    assert later.update(6, "a", "77", second=3) == 1


# --- fills ----------------------------------------------------------------------------------------


def test_what_v1_pushed_is_not_derived_again() -> None:
    orders = Orders()
    assert orders.push(0.1, 1) is True
    assert orders.push(0.19999999999999998, 2) is True
    assert orders.update("0.3", second=3) is None
    assert orders.update("0.5", second=4) == Decimal("0.2")


def test_figures_too_far_apart_are_an_error_and_change_nothing() -> None:
    orders = Orders()
    orders.update("1E-300", notional="1")
    with pytest.raises(Unreadable, match="filledQuantity"):
        orders.update("1E+300", notional="1")
    assert orders.update("1E-300", notional="1") is None


def test_a_price_beyond_a_float_is_an_error() -> None:
    with pytest.raises(Unreadable, match="filledQuantity"):
        Orders().update("1E-200", notional="1E+200")


digits = st.decimals(min_value=0, max_value=10**9, places=8)
one_update = st.tuples(digits, st.sampled_from(["PLACED", "FILLED", "CANCELLED"]), st.booleans())


@given(st.lists(one_update, min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_the_fills_of_an_order_add_up_to_what_was_filled_in_any_order(
    updates: list[tuple[Decimal, str, bool]], random: Any
) -> None:
    updates = updates + updates[: len(updates) // 2]
    random.shuffle(updates)
    account = Account()
    for filled, status, is_pushed in updates:
        (account.push if is_pushed else account.read)(child(status, filled, at(1)))
    assert account.filled == max(filled for filled, _, _ in updates)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 4),
            st.integers(0, 3),
            st.sampled_from(["", "id", "orderId", "masterOrderId"]),
            st.integers(0, 12),
        ),
        max_size=60,
    )
)
def test_open_orders_are_filled_once_whatever_else_comes_in_between(
    updates: list[tuple[int, int, str, int]],
) -> None:
    """Five of them in a memory for eight, with finished ones in between, ids left out at times."""
    memory = OrderMemory(8)
    pushes = Pushes(memory)
    filled, told, finished = [1] * 5, [0] * 5, 0

    def note(number: int, left_out: str = "") -> None:
        ids = {"id": f"v-{number}", "order_id": f"x-{number}", "master_order_id": "m"}
        ids[{"orderId": "order_id", "masterOrderId": "master_order_id"}.get(left_out, "id")] = (
            "" if left_out else f"v-{number}"
        )
        shape = V2Order(**ids, filled_quantity=str(filled[number]))
        before = pushes.note[V2Order](shape, memory.texts.add(("",)))
        if isinstance(before, CumulativeFill):
            told[number] += filled[number] - int(before.filled_quantity or 0)

    for number in range(5):
        note(number)
    for number, more, left_out, others in updates:
        filled[number] += more
        note(number, left_out)
        for _ in range(others):
            finished += 1
            shape = V2Order(order_id=f"y-{finished}", status="FILLED", filled_quantity="1")
            pushes.note[V2Order](shape, memory.texts.add(("",)))
        assert told == filled


@given(st.text("0123456789.-eE+", max_size=12), st.text("0123456789.", max_size=6))
def test_no_figure_raises_anything_else(filled: str, notional: str) -> None:
    account = Account()
    for text in (filled, "1E+300", filled, "1E-300"):
        account.push(child("PLACED", 0, filledQuantity=text, filledNotional=notional))


def test_a_creation_time_that_can_t_be_read_is_none() -> None:
    assert created_ms("", at(1)) == epoch_ms(1)
    assert created_ms("yesterday", at(1)) == 0
