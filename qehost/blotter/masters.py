"""The master orders that a `Blotter` keeps.  No I/O."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from itertools import islice

from qehost.blotter.entries import AccountEntry, MasterEntry, MasterStone
from qehost.events.ids import normal

__all__ = ["Masters"]


class Masters:
    """At most `bound` that have not ended, the last `finished` that have, and `stones` tombstones
    of others."""

    def __init__(self, bound: int, finished: int, stones: int) -> None:
        self.bound, self.finished = bound, finished
        self.dropped = 0
        self.dropped_finished = 0
        self.dropped_stones = 0
        self._stones_bound = stones
        self._open: dict[int, MasterEntry] = {}  # the keys are the entries' identities
        self._ended: dict[int, MasterEntry] = {}
        self._stones: OrderedDict[int, MasterStone] = OrderedDict()
        self._indices: dict[str, dict[str, MasterEntry | MasterStone]] = {}

    def entries(self, *, ended: bool | None = None) -> Iterator[MasterEntry]:
        """The open ones in the order in which they came, then the ended ones in theirs."""
        if ended is not True:
            yield from self._open.values()
        if ended is not False:
            yield from self._ended.values()

    def stones(self) -> Iterable[MasterStone]:
        return self._stones.values()

    def find(self, account: str, master_id: str) -> MasterEntry | MasterStone | None:
        index = self._indices.get(account)
        if index is None:
            return None
        return index.get(master_id) or index.get(normal(master_id))

    def add(self, entry: MasterEntry) -> None:
        (self._ended if entry.is_final else self._open)[id(entry)] = entry
        self._indices.setdefault(entry.account, {})[normal(entry.id)] = entry

    def end(self, entry: MasterEntry, is_final: bool) -> None:
        """It has ended, or goes on."""
        before, now = (self._open, self._ended) if is_final else (self._ended, self._open)
        if before.pop(id(entry), None) is not None:
            now[id(entry)] = entry

    def remove(self, known: MasterEntry | MasterStone) -> None:
        for kept in (self._open, self._ended, self._stones):
            kept.pop(id(known), None)
        index = self._indices.get(known.account, {})
        if index.get(normal(known.id)) is known:
            del index[normal(known.id)]

    def trim(self, accounts: dict[str, AccountEntry]) -> None:
        """Hold the bounds: those go that were silent for the longest time, or ended first."""
        while len(self._open) > self.bound:
            self._bury(min(self._open.values(), key=lambda entry: entry.heard))
            self.dropped += 1
        while len(self._ended) > self.finished:
            self._bury(min(self._ended.values(), key=lambda entry: (entry.ended, entry.heard)))
            self.dropped_finished += 1
        for stone in list(islice(self._stones.values(), max(0, self._surplus))):
            self.remove(stone)
            self.dropped_stones += 1
            account = accounts[stone.account]
            account.forgotten_master_seq = max(account.forgotten_master_seq, stone.seq)
            account.forgotten_master_created = max(account.forgotten_master_created, stone.created)

    @property
    def _surplus(self) -> int:
        return len(self._stones) - self._stones_bound

    def _bury(self, entry: MasterEntry) -> None:
        self.remove(entry)
        self.bury(
            MasterStone(
                entry.account,
                entry.id,
                entry.status,
                entry.rank,
                entry.is_final,
                entry.created,
                entry.seq,
            )
        )

    def replace(self, entries: Iterable[MasterEntry], stones: Iterable[MasterStone]) -> None:
        """These are the master orders now."""
        for kept in (self._open, self._ended, self._stones, self._indices):
            kept.clear()
        for stone in stones:
            self.bury(stone)
        for entry in entries:
            self.add(entry)

    def bury(self, stone: MasterStone) -> None:
        self._stones[id(stone)] = stone
        self._indices.setdefault(stone.account, {})[normal(stone.id)] = stone
