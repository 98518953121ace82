"""What is read and written in every transaction, as texts that are made once and go to the driver.

SQLAlchemy builds a statement and converts each of its values anew every time, which took five times
as long as all that the database does (`benchmark.py`).  It does so here where nothing is frequent.

PostgreSQL gets the rows of a table as one JSON text, of which it makes a set of rows: one round
trip, and half the work of both sides.  SQLite's driver is fastest with a tuple for each row.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import Column, Connection, Date, Table

from qehost_store.rows import Row
from qehost_store.tables import EXACT, MOMENT, decimal_text, fills, moment_text, orders, writers

__all__ = ["find", "insert_missing", "relabel", "set_sums", "take_turn", "upsert"]

_encode = msgspec.json.Encoder().encode
_Key = tuple[str, ...]


def insert_missing(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Rows that are there already stay as they are."""
    _write(connection, table, rows, None)


def upsert(
    connection: Connection, table: Table, rows: Sequence[Row], *, keep: Collection[str] = ()
) -> None:
    """Rows that are there already get these values, but for the columns in `keep`.  No two rows
    have the same key."""
    _write(connection, table, rows, tuple(keep))


def find(
    connection: Connection,
    table: Table,
    by: Sequence[str],
    account: str,
    keys: Collection[_Key],
    columns: Sequence[str],
) -> list[tuple[Any, ...]]:
    """These columns of an account's rows that have one of the keys in the columns `by`."""
    if not keys:
        return []
    is_sqlite = _is_sqlite(connection)
    text = _find_text(table, tuple(by), tuple(columns), is_sqlite)
    values = _encode(list(keys)).decode(), account
    rows = connection.exec_driver_sql(text, values).fetchall()
    exact = [at for at, name in enumerate(columns) if table.columns[name].type is EXACT]
    if not is_sqlite or not exact:
        return [tuple(row) for row in rows]
    found = []
    for row in rows:
        made = list(row)
        for at in exact:
            if made[at] is not None:
                made[at] = Decimal(made[at])
        found.append(tuple(made))
    return found


def take_turn(connection: Connection, account: str, version: int) -> bool:
    """Add one to the version of the account's writers; False: it is another one by now."""
    return (
        connection.exec_driver_sql(_turn_text(_mark(connection)), (account, version)).rowcount == 1
    )


def set_sums(connection: Connection, rows: Sequence[Row]) -> None:
    """What the fills of child orders add up to; a row has a child order's key and these sums."""
    _update(connection, orders, rows, ("fills_quantity", "fills_notional"))


def relabel(connection: Connection, rows: Sequence[Row]) -> None:
    """Say of rows of `fills` which event told them; a row has the key of one and what is said."""
    _update(connection, fills, rows, ("source", "message_id", "seq", "journal_id", "origin"))


def _write(
    connection: Connection, table: Table, rows: Sequence[Row], keep: tuple[str, ...] | None
) -> None:
    """`keep` is None where rows that are there stay as they are."""
    if not rows:
        return
    text = _insert_text(table, keep, is_sqlite=_is_sqlite(connection))
    if _is_sqlite(connection):
        values = _values_of(tuple(table.columns))
        connection.exec_driver_sql(text, [values(row) for row in rows])
    else:
        connection.exec_driver_sql(text, (_encode(rows).decode(),))


def _update(
    connection: Connection, table: Table, rows: Sequence[Row], names: tuple[str, ...]
) -> None:
    """Row by row: there are few, and of a set of them PostgreSQL may make a join with the whole
    table."""
    if not rows:
        return
    text = _update_text(table, names, _mark(connection))
    values = _values_of((*(table.columns[name] for name in names), *table.primary_key))
    connection.exec_driver_sql(text, [values(row) for row in rows])


@cache
def _insert_text(table: Table, keep: tuple[str, ...] | None, *, is_sqlite: bool) -> str:
    names = [column.name for column in table.columns]
    key = [column.name for column in table.primary_key]
    if is_sqlite:
        source = f"VALUES ({', '.join('?' * len(names))})"
    else:
        source = f"SELECT {', '.join(names)} FROM json_populate_recordset(NULL::{table.name}, %s)"
    changed = [] if keep is None else [name for name in names if name not in (*key, *keep)]
    change = f"UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in changed)}"
    return (
        f"INSERT INTO {table.name} ({', '.join(names)}) {source} "
        f"ON CONFLICT ({', '.join(key)}) DO {change if changed else 'NOTHING'}"
    )


@cache
def _update_text(table: Table, names: tuple[str, ...], mark: str) -> str:
    change = ", ".join(f"{name} = {mark}" for name in names)
    same = " AND ".join(f"{column.name} = {mark}" for column in table.primary_key)
    return f"UPDATE {table.name} SET {change} WHERE {same}"


@cache
def _find_text(table: Table, by: tuple[str, ...], columns: tuple[str, ...], is_sqlite: bool) -> str:
    # Each key is to be looked up.  SQLite makes a cross join in the order in which it is written.
    # PostgreSQL takes an account's rows for few as long as it has not counted them, and would read
    # them all for each batch: OFFSET keeps it from making a join of the inner query.
    if is_sqlite:
        keys, mark = "json_each(?) AS key", "?"
        parts = [f"json_extract(key.value, '$[{at}]')" for at in range(len(by))]
    else:
        keys, mark = "json_array_elements(%s) AS key(value)", "%s"
        parts = [f"key.value ->> {at}" for at in range(len(by))]
    wanted = ", ".join(f"found.{name}" for name in columns)
    same = " AND ".join(f"found.{name} = {part}" for name, part in zip(by, parts, strict=True))
    rows = f"{table.name} AS found"
    where = f"found.account = {mark} AND {same}"
    if is_sqlite:
        return f"SELECT {wanted} FROM {keys} CROSS JOIN {rows} WHERE {where}"
    one_key = f"SELECT {wanted} FROM {rows} WHERE {where} OFFSET 0"
    return f"SELECT found.* FROM {keys} CROSS JOIN LATERAL ({one_key}) AS found"


@cache
def _turn_text(mark: str) -> str:
    return (
        f"UPDATE {writers.name} SET version = version + 1 "
        f"WHERE account = {mark} AND version = {mark}"
    )


def _mark(connection: Connection) -> str:
    return "?" if _is_sqlite(connection) else "%s"


def _is_sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"


@cache
def _values_of(columns: tuple[Column[Any], ...]) -> Callable[[Row], tuple[Any, ...]]:
    """A row as SQLite's driver takes it."""
    values = itemgetter(*(column.name for column in columns))
    decimals = [at for at, column in enumerate(columns) if column.type is EXACT]
    others: list[tuple[int, Callable[[Any], str]]] = [
        (at, moment_text if column.type is MOMENT else date.isoformat)
        for at, column in enumerate(columns)
        if column.type is MOMENT or isinstance(column.type, Date)
    ]

    def convert(row: Row) -> tuple[Any, ...]:
        made = list(values(row))
        for at in decimals:
            if (value := made[at]) is not None:
                text = str(value)
                made[at] = text if "E" not in text else decimal_text(value)
        for at, write in others:
            if (value := made[at]) is not None:
                made[at] = write(value)
        return tuple(made)

    return convert
