"""`python benchmark.py -c qehost.toml`: what an event costs from a journal into a database.

The events are those of the first account's journal, as many as `--events` says.  They are read and
decoded without a database first; then with the details that the store asks for; then written in
batches, as the plugin gets them, into a new SQLite file or an empty PostgreSQL database.  Beside it
the driver alone sends the same statements in the same transactions, made beforehand.  Times
are of this process's CPU; of that of the server's process for it, where it is on this machine; and
of the wall, in which the two wait for each other.
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
        told(f"in batches of {size}: written", count, write, database._raw)
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

        name = f"in batches of {size}: the same statements by the driver alone"
        told(name, count, again, raw.driver_connection)


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


def told(name: str, count: int, work: Callable[[], object], connection: Any = None) -> None:
    pid = server_process(connection)
    server, cpu, wall = cpu_of(pid), time.process_time(), time.monotonic()
    work()
    server, cpu = cpu_of(pid) - server, time.process_time() - cpu
    wall = time.monotonic() - wall
    servers = f", {server / count * 1e6:.1f} µs of the server's" if pid else ""
    click.echo(
        f"{name:<72}{cpu / count * 1e6:>7.1f} µs of CPU an event{servers}, "
        f"{count / (cpu + server):>8,.0f}/s; wall {count / wall:>8,.0f}/s"
    )


def server_process(connection: Any) -> int:
    """The process of PostgreSQL that works for a connection; 0: there is none on this machine."""
    info = getattr(connection, "info", None)
    return info.backend_pid if info and info.hostaddr in ("127.0.0.1", "::1", "") else 0


def cpu_of(pid: int) -> float:
    """Seconds of CPU that a process has taken."""
    if not pid:
        return 0.0
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
