from __future__ import annotations

from decimal import Decimal
from itertools import permutations

import pytest

from qehost.blotter.child_states import is_another_order, take_state
from qehost.blotter.entries import FINAL_RANK, FRESH_RANK, ChildEntry
from qehost.messages import OrderDetail


def rank(seq: int, *, final: bool = False, stale: bool = False) -> int:
    return seq + (FINAL_RANK if final else 0) + (0 if stale else FRESH_RANK)


def in_any_order(*states: tuple[OrderDetail, int, int]) -> set[tuple[str, str, bool]]:
    """The last state after these, in every order."""
    ends = set()
    for order in permutations(states):
        entry = ChildEntry("main", "1", "1", "mo-1")
        for state in order:
            take_state(entry, *state)
        ends.add((entry.status, entry.order_id, entry.is_final))
    return ends


def test_the_state_with_the_highest_number_is_the_last() -> None:
    assert in_any_order(
        (OrderDetail(order_id="x", status="PLACED"), rank(1), 10),
        (OrderDetail(order_id="x", status="Cancelack"), rank(3), 12),
        (OrderDetail(order_id="x", status="PLACED"), rank(2), 11),
    ) == {("Cancelack", "x", False)}


def test_a_state_that_ends_the_order_is_after_all_that_do_not() -> None:
    assert in_any_order(
        (OrderDetail(order_id="x", status="FILLED"), rank(2, final=True), 11),
        (OrderDetail(order_id="x", status="PLACED"), rank(3), 12),
        (OrderDetail(order_id="x", status="PLACED"), rank(4, stale=True), 9),
    ) == {("FILLED", "x", True)}


def test_an_amended_order_goes_on_under_its_new_id() -> None:
    assert in_any_order(
        (OrderDetail(order_id="x", status="PLACED"), rank(1), 100_000),
        (OrderDetail(order_id="y", status="PLACED"), rank(2), 110_000),
        (OrderDetail(order_id="x", status="CANCELLED"), rank(3, final=True), 110_500),
        (OrderDetail(order_id="z", status="PLACED"), rank(4), 120_000),
    ) == {("PLACED", "z", False)}


def test_an_order_without_an_id_yet_is_the_same_with_it() -> None:
    assert in_any_order(
        (OrderDetail(order_id="", status="PLACED"), rank(1), 100_000),
        (OrderDetail(order_id="x", status="PLACED"), rank(2), 110_000),
        (OrderDetail(order_id="0", status="CANCELLED"), rank(3, final=True), 120_000),
    ) == {("CANCELLED", "x", True)}


def test_an_order_that_was_amended_and_cancelled_unheard_has_ended() -> None:
    assert in_any_order(
        (OrderDetail(order_id="x", status="PLACED"), rank(1), 100_000),
        (OrderDetail(order_id="y", status="CANCELLED"), rank(2, final=True), 200_000),
    ) == {("CANCELLED", "y", True)}


def test_a_former_id_that_comes_late_does_not_end_the_order() -> None:
    assert in_any_order(
        (OrderDetail(order_id="y", status="PLACED"), rank(1), 110_000),
        (OrderDetail(order_id="x", status="CANCELLED"), rank(2, final=True), 105_000),
    ) == {("PLACED", "y", False)}


@pytest.mark.parametrize(
    ("status", "filled", "created", "is_another"),
    [
        ("FILLED", "5", 20_000, True),
        ("FILLED", "5", 10_500, False),  # the same time, written less exactly
        ("CANCELLED", "5", 20_000, False),  # it was amended, and its fills go on
        ("CANCELLED", "0", 20_000, True),
        ("PLACED", "0", 20_000, False),
    ],
)
def test_an_order_is_another_one_if_it_was_made_later_and_can_not_have_been_amended(
    status: str, filled: str, created: int, is_another: bool
) -> None:
    entry = ChildEntry("main", "1", "1", "mo-1", created=10_000, filled=Decimal(5))
    entry.status, entry.is_final = status, status != "PLACED"
    detail = OrderDetail(order_created_time=created)
    assert is_another_order(entry, detail, Decimal(filled)) is is_another
