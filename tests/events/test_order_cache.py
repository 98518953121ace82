"""Records of orders: found by any id, bounded, and none that is filled in part is forgotten."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qehost.events.order_cache import ChildCache, MasterCache
from qehost.events.order_records import ChildRecord

SIZE = 10


def find(cache: ChildCache, number: int, **changed: object) -> ChildRecord:
    record = cache.find("m", f"x-{number}", f"v-{number}")
    for name, value in changed.items():
        setattr(record, name, value)
    return record


@given(st.lists(st.integers(0, 60), max_size=300))
def test_the_last_ones_are_there_and_the_number_is_bounded(numbers: list[int]) -> None:
    cache = ChildCache(SIZE)
    for number in numbers:
        find(cache, number, is_known=True)
    last = list(dict.fromkeys(reversed(numbers)))[:SIZE]
    assert all(find(cache, number).is_known for number in last)
    assert len(cache) <= 2 * SIZE


def test_what_was_not_seen_for_long_is_forgotten_with_its_ids() -> None:
    cache = ChildCache(SIZE)
    for number in range(10 * SIZE):
        find(cache, number, is_known=True, moment=number)
    assert cache.forgotten_until == 9 * SIZE - 1
    assert cache.find_number("m", "x-0") is None
    assert find(cache, 10 * SIZE - 1).is_known
    assert not find(cache, 0).is_known


def test_one_absurd_time_does_not_make_all_that_comes_look_forgotten() -> None:
    cache = ChildCache(SIZE, lambda: 1000)
    for number in range(2 * SIZE):
        find(cache, number, moment=10**9 if number == 0 else 900)
    assert cache.forgotten_until == 1000


def test_an_order_that_is_filled_in_part_stays_until_it_is_finished() -> None:
    cache = ChildCache(SIZE)
    order = find(cache, 0, most=1.0)
    for number in range(1, 10 * SIZE):
        find(cache, number)
    assert find(cache, 0) is order
    order.is_final = True
    for number in range(1, 10 * SIZE):
        find(cache, number)
    assert find(cache, 0) is not order


def test_orders_that_are_filled_in_part_are_bounded_too() -> None:
    cache = ChildCache(SIZE)
    for number in range(100 * SIZE):
        find(cache, number, most=1.0)
    assert len(cache) == 2 * SIZE


@pytest.mark.parametrize("no_id", ["", "0", "-1", "null", "{}"])
def test_a_child_order_is_found_by_each_of_its_ids(no_id: str) -> None:
    cache = ChildCache(SIZE)
    order = cache.find("m", no_id, "v")
    # The exchange's id comes later.
    cache.rename(order, "m", "x")
    assert cache.find("m", "x", "v") is order
    assert cache.find("m", "x", no_id) is order
    assert cache.find("m", no_id, "v") is order
    assert cache.find(no_id, "x", "v") is order
    assert len(cache) == 1


def test_the_venue_s_id_may_come_after_the_exchange_s() -> None:
    cache = ChildCache(SIZE)
    order = cache.find("m", "x", "")
    assert cache.find("m", "x", "v") is order
    assert cache.find("m", "", "v") is order
    assert order.venue_id == "v"


def test_an_id_may_come_in_either_case() -> None:
    cache = ChildCache(SIZE)
    order = cache.find("M-aB", "X-aB", "Fe0C")
    assert cache.find("m-Ab", "x-Ab", "fE0c") is order
    assert cache.find("m-Ab", "x-Ab", "") is order
    assert len(cache) == 1
    masters = MasterCache(SIZE)
    assert masters.find("Fe0C") is masters.find("fE0c")


@pytest.mark.parametrize("shared", ["0", "", "77"])
def test_two_orders_with_one_id_at_their_exchange_are_two(shared: str) -> None:
    cache = ChildCache(SIZE)
    first, second = cache.find("m", shared, "v-1"), cache.find("m", shared, "v-2")
    assert first is not second
    assert cache.find("m", shared, "v-1") is first
    assert cache.find("m", shared, "v-2") is second


def test_two_master_orders_whose_child_orders_have_one_id_have_two() -> None:
    cache = ChildCache(SIZE)
    first = cache.find("m-1", "x", "v")
    second = cache.find("m-2", "x", "v")
    assert first is not second
    assert cache.find("m-1", "x", "v") is first
    assert cache.find("m-2", "x", "v") is second


def test_what_has_no_id_is_not_kept() -> None:
    cache, masters = ChildCache(SIZE), MasterCache(SIZE)
    assert cache.find("m", "", "0") is not cache.find("m", "", "0")
    assert masters.find("") is not masters.find("")
    assert len(cache) == len(masters) == 0


def test_records_of_an_earlier_process_replace_what_is_known_here() -> None:
    earlier, cache = ChildCache(SIZE), ChildCache(SIZE)
    find(earlier, 1, most=2.0)
    find(cache, 1, most=1.0)
    cache.find("m", "x-1", "")
    cache.adopt(earlier.records())
    assert [record.most for record in cache.records()] == [2.0]
    assert cache.find("m", "x-1", "") is cache.find("m", "", "v-1") is earlier.records()[0]


@pytest.mark.parametrize(("status", "pushed"), [("PLACED", 7), ("FILLED", 0)])
def test_a_record_of_an_earlier_process_goes_with_the_text_of_its_own_state_alone(
    status: str, pushed: int
) -> None:
    """Where a part of the journal is missing, what was read of it is an earlier state."""
    cache = ChildCache(SIZE)
    read = cache.find("m", "x", "v")
    read.status, read.moment, read.pushed = "PLACED", 5, 7
    earlier = ChildRecord(key=read.key, status=status, moment=5, pushed=99, numbers=read.numbers)
    cache.adopt([earlier])
    found = cache.find("m", "x", "v")
    assert (found.status, found.pushed) == (status, pushed)
