"""Searching the journals of a state folder: the options that select events, and what they find."""

from __future__ import annotations

import functools
import heapq
from collections.abc import Callable, Generator, Iterator
from itertools import islice
from typing import Any

import click
from msgspec.structs import replace

from qehost.cli.search_progress import SearchProgress
from qehost.cli.units import TIME
from qehost.errors import JournalError
from qehost.messages import AnyEvent
from qehost.storage.journal.layout import Damage, span
from qehost.storage.journal.query import FOREVER
from qehost.storage.journal.reader import JournalReader
from qehost.storage.journal.search import KINDS, Wanted, find
from qehost.storage.state_folder import StateFolder

__all__ = ["EventSearch", "accounts_of", "event_filters"]

HELD = 1_000
"""Events that are held at once.  A journal has millions."""


def event_filters(function: Callable[..., None]) -> Callable[..., None]:
    """The options that select events; the command gets `Wanted` and the account."""

    @click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="Repeatable.")
    @click.option("--symbol", default="", help="As the venue writes it.")
    @click.option(
        "--order-id", default="", help="Of the master order, the child order, or the client's own."
    )
    @click.option("--since", type=TIME, default=None, help="15m (ago), 09:30, 2026-11-25T09:30.")
    @click.option("--until", type=TIME, default=None, help="As --since.")
    @click.option("--account", default="", help="One account; all, if left out.")
    @functools.wraps(function)
    def wrapped(
        *args: Any,
        kinds: tuple[Any, ...],
        symbol: str,
        order_id: str,
        since: int | None,
        until: int | None,
        **options: Any,
    ) -> None:
        wanted = Wanted(frozenset(kinds), symbol, order_id, since or 0, until or FOREVER)
        function(*args, wanted=wanted, **options)

    return wrapped


class EventSearch:
    """The events of one account or all, by time, and what could not be read of them.

    `progress` is shown how far the search has come.
    """

    def __init__(
        self,
        folder: StateFolder,
        account: str,
        wanted: Wanted,
        newest_first: bool,
        progress: SearchProgress | None = None,
    ) -> None:
        self.accounts = accounts_of(folder, account)
        """Those that are searched."""
        self._folder = folder
        self._wanted = wanted
        self._progress = progress
        self._newest_first = newest_first
        self._damage: dict[str, None] = {}  # each text once, in their order
        self._sources: list[Generator[AnyEvent, None, None]] = []

    def __iter__(self) -> Iterator[AnyEvent]:
        return self._merged(dict.fromkeys(self.accounts, self._wanted), self._newest_first)

    def newest(self, limit: int) -> Iterator[AnyEvent]:
        """The newest events, `limit` of them or 0 for all, oldest first.  Few are held at once."""
        if not limit:
            return self._merged(dict.fromkeys(self.accounts, self._wanted), newest_first=False)
        search = self._merged(dict.fromkeys(self.accounts, self._wanted), newest_first=True)
        held = list(islice(search, min(limit, HELD)))
        if len(held) < HELD or limit == HELD:
            return reversed(held)
        # Where the oldest one of each account is, and from there once more.
        first = {event.account: event.seq for event in held}
        del held
        for event in islice(search, limit - HELD):
            first[event.account] = event.seq
        self.close()
        return self._merged(
            {name: replace(self._wanted, first_seq=seq) for name, seq in first.items()},
            newest_first=False,
        )

    def close(self) -> None:
        """End the search before it has come to its end."""
        for source in self._sources:
            source.close()
        self._sources.clear()

    def report_damage(self) -> bool:
        """Print what could not be read.  Returns whether there was any of it."""
        for text in self._damage:
            click.echo(text, err=True)
        return bool(self._damage)

    def _merged(self, wanted: dict[str, Wanted], newest_first: bool) -> Iterator[AnyEvent]:
        self._sources = [self._events(name, each, newest_first) for name, each in wanted.items()]
        if len(self._sources) == 1:
            return self._sources[0]
        return heapq.merge(
            *self._sources, key=lambda event: event.received_at, reverse=newest_first
        )

    def _events(
        self, account: str, wanted: Wanted, newest_first: bool
    ) -> Generator[AnyEvent, None, None]:
        progress = self._progress
        with JournalReader(self._folder.journal(account)) as reader:
            last_seq = min(reader.last_seq(), wanted.last_seq) if progress else 0

            def looked_at(seq: int) -> None:
                if progress:
                    progress.note(account, seq, last_seq)

            for event in find(reader, wanted, newest_first=newest_first, looked_at=looked_at):
                if progress:
                    progress.found()
                if isinstance(event, Damage):
                    text = (
                        f"{account}: {span(event.first_seq, event.last_seq)} can't be read: "
                        f"{event.error}"
                    )
                    self._damage[text] = None
                else:
                    yield event
        if progress:
            progress.clear()


def accounts_of(folder: StateFolder, account: str) -> list[str]:
    """The accounts in the folder, or the one named.

    Raises JournalError where there are none, UsageError for one that is not among them.
    """
    names = folder.accounts()
    if not names:
        raise JournalError(
            str(folder.path),
            "there is none. `qehost run` begins one; name another folder with --state-dir",
        )
    if account and account not in names:
        raise click.UsageError(f"There is no account {account!r} here, but: {', '.join(names)}.")
    return [account] if account else names
