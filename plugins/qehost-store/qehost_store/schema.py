"""Making the tables, bringing them from version to version, and the views.

A version is one function of `STEPS`.  What one has done is never changed: a new one is added.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

from qehost.errors import Error
from sqlalchemy import Connection, inspect, select, text

from qehost_store.database import Database
from qehost_store.tables import metadata, schema_version

if TYPE_CHECKING:
    from alembic.operations import Operations

__all__ = ["STEPS", "WrongSchema", "check_schema", "upgrade"]

Step: TypeAlias = "Callable[[Operations], None]"


class WrongSchema(Error):
    """The database's tables are not those that this version writes."""


def _first(operations: Operations) -> None:
    # With the second version this one gets a copy of the tables as they are now.
    metadata.create_all(operations.get_bind())


STEPS: Sequence[Step] = (_first,)


def version_of(connection: Connection) -> int:
    """0: there are no tables of the store."""
    if not inspect(connection).has_table(schema_version.name):
        return 0
    found = connection.execute(select(schema_version.c.version)).scalars().all()
    return max(found, default=0)


def check_schema(database: Database) -> None:
    """An empty database gets its tables.  Raises WrongSchema."""
    with database.transaction() as connection:
        found = version_of(connection)
        if found == 0:
            _apply(connection, 0, STEPS)
            return
    if found > len(STEPS):
        raise WrongSchema(
            f"{database.name} was written by a newer qehost-store (tables of version {found}, this "
            f"one knows up to {len(STEPS)}): update it, or name another database"
        )
    if found < len(STEPS):
        raise WrongSchema(
            f"{database.name} has the tables of version {found}, and this qehost-store writes "
            f"version {len(STEPS)}: run `qehost store init`"
        )


def upgrade(database: Database, steps: Sequence[Step] = STEPS) -> tuple[int, int]:
    """Bring the tables to the newest version and make the views anew; the versions before and
    after.  All of it is done, or nothing.

    Raises WrongSchema for tables of a newer version.
    """
    with database.transaction() as connection:
        before = version_of(connection)
        if before > len(steps):
            raise WrongSchema(
                f"{database.name} has tables of version {before}; this qehost-store knows up to "
                f"{len(steps)}"
            )
        _apply(connection, before, steps)
    return before, len(steps)


def _apply(connection: Connection, before: int, steps: Sequence[Step]) -> None:
    # Slow to import, and needed here alone.
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext

    operations = Operations(MigrationContext.configure(connection))
    is_sqlite = connection.dialect.name == "sqlite"
    for name in _views(is_sqlite):
        connection.execute(text(f"DROP VIEW IF EXISTS {name}"))
    for number, step in enumerate(steps[before:], before + 1):
        step(operations)
        connection.execute(
            schema_version.insert(), {"version": number, "applied_at": datetime.now(UTC)}
        )
    for name, query in _views(is_sqlite).items():
        connection.execute(text(f"CREATE VIEW {name} AS {query}"))


OPEN_MASTER_ORDERS = """
SELECT account, master_order_id, client_order_id, exchange, category, symbol, side, algorithm,
       status, total_quantity, order_notional, cum_filled_qty, cum_filled_notional,
       avg_filled_price, start_time_ms, execution_duration_seconds, changed_at, last_seq
FROM master_orders
WHERE UPPER(status) NOT IN
      ('COMPLETED', 'COMPLETED_WITHTAIL', 'CANCELLED', 'CANCELED', 'REJECTED', 'EXPIRED', 'FILLED')
"""
# Contracts that are worth 1 / price have no price of this kind.
FILLS_BY_DAY = """
SELECT account, day, symbol, category, side, fills, quantity, notional,
       CASE WHEN category = 'perp_cm' THEN NULL
            ELSE {number}(notional{end}) / NULLIF({number}(priced_quantity{end}), 0)
       END AS volume_weighted_price
FROM daily_fills
"""
FEES = """
SELECT c.account, m.symbol, m.side, c.currency, {day} AS day, SUM({number}(c.amount{end})) AS amount
FROM commissions AS c
JOIN master_orders AS m ON m.account = c.account AND m.master_order_id = c.master_order_id
GROUP BY c.account, m.symbol, m.side, c.currency, {day}
"""


def _views(is_sqlite: bool) -> dict[str, str]:
    """What SQLite calculates is a float: those views are named so."""
    prefix = "approx_" if is_sqlite else ""
    # A number of PostgreSQL is exact as it is.
    number = {"number": "CAST", "end": " AS REAL"} if is_sqlite else {"number": "", "end": ""}
    day = "date(m.changed_at)" if is_sqlite else "CAST(m.changed_at AT TIME ZONE 'UTC' AS DATE)"
    return {
        "open_master_orders": OPEN_MASTER_ORDERS,
        f"{prefix}fills_by_day": FILLS_BY_DAY.format(**number),
        f"{prefix}fees": FEES.format(**number, day=day),
    }
