"""`qehost store check`: whether all that the journal has is in the database, and adds up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from itertools import groupby
from typing import Literal

from qehost import Context
from qehost.messages import (
    FINAL_STATUSES,
    AnyEvent,
    FillEvent,
    MasterOrderEvent,
    OrderEvent,
)
from sqlalchemy import Connection, and_, func, select, tuple_

from qehost_store.backlog import parts
from qehost_store.database import Database
from qehost_store.rows import magnitude
from qehost_store.schema import WrongSchema, version_of
from qehost_store.states import EXACT, ZERO
from qehost_store.stored import load_children, load_master_orders, names_of_v1_fills, order_ids
from qehost_store.tables import connections, cursors, daily_fills, fills, orders, problems, refused

__all__ = ["Finding", "check"]

ROWS = 2_000
"""Rows that are fetched at a time."""
EXAMPLES = 10
"""Findings of a kind that are told one by one."""


@dataclass(frozen=True, slots=True)
class Finding:
    state: Literal["ok", "warning", "failed"]
    text: str


def check(context: Context, database: Database) -> Iterator[Finding]:
    """Each result as soon as it is known.  Raises what the database raises."""
    with database.transaction() as connection:
        version = version_of(connection)
    if not version:
        raise WrongSchema(f"{database.name} has no tables of the store: nothing was written yet")
    yield Finding("ok", f"{database.name}: tables of version {version}")
    for account in context.accounts:
        yield from _journal(context, database, account)
    with database.transaction() as connection:
        yield from _sums(connection)
    with database.transaction() as connection:
        yield from _refused(connection)


# --- the journal ------------------------------------------------------------------------------


def _journal(context: Context, database: Database, account: str) -> Iterator[Finding]:
    with database.transaction() as connection:
        rows = connection.execute(select(cursors).where(cursors.c.account == account)).all()
        letters = connection.execute(
            select(refused.c.journal_id, refused.c.seq).where(refused.c.account == account)
        )
        excused = {(journal_id, seq) for journal_id, seq in letters}
    known = [row.seq for row in rows if context.has(account, row.journal_id, row.seq)]
    if not known:
        text = "of this journal nothing is written yet" if rows else "nothing is written yet"
        yield Finding("warning", f"account {account}: {text}")
        return
    last = max(known)
    history = context.history(account, before_seq=last + 1)
    count, missing = 0, []
    for part in parts(history):
        count += len(part)
        with database.transaction() as connection:
            missing += [
                event
                for event in _missing(connection, account, part)
                if (event.journal_id, event.seq) not in excused
            ]
    if missing:
        named = ", ".join(f"{event.seq} ({event.kind})" for event in missing[:EXAMPLES])
        more = f" and {len(missing) - EXAMPLES} more" if len(missing) > EXAMPLES else ""
        yield Finding(
            "failed",
            f"account {account}: not in the database: events {named}{more}: "
            "`qehost store backfill` writes them",
        )
    else:
        yield Finding(
            "ok", f"account {account}: {count:,} events of the journal, up to {last:,}, are written"
        )
    if history.pruned_before > 1:
        yield Finding(
            "warning",
            f"account {account}: events before {history.pruned_before:,} are no longer in the "
            "journal, and were not compared",
        )
    for first, end in history.damaged:
        yield Finding("warning", f"account {account}: events {first:,} to {end:,} are damaged")


def _missing(
    connection: Connection, account: str, events: Sequence[AnyEvent]
) -> Iterator[AnyEvent]:
    masters = load_master_orders(
        connection,
        account,
        {e.message.master_order_id for e in events if isinstance(e, MasterOrderEvent)},
    )
    told = [event for event in events if isinstance(event, OrderEvent | FillEvent)]
    names = {(e.message.master_order_id, e.message.order_id): e.detail.id for e in told}
    ids = {name: id_ for name, id_ in names.items() if id_}
    ids |= order_ids(connection, account, [name for name in names if name not in ids])
    keys = {(name[0], id_) for name in names for id_ in (ids.get(name, name[1]), name[1])}
    children = load_children(connection, account, keys)
    pushed = [
        event
        for event in told
        if isinstance(event, FillEvent) and event.detail.cum_quantity is None
    ]
    v1_names = names_of_v1_fills(connection, account, pushed)
    others = [e for e in events if not isinstance(e, OrderEvent | FillEvent | MasterOrderEvent)]
    there = {
        (row.journal_id, row.seq)
        for table in (connections, problems)
        for row in connection.execute(
            select(table.c.journal_id, table.c.seq).where(
                table.c.account == account,
                tuple_(table.c.journal_id, table.c.seq).in_(
                    [(each.journal_id, each.seq) for each in others]
                ),
            )
        )
    }
    for event in events:
        if isinstance(event, MasterOrderEvent):
            is_there = event.message.master_order_id in masters
        elif isinstance(event, OrderEvent | FillEvent):
            name = event.message.master_order_id, event.message.order_id
            child = children.get((name[0], ids.get(name, name[1]))) or children.get(name)
            is_there = child is not None
            if isinstance(event, FillEvent) and child is not None:
                cumulative = magnitude(event.detail.cum_quantity)
                if cumulative is None:
                    is_there = event.message_id in v1_names or not event.detail.quantity
                else:
                    is_there = child.quantity >= cumulative
        else:
            is_there = (event.journal_id, event.seq) in there
        if not is_there:
            yield event


# --- the sums ---------------------------------------------------------------------------------


def _sums(connection: Connection) -> Iterator[Finding]:
    """The fills of each child order against what the venue says is filled, and the days."""
    # The fill of an account's last event may come next.
    last = {(row.account, row.journal_id, row.seq) for row in connection.execute(select(cursors))}
    columns = orders.c
    query = (
        select(
            columns.account,
            columns.master_order_id,
            columns.id,
            columns.order_id,
            columns.status,
            columns.filled_quantity,
            columns.fills_quantity,
            columns.journal_id,
            columns.last_seq,
            fills.c.quantity,
        )
        .select_from(orders)
        .outerjoin(
            fills,
            and_(
                fills.c.account == columns.account,
                fills.c.master_order_id == columns.master_order_id,
                fills.c.id == columns.id,
            ),
        )
        .order_by(columns.account, columns.master_order_id, columns.id)
    )
    count, wrong = 0, []
    rows = connection.execution_options(yield_per=ROWS).execute(query)
    for key, group in groupby(rows, key=lambda row: tuple(row[:3])):
        count += 1
        total, row = ZERO, None
        for row in group:
            if row.quantity is not None:
                total = EXACT.add(total, row.quantity)
        assert row is not None
        filled = magnitude(row.filled_quantity) or ZERO
        is_open_v1 = row.id == row.order_id and (row.status or "").upper() not in FINAL_STATUSES
        is_last = (row.account, row.journal_id, row.last_seq) in last
        if total != row.fills_quantity or (
            total != filled and row.status and not is_open_v1 and not is_last
        ):
            wrong.append(f"{'/'.join(key)}: {total} written, {filled} filled")
    if wrong:
        more = f" and {len(wrong) - EXAMPLES} more" if len(wrong) > EXAMPLES else ""
        named = "; ".join(wrong[:EXAMPLES])
        yield Finding("failed", f"fills don't add up to the venue's figure: {named}{more}")
    else:
        yield Finding("ok", f"the fills of {count:,} child orders add up to the venue's figures")
    yield from _days(connection)


def _days(connection: Connection) -> Iterator[Finding]:
    columns = fills.c
    query = select(
        columns.account,
        columns.filled_at,
        columns.symbol,
        columns.category,
        columns.side,
        columns.quantity,
        columns.notional,
    )
    sums: dict[tuple[object, ...], tuple[int, Decimal, Decimal]] = {}
    for row in connection.execution_options(yield_per=ROWS).execute(query):
        day = row.filled_at.astimezone(UTC).date()
        key = row.account, day, row.symbol, row.category, row.side
        number, quantity, notional = sums.get(key, (0, ZERO, ZERO))
        sums[key] = (
            number + 1,
            EXACT.add(quantity, row.quantity),
            EXACT.add(notional, row.notional or ZERO),
        )
    stored = {
        tuple(row[:5]): (row.fills, row.quantity, row.notional)
        for row in connection.execute(select(daily_fills))
    }
    if stored != sums:
        keys = [key for key in sums.keys() | stored if sums.get(key) != stored.get(key)]
        days = ", ".join(sorted({str(key[1]) for key in keys})[:EXAMPLES])
        yield Finding("failed", f"daily_fills differ from the fills on {days}")
    else:
        yield Finding("ok", f"daily_fills: {len(stored):,} rows are the sums of the fills")


def _refused(connection: Connection) -> Iterator[Finding]:
    number = connection.execute(select(func.count()).select_from(refused)).scalar_one()
    if not number:
        return
    rows = connection.execute(select(refused).limit(EXAMPLES)).all()
    named = "; ".join(f"{row.account} {row.seq}: {row.reason}" for row in rows)
    yield Finding(
        "warning",
        f"{number:,} events were refused by the database and are dead letters "
        f"(`qehost journal dead-letters --plugin store`): {named}",
    )
