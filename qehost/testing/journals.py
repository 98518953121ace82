"""Journals in memory, for `context.history` and `context.has` in a plugin's tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from qehost.errors import Error
from qehost.host.dispatch import PluginSlot
from qehost.messages import AnyEvent
from qehost.storage.journal.history import Range, arranged, range_of
from qehost.storage.journal.open_orders import OpenOrders

__all__ = ["GivenHistory", "GivenJournals"]


class GivenJournals:
    """`events` are what was journalled; `pruned_before` what a history is to say of older ones."""

    def __init__(
        self, accounts: Sequence[str], events: Iterable[AnyEvent] = (), pruned_before: int = 0
    ) -> None:
        self._accounts = accounts
        self._pruned_before = pruned_before
        self._events: dict[str, list[AnyEvent]] = {account: [] for account in accounts}
        self._delivering: Sequence[AnyEvent] = ()
        self.plugin: PluginSlot = [0]
        self._add(events)

    @contextmanager
    def delivering(self, events: Sequence[AnyEvent]) -> Iterator[None]:
        """These were journalled, too, and are delivered now; so far those before event `seq`, as
        told by `enter`."""
        self._delivering = events
        try:
            yield
        finally:
            self._delivering = ()
            self._add(events)

    def _add(self, events: Iterable[AnyEvent]) -> None:
        """One that comes again changes nothing."""
        for event in events:
            told = self._of(event.account)
            if not told or event.seq > told[-1].seq:
                told.append(event)

    # --- as the dispatcher's `Progress` ---------------------------------------------------------

    def enter(self, plugin: int, hook: int, seq: int) -> None:
        """The event of that number comes next."""
        before = [each.seq for each in self._delivering]
        if seq in before:
            place = before.index(seq)
            self._add(self._delivering[:place])
            self._delivering = self._delivering[place:]

    def leave(self) -> None:
        pass

    # --- what a plugin asks -----------------------------------------------------------------------

    def has(self, account: str, journal_id: str, seq: int) -> bool:
        return any(
            (event.journal_id, event.seq) == (journal_id, seq) for event in self._of(account)
        )

    def history(self, account: str, **selection: Any) -> GivenHistory:
        return GivenHistory(self._of(account)[:], range_of(**selection), self._pruned_before)

    def _of(self, account: str) -> list[AnyEvent]:
        if account not in self._events:
            raise Error(f"there is no account {account}: {', '.join(self._accounts)}")
        return self._events[account]


class GivenHistory:
    """The same events as those of a real journal would be."""

    def __init__(self, events: Sequence[AnyEvent], wanted: Range, pruned_before: int = 0) -> None:
        self._events = events
        self._wanted = wanted
        self.pruned_before = pruned_before
        self.damaged: Sequence[tuple[int, int]] = ()

    def __iter__(self) -> Iterator[AnyEvent]:
        wanted = self._wanted
        found = [event for event in self._events if wanted.fits(event)]
        chosen = [event for event in found if wanted.wants(event)]
        if wanted.newest_first:
            chosen.reverse()
        return arranged(wanted, chosen, lambda: self._states(found))

    def _states(self, found: Sequence[AnyEvent]) -> list[AnyEvent]:
        states = OpenOrders()
        for event in self._events:
            if found and event.seq >= found[0].seq:
                break
            if not found and not self._is_before(event):
                break
            states.take([event], event.journal_id, event.seq)
        return states.events()

    def _is_before(self, event: AnyEvent) -> bool:
        """Whether it is not behind the range, in which nothing is."""
        wanted = self._wanted
        return event.seq < wanted.before_seq and (
            event.seq <= wanted.after_seq or event.received_at <= wanted.until
        )
