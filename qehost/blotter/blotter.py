"""The present state of all orders, by the events that were added.  No I/O and no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import DecimalException
from itertools import islice
from types import MappingProxyType
from typing import Any

from qehost.blotter import dumping
from qehost.blotter.book import Book, Folded
from qehost.blotter.copies import child_state, link, master_state
from qehost.blotter.entries import AccountEntry, MasterEntry
from qehost.blotter.folding import OTHER, fold_fill, fold_master_order, fold_order
from qehost.blotter.links import take_connected, take_disconnected, take_gap
from qehost.blotter.views import Change, ChildState, Dropped, Fill, Link, MasterState
from qehost.events.ids import normal
from qehost.messages import (
    AnyEvent,
    ConnectedEvent,
    DisconnectedEvent,
    ErrorEvent,
)

__all__ = ["Blotter"]

_MS = 1_000_000
_FOLDS: Mapping[str, Callable[[Book, Any, AccountEntry, int, int], Folded]] = {
    "order": fold_order,
    "fill": fold_fill,
    "master_order": fold_master_order,
}


class Blotter:
    """The present state of all orders, by the events that were added.

    What is added twice, or late, changes nothing, and the same events end alike in any order.  So a
    plugin may add what it reads of the past and what its hooks get without asking where the one
    ends and the other begins.

    It keeps at most `masters` master orders that have not ended, the last `finished` that have,
    `children` child orders and the last `fills` fills, of all accounts together.  Of the orders
    beyond that it knows enough not to count them twice; when it has to forget that as well, as much
    as it keeps orders later, what comes of them is `uncertain`.  The sums of a master order contain
    its child orders that are no longer kept.

    Not for several threads at once.
    """

    def __init__(
        self, masters: int = 2000, finished: int = 200, children: int = 20_000, fills: int = 200
    ) -> None:
        if min(masters, finished, children, fills) < 0:
            raise ValueError("a bound is negative")
        self._book = Book(masters, finished, children, fills)
        self._as_of = 0

    # --- adding -------------------------------------------------------------------------------

    def add(self, event: AnyEvent) -> Change:
        """Take in an event of any kind; what it has changed."""
        kind, master, child, fill, before = self._fold(event)
        account = self._book.accounts[event.account]
        return Change(
            kind,
            event.account,
            None if master is None else master_state(master, account),
            None if child is None else child_state(child),
            fill,
            before,
            kind == "uncertain" or (master is not None and master.is_uncertain),
        )

    def add_all(self, events: Iterable[AnyEvent]) -> None:
        """Take in many events.  This is several times as fast as `add`, which makes copies."""
        fold = self._fold
        for event in events:
            fold(event)

    def _fold(self, event: Any) -> Folded:
        name, at = event.account, event.received_at // _MS
        account = self._book.accounts.get(name)
        if account is None:
            account = self._book.accounts[name] = AccountEntry(name, began=at)
        seq = account.number(event)
        if at > self._as_of:
            self._as_of = at
        fold = _FOLDS.get(event.kind)
        if fold is not None:
            try:
                return fold(self._book, event, account, seq, at)
            except DecimalException:
                # Figures so far apart that their sum would have more than 400 digits.
                return self._book.uncertain(account, event.message.master_order_id)
        if isinstance(event, ConnectedEvent):
            take_connected(account, event, seq)
        elif isinstance(event, DisconnectedEvent):
            take_disconnected(account, event, seq)
        elif isinstance(event, ErrorEvent) and event.message.code == "gap":
            take_gap(account, seq)
        return OTHER

    # --- reading ------------------------------------------------------------------------------

    @property
    def as_of(self) -> int:
        """When the last of the events was received, epoch ms; 0 before the first."""
        return self._as_of

    @property
    def seq(self) -> Mapping[str, int]:
        """By account the highest `seq` that was added.  It is where to go on:
        `context.history(account, after_seq=blotter.seq.get(account))`."""
        return {name: account.seq for name, account in self._book.accounts.items()}

    @property
    def quotes(self) -> Mapping[str, str]:
        """By symbol its quote currency, where an order named it."""
        return MappingProxyType(self._book.quotes)

    @property
    def dropped(self) -> Dropped:
        """What the bounds have made it forget."""
        masters, children = self._book.masters, self._book.children
        return Dropped(
            masters.dropped,
            masters.dropped_finished,
            children.dropped,
            masters.dropped_stones + children.dropped_stones,
        )

    def masters(self, account: str = "", open: bool | None = None) -> Iterator[MasterState]:  # noqa: A002
        """The master orders, of one account or all: those that are open, that have ended, or with
        None both, and with them those of which only child orders or fills came."""
        for entry in list(self._book.masters.entries(ended=None if open is None else not open)):
            if account not in ("", entry.account) or (open is not None and not entry.status):
                continue
            yield master_state(entry, self._book.accounts[entry.account])

    def master(self, account: str, id: str) -> MasterState | None:  # noqa: A002
        """A master order by the venue's id; None if there is none, or it is no longer kept."""
        found = self._book.masters.find(account, id)
        if not isinstance(found, MasterEntry):
            return None
        return master_state(found, self._book.accounts[account])

    def child(self, account: str, id: str) -> ChildState | None:  # noqa: A002
        """A child order by the venue's id or the exchange's; None if there is none, or it is no
        longer kept."""
        found = self._book.children.get(account, id)
        return None if found is None else child_state(found)

    def children(
        self,
        account: str = "",
        master: str = "",
        open: bool | None = None,  # noqa: A002
    ) -> Iterator[ChildState]:
        """The child orders, of one account and master order or all: those that are open, that have
        ended, or with None both."""
        for entry in list(self._book.children.entries()):
            if (
                account in ("", entry.account)
                and (not master or normal(master) == normal(entry.master_id))
                and open in (None, bool(entry.status) and not entry.is_final)
            ):
                yield child_state(entry)

    def fills(self, n: int | None = None, account: str = "", master: str = "") -> Iterator[Fill]:
        """The last `n` fills that are kept, of one account and master order or all, the newest
        first."""
        found = (
            fill
            for fill in reversed(self._book.fills)
            if account in ("", fill.account)
            and (not master or normal(master) == normal(fill.master_id))
        )
        return islice(found, n)

    def link(self, account: str) -> Link:
        """The stream of an account; `waiting` if nothing was heard of it."""
        found = self._book.accounts.get(account)
        return Link() if found is None else link(found)

    # --- keeping ------------------------------------------------------------------------------

    def dump(self) -> bytes:
        """All of it, for `load`: a file that a plugin writes now and then, or in `on_stop`."""
        last = self._book.last_child
        return dumping.encode(
            dumping.Content(
                self._as_of,
                list(self._book.accounts.values()),
                list(self._book.masters.entries()),
                list(self._book.masters.stones()),
                list(self._book.children.entries()),
                list(self._book.children.stones()),
                self._book.fills.numbered(),
                self._book.quotes,
                self.dropped,
                self._book.last_raw,
                None
                if last is None
                else (last.account, last.master_id, last.order_id, last.venue_id),
            )
        )

    def load(self, data: bytes) -> None:
        """Be as the blotter was that made this `dump`, within the own bounds.

        Raises DumpError for anything else; then nothing has changed.
        """
        content = dumping.decode(data)
        self._as_of = content.as_of
        self._book.accounts = {account.name: account for account in content.accounts}
        self._book.quotes = content.quotes
        self._book.masters.replace(content.masters, content.master_stones)
        self._book.children.replace(content.children, content.child_stones)
        self._book.fills.replace(content.fills)
        dropped = content.dropped
        self._book.masters.dropped, self._book.masters.dropped_finished = (
            dropped.masters,
            dropped.finished,
        )
        self._book.children.dropped = dropped.children
        self._book.masters.dropped_stones, self._book.children.dropped_stones = (
            0,
            dropped.tombstones,
        )
        ids = content.last_ids
        self._book.last_raw = content.last_raw
        self._book.last_child = None if ids is None else self._book.children.find(*ids)
        self._book.masters.trim(self._book.accounts)
        self._book.trim_children()
