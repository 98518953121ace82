"""One batch in one transaction: all of it is in the database afterwards, or nothing.

Each transaction begins by adding one to the version in the account's row of `writers`, from the
number that this process knows: the row's lock keeps other writers out until the end, and where one
was faster no row is changed.  What is kept in memory of orders is right for as long as that holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from qehost.messages import AnyEvent, OrderEvent
from sqlalchemy import Connection, delete, select, tuple_

from qehost_store.batch import Batch
from qehost_store.changes import Changes
from qehost_store.database import Database, reason_of
from qehost_store.known import Known
from qehost_store.rows import connection_row, problem_row, received
from qehost_store.statements import insert_missing, take_turn, upsert
from qehost_store.tables import connections, cursors, problems, refused, writers

__all__ = ["Overtaken", "Writer"]


class Overtaken(Exception):
    """Another process has written this account's orders since this one did."""


class Writer:
    """Writes the events of accounts.  After any exception but one of content: `forget`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known = Known()
        self._versions: dict[str, int] = {}
        self._cursors: dict[str, dict[str, int]] = {}
        self._followed: dict[str, set[str]] = {}
        self._has_refused: set[str] = set()
        self.open_end: dict[str, OrderEvent] = {}
        """By account: the last event that was written, if it is of a child order whose fill may
        come next."""

    def forget(self) -> None:
        """What is known of the database may not be so any more: `attach` before the next write."""
        self._known.clear()
        self._versions.clear()
        self._cursors.clear()
        self._followed.clear()
        self.open_end.clear()

    def attach(self, account: str) -> dict[str, int]:
        """Get ready to write; by journal_id: the last event of it that is in the database."""
        with self._database.transaction() as connection:
            insert_missing(
                connection, writers, [{"account": account, "version": 0, "has_v1": False}]
            )
            found = connection.execute(select(writers).where(writers.c.account == account)).one()
            if connection.execute(
                select(refused.c.seq).where(refused.c.account == account).limit(1)
            ).first():
                self._has_refused.add(account)
            rows = connection.execute(select(cursors).where(cursors.c.account == account))
            self._cursors[account] = {row.journal_id: row.seq for row in rows}
        self.open_end.pop(account, None)
        self._versions[account] = found.version
        if found.has_v1:
            self._known.with_v1.add(account)
        return dict(self._cursors[account])

    def follow(self, account: str, journal_ids: Iterable[str]) -> None:
        """What is written next comes after the cursors of these journals: they go with it."""
        self._followed[account] = set(journal_ids)

    def write(
        self,
        account: str,
        events: Sequence[AnyEvent],
        *,
        move_cursor: bool = True,
        settled: bool = False,
    ) -> None:
        """Write events that follow each other.  `settled`: no fill comes after the last one.

        Raises Overtaken, and whatever the database does.
        """
        batch = Batch.of(events, self.open_end.get(account), settled=settled)
        changes = Changes(self._known, account)
        with self._database.transaction() as connection:
            self._take_turn(connection, account)
            insert_missing(
                connection, connections, [connection_row(each) for each in batch.connections]
            )
            insert_missing(connection, problems, [problem_row(each) for each in batch.problems])
            changes.write(connection, batch)
            moved = move_cursor and events and self._move_cursor(connection, events[-1])
            self._clear_refused(connection, account, events)
        changes.keep()
        self._committed(account, events[-1] if moved else None)
        if batch.open_end is not None:
            self.open_end[account] = batch.open_end
        else:
            self.open_end.pop(account, None)

    def refuse(self, event: AnyEvent, error: BaseException, *, move_cursor: bool = True) -> None:
        """Note that an event can't be written, and go past it."""
        row = {
            "account": event.account,
            "journal_id": event.journal_id,
            "seq": event.seq,
            "kind": event.kind,
            "reason": f"{type(error).__name__}: {reason_of(error)}".replace("\0", "�"),
            **received(event),
        }
        with self._database.transaction() as connection:
            self._take_turn(connection, event.account)
            upsert(connection, refused, [row])
            self._has_refused.add(event.account)
            moved = move_cursor and self._move_cursor(connection, event)
        self._committed(event.account, event if moved else None)
        self.open_end.pop(event.account, None)

    def _take_turn(self, connection: Connection, account: str) -> None:
        """Raises Overtaken."""
        version = self._versions.get(account)
        if version is None or not take_turn(connection, account, version):
            raise Overtaken

    def _move_cursor(self, connection: Connection, last: AnyEvent) -> bool:
        """Forward only: an event that comes again is no step back."""
        account = last.account
        if last.seq <= self._cursors[account].get(last.journal_id, 0):
            return False
        row = {
            "account": account,
            "journal_id": last.journal_id,
            "seq": last.seq,
            "updated_at": datetime.now(UTC),
        }
        upsert(connection, cursors, [row])
        if passed := self._followed.get(account, set()) - {last.journal_id}:
            connection.execute(
                delete(cursors).where(
                    cursors.c.account == account, cursors.c.journal_id.in_(passed)
                )
            )
        return True

    def _committed(self, account: str, cursor: AnyEvent | None) -> None:
        self._versions[account] += 1
        if cursor is not None:
            self._cursors[account][cursor.journal_id] = cursor.seq
            self._followed[account] = {cursor.journal_id}

    def _clear_refused(
        self, connection: Connection, account: str, events: Sequence[AnyEvent]
    ) -> None:
        """A dead letter that was taken at last."""
        if account not in self._has_refused:
            return
        names = [(each.journal_id, each.seq) for each in events if each.attempt > 1]
        if names:
            connection.execute(
                delete(refused).where(
                    refused.c.account == account,
                    tuple_(refused.c.journal_id, refused.c.seq).in_(names),
                )
            )
