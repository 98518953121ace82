from __future__ import annotations

import pytest

from qehost.blotter.book import Book
from qehost.blotter.entries import AccountEntry, ChildEntry, ChildStone, MasterEntry


@pytest.fixture
def book() -> Book:
    book = Book(10, 10, 1, 10)
    book.accounts["main"] = AccountEntry("main")
    return book


def child(name: str, master: str = "mo-1") -> ChildEntry:
    return ChildEntry("main", name, name, master)


def test_the_master_order_of_a_child_order_is_there_before_anything_is_heard_of_it(
    book: Book,
) -> None:
    master = book.master_of(child("a"), book.accounts["main"], 5, 100)
    assert master is not None
    assert (master.id, master.status, master.first_seq, master.heard) == ("mo-1", "", 5, 100)
    assert book.master_of(child("b"), book.accounts["main"], 3, 200) is master
    assert (master.first_seq, master.heard) == (3, 200)


def test_a_child_order_without_a_master_order_makes_none(book: Book) -> None:
    assert book.master_of(child("a", ""), book.accounts["main"], 5, 100) is None
    assert list(book.masters.entries()) == []


def test_what_was_buried_can_be_kept_as_a_whole_again(book: Book) -> None:
    for name in ("a", "b"):
        book.children.add(child(name))
        book.trim_children()
    stone = book.children.find("main", "mo-1", "", "a")
    assert isinstance(stone, ChildStone)
    entry = book.unbury(stone)
    assert book.children.find("main", "mo-1", "", "a") is entry
    assert list(book.children.stones()) == []


def test_an_open_child_order_that_is_buried_leaves_the_list_of_its_master_order(
    book: Book,
) -> None:
    master = MasterEntry("main", "mo-1", open_children={"a": None, "b": None})
    book.masters.add(master)
    for name in ("a", "b"):
        book.children.add(child(name))
    book.trim_children()
    assert list(master.open_children) == ["b"]


def test_what_can_not_be_counted_makes_its_master_order_uncertain(book: Book) -> None:
    master = MasterEntry("main", "mo-1")
    book.masters.add(master)
    assert book.uncertain(book.accounts["main"], "mo-1")[:2] == ("uncertain", master)
    assert master.is_uncertain
    assert book.uncertain(book.accounts["main"], "another")[:2] == ("uncertain", None)
