from __future__ import annotations

from qehost.blotter.entries import AccountEntry, MasterEntry, MasterStone
from qehost.blotter.masters import Masters


def made(name: str, **fields: object) -> MasterEntry:
    entry = MasterEntry("main", name)
    for field, value in fields.items():
        setattr(entry, field, value)
    return entry


def test_a_master_order_is_found_in_either_case() -> None:
    masters = Masters(10, 10, 10)
    entry = made("MO-a")
    masters.add(entry)
    assert masters.find("main", "mo-A") is entry
    assert masters.find("other", "MO-a") is None


def test_each_kind_has_its_bound() -> None:
    masters, account = Masters(2, 1, 2), AccountEntry("main")
    for number, name in enumerate("abcdef"):
        ended = name in "ab"
        masters.add(made(name, heard=number, is_final=ended, ended=ended * number, seq=number))
        masters.trim({"main": account})
    assert [entry.id for entry in masters.entries(ended=False)] == ["e", "f"]
    assert [entry.id for entry in masters.entries(ended=True)] == ["b"]
    assert [stone.id for stone in masters.stones()] == ["c", "d"]
    assert masters.find("main", "a") is None
    assert isinstance(masters.find("main", "c"), MasterStone)
    assert (masters.dropped, masters.dropped_finished, masters.dropped_stones) == (2, 1, 1)


def test_one_that_ends_moves_from_one_bound_to_the_other() -> None:
    masters, entry = Masters(1, 1, 1), made("a")
    masters.add(entry)
    masters.end(entry, True)
    assert list(masters.entries(ended=True)) == [entry]
    masters.end(entry, False)
    assert list(masters.entries(ended=False)) == [entry]
