"""`python benchmark.py -c qehost.toml`: what an event costs from a journal into a database.

The events are those of the first account's journal, as many as `--events` says.  They are read and
decoded without a database first; then with the details that the store asks for; then written in
batches, as the plugin gets them, into a new SQLite file or an empty PostgreSQL database.  Beside it
the driver alone sends the same statements in the same transactions, made beforehand.  Times
are of this process's CPU, and of the wall: a server's work is in the second alone.
"""

from __future__ import annotations

import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import click
import qehost
from qehost.messages import AnyEvent
from sqlalchemy import URL, event, make_url, text

from qehost_store.batch import Batch
from qehost_store.database import Database
from qehost_store.schema import check_schema
from qehost_store.tables import metadata
from qehost_store.writer import Writer

Statements = list[list[tuple[str, Any, bool]]]
"""By transaction: what the store had the driver do, and whether that was an executemany."""


@click.command(help=(__doc__ or "").partition("\n")[0])
@click.option("--events", default=60_000, show_default=True)
@click.option("--batch", "sizes", multiple=True, type=int, default=(64, 500), show_default=True)
@click.option("--postgresql", metavar="URL", help="An empty database; its tables are dropped.")
@click.option("--profile", is_flag=True, help="Say where the time goes, function by function.")
@qehost.plugin_command("store")
def main(
    context: qehost.Context,
    events: int,
    sizes: Sequence[int],
    postgresql: str | None,
    profile: bool,
) -> None:
    load = os.getloadavg()[0]
    click.echo(f"python {platform.python_version()}, cores {os.cpu_count()}, load {load:.1f}")
    account = context.accounts[0]

    def past() -> Iterator[AnyEvent]:
        return iter(context.history(account, limit=events))

    count = sum(1 for _ in past())
    told("read and decoded", count, lambda: sum(1 for _ in past()))
    for size in sizes:
        told(
            f"in batches of {size}: with the details that are asked for", count, details(past, size)
        )
        with tempfile.TemporaryDirectory(dir=context.state_dir) as folder:
            url = make_url(f"sqlite:///{folder}/benchmark.db")
            if postgresql:
                url = make_url(postgresql).set(drivername="postgresql+psycopg")
            run(url, account, past, size, count, profile=profile)


def details(past: Callable[[], Iterator[AnyEvent]], size: int) -> Callable[[], None]:
    def ask() -> None:
        for part in batches(past(), size):
            batch = Batch.of(part)
            for each in (*batch.master_orders.values(), *batch.orders.values()):
                _ = each.last.detail

    return ask


def run(
    url: URL,
    account: str,
    past: Callable[[], Iterator[AnyEvent]],
    size: int,
    count: int,
    *,
    profile: bool,
) -> None:
    noted: Statements = []
    with closing(empty(url)) as database:
        writer = Writer(database)
        writer.attach(account)

        def write() -> None:
            for part in batches(past(), size):
                writer.write(account, part)

        if profile:
            import cProfile

            cProfile.runctx("write()", {}, {"write": write}, sort="tottime")
            return
        told(f"in batches of {size}: written", count, write)
    with closing(empty(url)) as database:
        engine = database._engine
        event.listen(engine, "begin", lambda _: noted.append([]))
        event.listen(
            engine,
            "before_cursor_execute",
            lambda *args: noted and noted[-1].append((*args[2:4], args[5])),
        )
        writer = Writer(database)
        writer.attach(account)
        noted.clear()
        write()
    with closing(empty(url)) as database, closing(database._engine.raw_connection()) as raw:
        Writer(database).attach(account)
        database.close()

        def again() -> None:
            cursor = raw.cursor()
            for statements in noted:
                if url.get_backend_name() != "postgresql":
                    cursor.execute("BEGIN IMMEDIATE")
                for statement, values, many in statements:
                    if statement.startswith("BEGIN"):
                        continue
                    (cursor.executemany if many else cursor.execute)(statement, values)
                raw.commit()

        told(f"in batches of {size}: the same statements by the driver alone", count, again)


def empty(url: URL) -> Database:
    database = Database(url)
    if database.is_sqlite:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{url.database}{suffix}").unlink(missing_ok=True)
    else:
        with database.transaction() as connection:
            for view in ("open_master_orders", "fills_by_day", "fees"):
                connection.execute(text(f"DROP VIEW IF EXISTS {view}"))
            metadata.drop_all(connection)
    check_schema(database)
    return database


def batches(events: Iterator[AnyEvent], size: int) -> Iterator[tuple[AnyEvent, ...]]:
    while part := tuple(islice(events, size)):
        yield part


def told(name: str, count: int, work: Callable[[], object]) -> None:
    cpu, wall = time.process_time(), time.monotonic()
    work()
    cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    click.echo(
        f"{name:<72}{cpu / count * 1e6:>7.1f} µs of CPU an event, {count / cpu:>8,.0f}/s; "
        f"wall {count / wall:>8,.0f}/s"
    )


if __name__ == "__main__":
    main()
