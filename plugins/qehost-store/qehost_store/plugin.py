"""The hooks: events go into the database in batches, and what it lacks comes from the journal."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import ClassVar

from qehost import Context, EventsRefused, Retry
from qehost.messages import AnyEvent

from qehost_store.backlog import Backlog
from qehost_store.database import Database, reason_of
from qehost_store.schema import check_schema
from qehost_store.settings import Config as Settings
from qehost_store.settings import database_url
from qehost_store.writer import Overtaken, Writer

__all__ = ["Store"]

CALL = 7.0
"""Seconds after which a call is broken off: with a connection that is being opened it stays below
ten."""
SLICE = 4.0
"""Seconds of filling up from the journal in one call."""
FIRST, LAST = 0.2, 5.0
"""Seconds until a database that failed is tried again: at first, and twice as long at each further
try, up to the last."""
SOON = 0.05


class Store:
    """Writes every event into the database once."""

    Config: ClassVar[type[Settings]] = Settings

    max_events = 500
    max_wait = 1.0

    def __init__(self, config: Settings) -> None:
        # What it says is read with the context, which knows the folder of the settings' file.
        self.config = config

    def on_start(self, context: Context) -> None:
        # psycopg tells of each pipeline that a broken connection has ended.
        logging.getLogger("psycopg").setLevel(logging.ERROR)
        self._context = context
        self._database = Database(database_url(context))
        self._writer = Writer(self._database)
        self._backlog = Backlog(context, self._writer)
        self._has_tables = False
        self._again = FIRST
        with self._working():
            pass
        context.logger.info("orders and fills go into %s", self._database.name)

    def on_batch(self, events: Sequence[AnyEvent]) -> None:
        account = events[0].account
        with self._working():
            self._backlog.fill_up(account, events, until=monotonic() + SLICE)
            refused = self._backlog.write(account, events)
        if refused:
            raise EventsRefused(refused)

    def on_tick(self, now: float) -> None:
        with self._working():
            for account in self._context.accounts:
                self._backlog.fill_up(account, (), until=monotonic() + SLICE)
                self._backlog.settle(account)

    def on_stop(self, reason: str) -> None:
        self._database.close()

    @contextmanager
    def _working(self) -> Iterator[None]:
        """Whatever fails is tried again later, from what the database has then."""
        try:
            with self._database.limit(CALL):
                if not self._has_tables:
                    check_schema(self._database)
                    self._has_tables = True
                yield
            self._again = FIRST
        except Retry:
            raise
        except Overtaken:
            self._writer.forget()
            self._backlog.forget()
            raise Retry(SOON, "another process writes the same account") from None
        except Exception as error:  # what can't be taken for good is sorted out before this
            self._writer.forget()
            self._backlog.forget()
            self._database.close()
            self._has_tables = False  # it may be another database, or a restored one
            after, self._again = self._again, min(self._again * 2, LAST)
            raise Retry(after, f"{self._database.name}: {reason_of(error)}") from error
