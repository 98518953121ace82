from __future__ import annotations

from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qehost.blotter.child_figures import (
    count,
    take_cumulative,
    take_figures,
    take_interval,
    take_push,
)
from qehost.blotter.entries import ChildEntry, MasterEntry

D = Decimal


def entry() -> ChildEntry:
    return ChildEntry("main", "1", "1", "mo-1", rank=1)


def test_where_most_is_filled_counts_in_any_order() -> None:
    figures = [(D(1), D(10), D(10), 1), (D(3), D(36), D(12), 2), (D(2), D(22), D(11), 3)]
    for order in permutations(figures):
        child = entry()
        for each in order:
            take_figures(child, *each)
        assert (child.filled, child.notional, child.average) == (3, 36, 12)


def test_of_one_quantity_what_was_said_last_counts_and_what_says_nothing_never() -> None:
    figures = [(D(1), D(10), None, 1), (D(1), D(11), None, 2), (D(1), None, None, 3)]
    for order in permutations(figures):
        child = entry()
        for each in order:
            take_figures(child, *each)
        assert child.notional == 11


def test_the_same_figures_again_are_no_news() -> None:
    child = entry()
    assert take_figures(child, D(1), D(10), D(10), 1)
    assert not take_figures(child, D(1), D(10), D(10), 2)
    assert not take_figures(child, D(0), None, None, 3)


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 15)), min_size=1, max_size=12),
    st.randoms(use_true_random=False),
)
def test_fills_tell_each_part_once_in_any_order(
    fills: list[tuple[int, int]], chance: object
) -> None:
    """As many units are told as the intervals cover together."""
    covered = {unit for since, size in fills for unit in range(since, since + size)}
    chance.shuffle(fills)  # type: ignore[attr-defined]
    child = entry()
    told = sum(take_interval(child, D(since), D(since + size)) for since, size in fills)
    assert told == len(covered)
    assert child.told == max(covered) + 1


def test_fills_alone_say_how_far_an_order_is_filled() -> None:
    child = entry()
    take_cumulative(child, D(0), D(5), D(50), 1)
    take_cumulative(child, D(5), D(8), D(36), 2)
    assert (child.filled, child.notional) == (8, 86)
    take_cumulative(child, D(9), D(10), D(10), 3)  # what was between is not known
    assert (child.filled, child.notional) == (10, None)
    take_figures(child, D(10), D(105), None, 4)
    assert child.notional == 105


def test_a_push_counts_once_however_many_there_are() -> None:
    child = entry()
    for _ in range(2):
        for seq in range(1, 1000):
            take_push(child, D(1), D(10), seq)
    assert (child.pushed_quantity, child.pushed_worth) == (999, 9990)
    assert child.pushed is not None
    assert len(child.pushed) < 300


@pytest.mark.parametrize(
    ("notional", "average", "due"),
    [
        (D("100.02"), D("50.01"), (D("100.02"), D("50.01"))),
        (D(200), D(50), (D(200), D(50))),  # contracts
        (None, D(50), (D(100), D(50))),
        (D(100), None, (D(100), D(50))),
        (None, None, (None, None)),
    ],
)
def test_the_sums_of_a_master_order_follow_its_child_order(
    notional: Decimal | None, average: Decimal | None, due: tuple[Decimal | None, Decimal | None]
) -> None:
    from qehost.blotter.copies import master_state
    from qehost.blotter.entries import AccountEntry

    master, child = MasterEntry("main", "mo-1"), entry()
    for filled in (1, 2):
        of_all = None if notional is None else notional * filled / 2
        take_figures(child, D(filled), of_all, average, filled)
        count(child, master)
        count(child, master)
    made = master_state(master, AccountEntry("main"))
    assert (made.filled, made.notional, made.average) == (2, *due)


def test_what_becomes_known_of_a_price_is_added_later() -> None:
    master, child = MasterEntry("main", "mo-1"), entry()
    take_figures(child, D(2), None, None, 1)
    count(child, master)
    assert (master.unpriced, master.unpriced_filled) == (1, 2)
    take_figures(child, D(2), D(100), D(50), 2)
    count(child, master)
    assert (master.unpriced, master.unpriced_filled, master.notional) == (0, 0, 100)


@pytest.mark.parametrize(
    ("status", "is_final", "counts"),
    [
        ("PLACED", False, [1, 0, 0, 0]),
        ("FILLED", True, [0, 1, 0, 0]),
        ("EXPIRED", True, [0, 0, 1, 0]),
        ("rejected", True, [0, 0, 0, 1]),
    ],
)
def test_child_orders_are_counted_by_what_became_of_them(
    status: str, is_final: bool, counts: list[int]
) -> None:
    master, child = MasterEntry("main", "mo-1"), entry()
    count(child, master)
    child.status, child.is_final = status, is_final
    count(child, master)
    assert master.counts == counts
    assert list(master.open_children) == ([] if is_final else ["1"])
