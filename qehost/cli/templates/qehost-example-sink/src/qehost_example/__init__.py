"""A plugin for qehost that writes every fill into a SQLite database, each once."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta
from qehost import Context, Retry
from qehost.messages import AnyEvent, FillDetail, FillEvent, FillMessage

__all__ = ["Plugin"]

# Figures are text: SQLite's numbers would round them.
TABLE = """
CREATE TABLE IF NOT EXISTS fills (
    account TEXT NOT NULL,
    order_id TEXT NOT NULL,
    name TEXT NOT NULL,
    master_order_id TEXT NOT NULL,
    symbol TEXT NOT NULL,
    side TEXT NOT NULL,
    quantity TEXT,
    price TEXT,
    fill_time INTEGER,
    PRIMARY KEY (account, order_id, name)
)
"""
# What comes again after a crash is there already.
INSERT = "INSERT OR IGNORE INTO fills VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"

Row = tuple[str, str, str, str, str, str, str | None, str | None, int | None]


class Plugin:
    """Collects the fills in `on_fill`, and writes those of a batch in one transaction.

    qehost goes on to the next batch only when this one is written: after a crash of the process it
    comes again.
    """

    class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
        """The settings under [plugins.example]."""

        file: Annotated[
            str,
            Meta(description='The database; "": fills.db in the plugin\'s own state folder.'),
        ] = ""
        wait: Annotated[
            float, Meta(gt=0, le=10, description="Seconds to wait for another program's write.")
        ] = 1.0

    def __init__(self, config: Config) -> None:
        self.config = config
        self.database: sqlite3.Connection | None = None
        self.rows: dict[tuple[str, int], Row] = {}
        """By account and number of the event: those that are not written yet."""

    def on_start(self, context: Context) -> None:
        """Called once, before any event; again, later, after a `Retry`."""
        file = Path(self.config.file or context.state_dir / "fills.db")
        try:
            self.database = sqlite3.connect(file, timeout=self.config.wait)
            with self.database:
                self.database.execute(TABLE)
        except sqlite3.OperationalError as error:
            raise Retry(reason=f"{file}: {error}") from error
        context.logger.info("fills go into %s", file)

    def on_fill(self, message: FillMessage, detail: FillDetail, event: FillEvent) -> None:
        """A child order was filled, wholly or in part: one call for each increase."""
        self.rows[event.account, event.seq] = _row(message, detail, event)

    def on_batch(self, events: Sequence[AnyEvent]) -> None:
        """After the typed hooks of these events: what has returned here does not come again."""
        names = [(event.account, event.seq) for event in events]
        fills = [name for name in names if name in self.rows]
        if not fills:
            return
        assert self.database is not None
        try:
            with self.database:  # a transaction
                self.database.executemany(INSERT, [self.rows[name] for name in fills])
        except sqlite3.OperationalError as error:
            # Locked, the disk is full: not now. Any other exception makes the events dead letters.
            raise Retry(reason=str(error)) from error
        for name in fills:
            del self.rows[name]

    def on_stop(self, reason: str) -> None:
        """Called once, after the last event."""
        if self.database is not None:
            self.database.close()


def _row(message: FillMessage, detail: FillDetail, event: FillEvent) -> Row:
    # How much of the order was filled after it names a fill, also where it is told again under
    # another number. In V1 only its message does.
    name = event.message_id if detail.cum_quantity is None else str(detail.cum_quantity)
    return (
        event.account,
        message.order_id,
        name,
        message.master_order_id,
        message.symbol,
        message.side,
        None if detail.quantity is None else str(detail.quantity),
        None if detail.price is None else str(detail.price),
        detail.fill_time,
    )
