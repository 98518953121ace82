"""Writing events one after the other, and those that the database lacks from the journal.

The host's position and the database's are two.  A database that was set back (a restored dump, a
failover to a replica) lacks events that the host has delivered; after a COMMIT whose connection
broke it may have more than was thought.  So whenever a connection is opened, or another process has
written, the cursors in the database are read, and what they lack is read from the journal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from time import monotonic

from qehost import Context, Retry
from qehost.messages import AnyEvent, OrderEvent

from qehost_store.database import is_content
from qehost_store.writer import Writer

__all__ = ["Backlog", "parts", "write_all"]

CHUNK = 500
SOON = 0.05
IDLE = 60.0
"""Seconds without an event after which no fill of the last state comes any more."""


def write_all(
    writer: Writer, account: str, events: Sequence[AnyEvent], *, move_cursor: bool = True
) -> dict[int, BaseException]:
    """Write events that follow each other; by number, why the database refuses some of them.

    A refused row fails its batch, and the error names no row: halves are tried, down to the event.
    """
    try:
        writer.write(account, events, move_cursor=move_cursor)
    except Exception as error:
        if not is_content(error):
            raise
        if len(events) == 1:
            writer.refuse(events[0], error, move_cursor=move_cursor)
            return {events[0].seq: error}
    else:
        return {}
    half = len(events) // 2
    first = write_all(writer, account, events[:half], move_cursor=move_cursor)
    return first | write_all(writer, account, events[half:], move_cursor=move_cursor)


def parts(events: Iterable[AnyEvent]) -> Iterator[Sequence[AnyEvent]]:
    """All events, as many at a time as go into one transaction."""
    remaining = iter(events)
    while part := tuple(islice(remaining, CHUNK)):
        yield part


class Backlog:
    """What the database lacks, for each account of `context`."""

    def __init__(self, context: Context, writer: Writer) -> None:
        self._context = context
        self._writer = writer
        self._written: set[str] = set()
        """The accounts of which the database had something once."""
        self._level: set[str] = set()
        """The accounts in which the database has all that came before the next event."""
        self._moved_at: dict[str, float] = {}
        """On the monotonic clock, by account: when something was written, or it became level."""
        self._empty: set[str] = set()
        """Those of which it has nothing yet, and nothing has come."""

    def forget(self) -> None:
        self._level.clear()
        self._empty.clear()

    def write(self, account: str, events: Sequence[AnyEvent]) -> dict[int, BaseException]:
        refused = write_all(self._writer, account, events)
        self._written.add(account)
        self._moved_at[account] = monotonic()
        return refused

    def settle(self, account: str) -> None:
        """Write what the last event, a state of an order, has beyond its fills, once no fill comes
        after it any more."""
        if account not in self._level or account not in self._writer.open_end:
            return
        if monotonic() - self._moved_at[account] > IDLE:
            self._writer.write(account, (), settled=True)

    def fill_up(self, account: str, events: Sequence[AnyEvent], *, until: float) -> None:
        """Write what the database lacks of the journal, before `events` or, without any, up to the
        plugin's position.

        Raises Retry when it is `until` on the monotonic clock and there is more to do.
        """
        if account in self._level or (account in self._empty and not events):
            return
        cursors = self._writer.attach(account)
        if cursors:
            self._written.add(account)
        elif account not in self._written:
            if events:
                self._begin(account, events[0].seq)
                self._level.add(account)
            else:
                self._empty.add(account)
            return
        known = {
            journal_id: seq
            for journal_id, seq in cursors.items()
            if self._context.has(account, journal_id, seq)
        }
        after = max(known.values(), default=0)
        if known and events and events[0].seq <= after + 1:
            # It follows, or comes again.  A dead letter that is retried says nothing of what comes
            # after it.
            if events[-1].seq >= after:
                self._write_last(account, after)
                self._ready(account, known)
            return
        lacking = self._lacking(account, after, known)
        for part in parts(lacking):
            write_all(self._writer, account, part)
            if monotonic() > until:
                raise Retry(SOON, f"filling up from the journal: written up to {part[-1].seq}")
        self._ready(account, known)

    def _ready(self, account: str, known: dict[str, int]) -> None:
        self._writer.follow(account, known)
        self._level.add(account)
        # The plugin may stand between a state and its fill.
        self._moved_at[account] = monotonic()

    def _begin(self, account: str, first_seq: int) -> None:
        """A database without this account gets the orders that are open now."""
        states = self._context.history(account, after_seq=first_seq - 1, limit=0)
        for part in parts(states):
            write_all(self._writer, account, part, move_cursor=False)

    def _lacking(self, account: str, after: int, known: dict[str, int]) -> Iterable[AnyEvent]:
        """The events after that number.  Of a journal that the database knows nothing of, all, with
        the states of the orders that were open before them: what is written already is recognised.
        """
        if not known:
            return self._context.history(account)
        history = self._context.history(account, after_seq=after)
        if history.pruned_before > after + 1:
            self._context.logger.error(
                "events %d to %d of account %s were deleted from the journal before they were "
                "written: `qehost store check` says what is missing",
                after + 1,
                history.pruned_before - 1,
                account,
            )
        self._write_last(account, after)
        return (event for event in history if event.seq > after)

    def _write_last(self, account: str, after: int) -> None:
        """The last event that is written, once more: it may be an order's whose fill comes next."""
        last = self._context.history(account, after_seq=after - 1, limit=1, kinds=("order",))
        for event in last:
            if isinstance(event, OrderEvent) and event.seq == after:
                self._writer.write(account, [event])
