"""`qehost store init`, `backfill` and `check`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

import click
import qehost
from sqlalchemy.exc import SQLAlchemyError

from qehost_store.backlog import parts, write_all
from qehost_store.checking import check as findings
from qehost_store.database import Database, DatabaseError, reason_of
from qehost_store.schema import check_schema, upgrade
from qehost_store.settings import database_url
from qehost_store.writer import Overtaken, Writer

__all__ = ["command"]

TRIES = 100
"""A part that another process was faster with is written again."""


@click.group()
def command() -> None:
    """Orders and fills in SQLite or PostgreSQL: make the tables, fill them, check them."""


@command.command()
@qehost.plugin_command("store")
def init(context: qehost.Context) -> None:
    """Make the tables and views, or bring them to this version."""
    with _database(context) as database:
        before, after = upgrade(database)
        if before == after:
            click.echo(f"{database.name}: the tables are those of version {after}")
        else:
            click.echo(f"{database.name}: from version {before} to {after}")


@command.command()
@click.option("--account", "accounts", multiple=True, help="Only this one; may be given again.")
@qehost.plugin_command("store")
def backfill(context: qehost.Context, accounts: tuple[str, ...]) -> None:
    """Write all that the journal has.

    What is there already is recognised. `qehost run` may be running meanwhile.
    """
    with _database(context) as database:
        check_schema(database)
        writer = Writer(database)
        for account in accounts or context.accounts:
            count, refused = _backfill(context, writer, account)
            click.echo(f"account {account}: {count:,} events of the journal are in {database.name}")
            if refused:
                click.echo(f"account {account}: {refused:,} events were refused", err=True)


@command.command()
@qehost.plugin_command("store")
def check(context: qehost.Context) -> None:
    """Compare the database with the journal, and its fills with the venue's figures.

    Ends with 1 where something is missing or does not add up.
    """
    failed = False
    with _database(context, reading=True) as database:
        for finding in findings(context, database):
            failed |= finding.state == "failed"
            click.echo(f"{finding.state:<8} {finding.text}")
    sys.exit(1 if failed else 0)


def _backfill(context: qehost.Context, writer: Writer, account: str) -> tuple[int, int]:
    """How many events, and how many of them were refused."""
    # Where `qehost run` has a cursor, that is the one which says how far it is.
    is_new = not writer.attach(account)
    count = refused = 0
    for part in parts(context.history(account)):
        for _ in range(TRIES):
            try:
                refused += len(write_all(writer, account, part, move_cursor=is_new))
                break
            except Overtaken:
                writer.forget()
                writer.attach(account)
        else:
            raise DatabaseError("other processes write all the time: stop them for this")
        count += len(part)
    if account in writer.open_end:
        writer.write(account, (), settled=True)
    return count, refused


@contextmanager
def _database(context: qehost.Context, *, reading: bool = False) -> Iterator[Database]:
    """Raises DatabaseError."""
    with closing(Database(database_url(context), reading=reading)) as database:
        try:
            yield database
        except (SQLAlchemyError, OSError) as error:
            raise DatabaseError(f"{database.name}: {reason_of(error)}") from error
