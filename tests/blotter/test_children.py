from __future__ import annotations

import pytest

from qehost.blotter.children import Children
from qehost.blotter.entries import AccountEntry, ChildEntry, ChildStone


def made(venue_id: str, order_id: str = "", master: str = "mo-1", **fields: object) -> ChildEntry:
    child = ChildEntry("main", venue_id or order_id, venue_id, master, order_id=order_id)
    for name, value in fields.items():
        setattr(child, name, value)
    return child


@pytest.fixture
def children() -> Children:
    return Children(10)


def test_an_order_is_found_by_each_of_its_ids(children: Children) -> None:
    child = made("7", "x")
    children.add(child)
    for ids in (("7", "x"), ("7", ""), ("", "x"), ("7", "y"), ("7", "X")):
        assert children.find("main", "mo-1", ids[1], ids[0]) is child
    assert children.find("main", "MO-1", "X", "") is child
    assert children.find("main", "", "x", "") is child
    assert children.get("main", "x") is children.get("main", "7") is child
    assert children.find("other", "mo-1", "x", "7") is None


def test_an_id_of_v1_and_of_rest_is_one(children: Children) -> None:
    child = made("", "x")
    children.add(child)
    assert children.find("main", "mo-1", "x", "7") is child


def test_two_orders_may_have_one_id_at_the_exchange(children: Children) -> None:
    children.add(made("7", "x"))
    assert children.find("main", "mo-1", "x", "8") is None


@pytest.mark.parametrize("nothing", ["", "0", "null"])
def test_what_stands_in_the_place_of_an_id_is_none(children: Children, nothing: str) -> None:
    children.add(made("7", nothing))
    assert children.find("main", "mo-1", nothing, "") is None


def test_the_same_id_in_two_master_orders_is_two_orders(children: Children) -> None:
    first, second = made("7", "x", "a"), made("7", "x", "b")
    children.add(first)
    assert children.find("main", "b", "x", "7") is None
    children.add(second)
    assert children.find("main", "a", "x", "7") is first
    assert children.find("main", "b", "x", "7") is second
    assert children.get("main", "7") is second
    children.remove(second)
    assert children.find("main", "a", "", "7") is first


def test_beyond_the_bound_the_oldest_that_has_ended_becomes_a_tombstone() -> None:
    children = Children(2)
    for name in ("a", "b", "c"):
        children.add(made(name, is_final=name == "b"))
    assert children.trim({}) == []
    assert isinstance(children.find("main", "mo-1", "", "b"), ChildStone)
    assert len(children) == 2


def test_an_open_one_goes_where_none_has_ended() -> None:
    children = Children(2)
    for name in ("a", "b", "c"):
        children.add(made(name))
    assert [child.id for child in children.trim({})] == ["a"]


def test_beyond_the_bound_of_the_tombstones_only_their_time_is_known() -> None:
    children, account = Children(1), AccountEntry("main")
    for number in range(4):
        children.add(made(str(number), is_final=True, created=number + 10, seq=number + 1))
        children.trim({"main": account})
    assert children.find("main", "mo-1", "", "1") is None
    assert (account.forgotten_child_seq, account.forgotten_child_created) == (2, 11)
    assert (children.dropped, children.dropped_stones) == (3, 2)


def test_former_ids_are_kept_in_a_bounded_number(children: Children) -> None:
    child = made("7", "last")
    children.add(child)
    for number in range(20):
        child.former = (
            *child.former,
            (f"n{number}", f"n{number}", number, True, 1, "", True, "", "", None, None, 0),
        )
        children.name(child, f"n{number}")
        children.forget_numbers(child)
    assert len(child.former) < 10
    assert children.find("main", "mo-1", "n0", "") is None
    assert children.find("main", "mo-1", "n19", "") is child
