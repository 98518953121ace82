"""The child orders that a `Blotter` keeps, found by any of their ids.  No I/O.

The venue has an id of its own for a child order, and the exchange has another one, which comes
later, changes when the order is amended, and is missing at times; V1 has no other.  So an order is
found by the venue's id first.  Ids are unique within a master order at best.

Of what exceeds the bound a tombstone is kept, so that its fills are not counted twice; of what
exceeds the bound of the tombstones no more than until when it was.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import TypeAlias

from qehost.blotter.entries import AccountEntry, ChildEntry, ChildStone
from qehost.events.ids import normal

__all__ = ["Children"]

_Known: TypeAlias = ChildEntry | ChildStone
_Index: TypeAlias = dict[str | tuple[str, str], _Known]

_FORMER = 8
"""Ids at the exchange that are kept of an order that is amended again and again."""


class Children:
    """At most `bound` child orders, and as many tombstones, of all accounts together."""

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self.dropped = 0
        self.dropped_stones = 0
        # In the order in which they became so.  The keys are the entries' identities.  (To take the
        # first of a plain dictionary again and again costs 20 times as much.)
        self._open: OrderedDict[int, ChildEntry] = OrderedDict()
        self._ended: OrderedDict[int, ChildEntry] = OrderedDict()
        self._stones: OrderedDict[int, ChildStone] = OrderedDict()
        self._indices: dict[str, _Index] = {}

    def __len__(self) -> int:
        return len(self._open) + len(self._ended)

    def entries(self) -> Iterable[ChildEntry]:
        """Those that have ended first, each kind in its order."""
        yield from self._ended.values()
        yield from self._open.values()

    def stones(self) -> Iterable[ChildStone]:
        return self._stones.values()

    def find(self, account: str, master_id: str, order_id: str, venue_id: str) -> _Known | None:
        """What is known of the child order with these ids; `""` is one that is not known."""
        index = self._indices.get(account)
        if index is None:
            return None
        found = index.get(venue_id or order_id)
        if found is not None and found.master_id == master_id and found.venue_id == venue_id:
            return found
        return self._search(index, normal(master_id), normal(order_id), normal(venue_id))

    def get(self, account: str, ident: str) -> ChildEntry | None:
        """The newest child order with this id, the venue's or the exchange's."""
        found = self._indices.get(account, {}).get(normal(ident))
        return found if isinstance(found, ChildEntry) else None

    def _search(self, index: _Index, master: str, number: str, ident: str) -> _Known | None:
        for key in (ident, number):
            for place in (key, (master, key)) if key else ():
                found = index.get(place)
                if (
                    found is not None
                    and (not master or normal(found.master_id) in ("", master))
                    and (not ident or normal(found.venue_id) in ("", ident))
                ):
                    return found
        return None

    def add(self, entry: ChildEntry) -> None:
        """A new one."""
        (self._ended if entry.is_final else self._open)[id(entry)] = entry
        for ident in _idents(entry):
            self.name(entry, ident)

    def name(self, entry: _Known, ident: str) -> None:
        """It is found by this id, too: the venue's or the exchange's."""
        key = normal(ident)
        if not key:
            return
        index = self._indices.setdefault(entry.account, {})
        other = index.get(key)
        if other is not None and other is not entry and other.master_id != entry.master_id:
            # The newer one is found without its master order.
            index[normal(other.master_id), key] = other
        index[key] = entry

    def end(self, entry: ChildEntry, is_final: bool) -> None:
        """It has ended, or goes on."""
        before, now = (self._open, self._ended) if is_final else (self._ended, self._open)
        if before.pop(id(entry), None) is not None:
            now[id(entry)] = entry

    def forget_numbers(self, entry: ChildEntry) -> None:
        """Keep a bounded number of the ids that an amended order had."""
        if len(entry.former) > _FORMER:
            oldest = min(entry.former, key=lambda number: number[2])
            entry.former = tuple(each for each in entry.former if each is not oldest)
            self._unname(entry, oldest[0])

    def remove(self, known: _Known) -> None:
        """It is not found any more."""
        self._open.pop(id(known), None)
        self._ended.pop(id(known), None)
        self._stones.pop(id(known), None)
        for ident in _idents(known):
            self._unname(known, ident)

    def trim(self, accounts: dict[str, AccountEntry]) -> list[ChildEntry]:
        """Hold the bounds; returns the open ones of which only a tombstone is kept."""
        lost = []
        while len(self) > self.bound:
            is_open = not self._ended
            entry = next(iter((self._open if is_open else self._ended).values()))
            if is_open:
                lost.append(entry)
            self.remove(entry)
            self.bury(_stone(entry))
            self.dropped += 1
        while len(self._stones) > self.bound:
            stone = next(iter(self._stones.values()))
            self.remove(stone)
            self.dropped_stones += 1
            account = accounts[stone.account]
            account.forgotten_child_seq = max(account.forgotten_child_seq, stone.seq)
            account.forgotten_child_created = max(account.forgotten_child_created, stone.created)
        return lost

    def replace(self, entries: Iterable[ChildEntry], stones: Iterable[ChildStone]) -> None:
        """These are the child orders now."""
        for kept in (self._open, self._ended, self._stones, self._indices):
            kept.clear()
        for stone in stones:
            self.bury(stone)
        for entry in entries:
            self.add(entry)

    def bury(self, stone: ChildStone) -> None:
        self._stones[id(stone)] = stone
        for ident in _idents(stone):
            self.name(stone, ident)

    def _unname(self, known: _Known, ident: str) -> None:
        key = normal(ident)
        index = self._indices.get(known.account, {})
        for place in (key, (normal(known.master_id), key)):
            if index.get(place) is known:
                del index[place]


def _idents(known: _Known) -> Iterable[str]:
    yield known.venue_id
    yield known.order_id
    if isinstance(known, ChildEntry):
        for number in known.former:
            yield number[0]


def _stone(entry: ChildEntry) -> ChildStone:
    return ChildStone(
        entry.account,
        entry.id,
        entry.venue_id,
        entry.master_id,
        entry.order_id,
        entry.created,
        entry.rank,
        entry.status,
        entry.is_final,
        entry.seq,
        entry.told,
        entry.category,
        entry.counted,
        entry.counted_notional,
        entry.counted_worth,
    )
