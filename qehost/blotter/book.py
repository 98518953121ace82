"""All that a `Blotter` keeps.  No I/O."""

from __future__ import annotations

from typing import TypeAlias

from qehost.blotter.child_figures import from_stone
from qehost.blotter.children import Children
from qehost.blotter.entries import AccountEntry, ChildEntry, ChildStone, MasterEntry, MasterStone
from qehost.blotter.latest_fills import LatestFills
from qehost.blotter.masters import Masters
from qehost.blotter.views import ChangeKind, Fill

__all__ = ["Book", "Folded"]


Folded: TypeAlias = tuple[ChangeKind, MasterEntry | None, ChildEntry | None, Fill | None, str]
"""What an event has changed: its kind, the orders and the fill, the status before.  One is made for
every event, so it is a plain tuple."""


class Book:
    """Master orders, child orders and fills, each in its bounds."""

    def __init__(self, masters: int, finished: int, children: int, fills: int) -> None:
        self.masters = Masters(masters, finished, children)
        self.children = Children(children)
        self.fills = LatestFills(fills)
        self.accounts: dict[str, AccountEntry] = {}
        self.quotes: dict[str, str] = {}
        """By symbol."""
        self.last_raw = ""
        """The text of the last child order, and the order, None where it is not kept: a fill that
        was derived from it has the same text."""
        self.last_child: ChildEntry | ChildStone | None = None

    def master_of(
        self, child: ChildEntry, account: AccountEntry, seq: int, at: int
    ) -> MasterEntry | None:
        """The master order of a child order, also where nothing else of it is known; None where the
        bound has made it be forgotten."""
        known = self.masters.find(account.name, child.master_id)
        if known is None:
            if not child.master_id or account.may_have_forgotten_master(seq, child.created):
                return None
            known = MasterEntry(
                account.name,
                child.master_id,
                symbol=child.symbol,
                side=child.side,
                started=at,
                first_seq=seq,
                heard=at,
            )
            self.masters.add(known)
            self.masters.trim(self.accounts)
        if isinstance(known, MasterStone):
            return None
        if at > known.heard:
            known.heard = at
        if known.anew_seq <= seq < known.first_seq:
            known.first_seq = seq
        return known

    def unbury(self, stone: ChildStone) -> ChildEntry:
        """Keep it as a whole again."""
        self.children.remove(stone)
        entry = from_stone(stone)
        self.children.add(entry)
        return entry

    def trim_children(self) -> None:
        for entry in self.children.trim(self.accounts):
            master = self.masters.find(entry.account, entry.master_id)
            if isinstance(master, MasterEntry):
                master.open_children.pop(entry.id, None)

    def of_entry(self, entry: ChildEntry, kind: ChangeKind) -> Folded:
        """Nothing has changed in it."""
        master = self.masters.find(entry.account, entry.master_id)
        known = master if isinstance(master, MasterEntry) else None
        return kind, known, entry, None, entry.status

    def of_stone(self, stone: ChildStone, kind: ChangeKind, fill: Fill | None = None) -> Folded:
        """Of what is no longer kept."""
        master = self.masters.find(stone.account, stone.master_id)
        known = master if isinstance(master, MasterEntry) else None
        return kind, known, None, fill, stone.status

    def uncertain(self, account: AccountEntry, master_id: str) -> Folded:
        """It may be counted already."""
        master = self.masters.find(account.name, master_id)
        if not isinstance(master, MasterEntry):
            return "uncertain", None, None, None, ""
        master.is_uncertain = True
        return "uncertain", master, None, None, ""
