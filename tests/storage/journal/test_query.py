"""What is asked of a journal, and how damage is cut to it."""

from __future__ import annotations

from qehost.errors import JournalError
from qehost.storage.journal import Batch, Damage
from qehost.storage.journal.query import FOREVER, Part, Query, part_of

ERROR = JournalError("here", "is damaged")


def query(after_seq: int, last_seq: int = FOREVER) -> Query:
    return Query(after_seq, last_seq, 0, FOREVER, False, 1 << 20)


def batch(first_seq: int, last_seq: int) -> Batch:
    return Batch(first_seq, last_seq, 0, 0, b"")


def test_a_part_reaches_from_the_first_to_the_last_of_its_items() -> None:
    items = [batch(4, 6), batch(7, 9)]
    assert part_of(items, query(0)) == Part(4, 9, items)


def test_what_was_looked_at_counts_also_where_nothing_is_wanted_of_it() -> None:
    assert part_of([], query(10, 30), 1, 20) == Part(11, 20, [])
    assert part_of([], query(30), 1, 20) is None
    assert part_of([], query(0)) is None


def test_damage_is_cut_to_what_is_wanted() -> None:
    part = part_of([Damage(1, 20, ERROR), batch(21, 22)], query(10, 15))
    assert part is not None
    assert part.items[0] == Damage(11, 15, ERROR)
    assert part.begins_with_damage
    assert part_of([Damage(1, 5, ERROR)], query(10)) is None
