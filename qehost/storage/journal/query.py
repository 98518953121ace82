"""What is asked of a journal's files, and the parts in which they answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from qehost.storage.journal.layout import Batch, Damage

__all__ = ["FOREVER", "Part", "Query", "part_of"]

FOREVER = 2**62
"""Behind every event and every time."""


class Query(NamedTuple):
    """Which batches are wanted: those that hold events after `after_seq`, up to `last_seq`, and
    reach into the time from `since` to `until` (epoch ns).  About `chunk_bytes` at once.

    With `join` those that stand one behind the other are made one by it, as far as `may_hold` says
    of their bytes that they may hold what is wanted.
    """

    after_seq: int
    last_seq: int
    since: int
    until: int
    newest_first: bool
    chunk_bytes: int
    join: Callable[[list[bytes]], bytes] | None = None
    may_hold: Callable[[bytes], bool] | None = None


class Part(NamedTuple):
    """A part of a journal: what is wanted of events `first_seq` to `last_seq`, in their order."""

    first_seq: int
    last_seq: int
    items: list[Batch | Damage]

    @property
    def begins_with_damage(self) -> bool:
        return bool(self.items) and isinstance(self.items[0], Damage)


def part_of(
    items: Iterable[Batch | Damage], query: Query, first_seq: int = FOREVER, last_seq: int = 0
) -> Part | None:
    """`items`, with damage cut to what is wanted, and events `first_seq` to `last_seq`, which were
    looked at; None where that is nothing."""
    least, most = query.after_seq + 1, query.last_seq
    found: list[Batch | Damage] = []
    for item in items:
        if isinstance(item, Damage):
            item = Damage(max(item.first_seq, least), min(item.last_seq, most), item.error)
            if item.first_seq > item.last_seq:
                continue
        found.append(item)
        first_seq, last_seq = min(first_seq, item.first_seq), max(last_seq, item.last_seq)
    first_seq, last_seq = max(first_seq, least), min(last_seq, most)
    return Part(first_seq, last_seq, found) if first_seq <= last_seq else None
