"""A database that fails, is set back, or has a second writer: in the end everything, once."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from qehost.messages import AnyEvent
from qehost.testing import Events, PluginHost, StartPlugin, worked_master_order

from qehost_store import plugin as plugin_module

COPIES = (
    "SELECT count(*) - count(DISTINCT (master_order_id || '/' || id || '/' || name)) FROM fills"
)


def many(orders: int, journal_id: str = "0123456789abcdef") -> list[AnyEvent]:
    """Master orders with numbers that go on, and ids of their own."""
    events: list[AnyEvent] = []
    for number in range(orders):
        made = worked_master_order(master_order_id=f"m-{number}", children=4)
        events += [
            replace(each, seq=len(events) + n, journal_id=journal_id)
            for n, each in enumerate(made, 1)
        ]
    return events


def whole(stored: Any, orders: int) -> None:
    """Every order, every fill, once."""
    assert stored.count("master_orders") == orders
    assert stored.count("orders") == orders * 4
    assert stored.count("fills") == orders * 8
    assert stored.adds_up()
    assert stored.rows(COPIES) == [(0,)]
    daily = stored.rows("SELECT quantity FROM daily_fills")
    fills = stored.rows("SELECT quantity FROM fills")
    assert sum(Decimal(q) for (q,) in daily) == sum(Decimal(q) for (q,) in fills)


def deliver_until_taken(host: PluginHost, seconds: float = 300.0) -> None:
    deadline = time.monotonic() + seconds
    while host.waiting is not None:
        assert time.monotonic() < deadline, host.waiting
        time.sleep(0.02)
        host.retry()


# --- the server -----------------------------------------------------------------------------------


def test_a_server_that_is_killed_costs_nothing(
    plugin_host: StartPlugin, postgresql: Any, postgres: Any
) -> None:
    events = many(20)
    host = plugin_host("store", {"url": postgresql.url})
    for start in range(0, len(events), 50):
        if start in (100, 300):
            postgres.kill()
        host.deliver(*events[start : start + 50])
        if host.waiting is not None:
            postgres.start()
            deliver_until_taken(host)
    whole(postgresql, 20)


def test_a_server_that_is_frozen_is_waited_for_and_no_call_takes_ten_seconds(
    plugin_host: StartPlugin, postgresql: Any, postgres: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = many(5)
    host = plugin_host("store", {"url": postgresql.url})
    host.deliver(*events[:50])
    # From here on alone: a machine that is busy may need as long for a call that goes well.
    monkeypatch.setattr(plugin_module, "CALL", 1.0)
    postgres.signal(signal.SIGSTOP)
    try:
        before = time.monotonic()
        host.deliver(*events[50:])
        assert host.waiting is not None
        host.retry()
        assert host.waiting is not None
        assert time.monotonic() - before < 20
    finally:
        postgres.signal(signal.SIGCONT)
    monkeypatch.undo()
    deliver_until_taken(host)
    whole(postgresql, 5)


def test_a_read_only_server_is_waited_for(
    plugin_host: StartPlugin, postgresql: Any, postgres: Any
) -> None:
    events = many(2)
    host = plugin_host("store", {"url": postgresql.url})
    name = postgresql.url.rpartition("/")[2]
    host.deliver(*events[:20])

    def read_only(whether: str) -> None:
        with postgres.connect("postgres") as connection:
            connection.execute(
                f"ALTER DATABASE {name} SET default_transaction_read_only = {whether}"
            )
        # As after a failover: the connections are new ones.
        end_connections(postgres, name)

    read_only("on")
    host.deliver(*events[20:])
    assert host.waiting is not None
    host.retry()
    assert host.waiting is not None
    assert "read-only" in host.waiting.reason
    read_only("off")
    deliver_until_taken(host)
    whole(postgresql, 2)


def end_connections(postgres: Any, name: str) -> None:
    with postgres.connect("postgres") as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )


def test_a_database_that_does_not_exist_yet_is_waited_for(
    plugin_host: StartPlugin, postgres: Any
) -> None:
    host = plugin_host("store", {"url": postgres.url("later")})
    assert host.waiting is not None
    assert "later" in host.waiting.reason
    postgres.create("later")
    deliver_until_taken(host)
    host.deliver(*many(1))
    assert host.waiting is None


# --- SQLite's file --------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=False, capture_output=True
    )
    if made.returncode:
        pytest.skip("a small file system can't be mounted here: run the tests as root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=False)


def test_a_full_disk_is_waited_for(plugin_host: StartPlugin, small_disk: Path) -> None:
    from conftest import Stored

    stored = Stored(f"sqlite:///{small_disk / 'trades.db'}")
    host = plugin_host("store", {"url": stored.url})
    events = many(20)
    host.deliver(*events[:100])
    filler = small_disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(b"x" * 4096) == 4096:
            pass
    host.deliver(*events[100:])
    assert host.waiting is not None
    assert "full" in host.waiting.reason
    filler.unlink()
    subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
    deliver_until_taken(host)
    whole(stored, 20)


def test_a_locked_file_is_waited_for(
    plugin_host: StartPlugin, sqlite: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qehost_store.database.LOCK", 0.1)
    host = plugin_host("store", {"url": sqlite.url})
    host.deliver(*many(1)[:5])
    other = sqlite3.connect(sqlite.file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    host.deliver(*many(1)[5:])
    assert host.waiting is not None
    assert "locked" in host.waiting.reason
    other.execute("ROLLBACK")
    other.close()
    deliver_until_taken(host)
    whole(sqlite, 1)


def test_a_file_that_is_moved_away_is_made_anew_and_filled_up(
    plugin_host: StartPlugin, tmp_path: Path, sqlite: Any
) -> None:
    events = many(3)
    host = plugin_host("store", {"url": sqlite.url})
    host.deliver(*events[:40])
    for suffix in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            Path(f"{sqlite.file}{suffix}").rename(tmp_path / f"aside{suffix}")
    host.deliver(*events[40:])
    deliver_until_taken(host)
    whole(sqlite, 3)


# --- a database that is not what it was -----------------------------------------------------------


def test_a_database_that_was_set_back_is_filled_up_from_the_journal(
    tmp_path: Path, sqlite: Any
) -> None:
    events = many(10)
    with PluginHost("store", {"url": sqlite.url}) as host:
        host.deliver(*events[:60])
    shutil.copy(sqlite.file, tmp_path / "an-hour-ago.db")
    with PluginHost("store", {"url": sqlite.url}, history=events[:60]) as host:
        host.deliver(*events[60:140])
    shutil.copy(tmp_path / "an-hour-ago.db", sqlite.file)
    with PluginHost("store", {"url": sqlite.url}, history=events[:140]) as host:
        host.deliver(*events[140:])
        assert host.waiting is None
    whole(sqlite, 10)


def test_a_database_that_is_set_back_under_a_running_plugin_is_filled_up(
    plugin_host: StartPlugin, postgresql: Any
) -> None:
    events = many(6)
    host = plugin_host("store", {"url": postgresql.url})
    host.deliver(*events[:40])
    tables = "master_orders orders fills daily_fills cursors writers".split()  # noqa: SIM905
    for table in tables:
        postgresql.run(f"CREATE TABLE old_{table} AS TABLE {table}")
    host.deliver(*events[40:90])
    for table in tables:
        postgresql.run(f"TRUNCATE {table}; INSERT INTO {table} SELECT * FROM old_{table}")
    host.deliver(*events[90:])
    deliver_until_taken(host)
    whole(postgresql, 6)


def test_without_an_event_it_is_filled_up_all_the_same(sqlite: Any) -> None:
    events = many(3)
    with PluginHost("store", {"url": sqlite.url}) as host:
        host.deliver(*events[:20])
    with PluginHost("store", {"url": sqlite.url}, history=events) as host:
        host.tick()
        deliver_until_taken(host)
    whole(sqlite, 3)


def test_a_restored_state_folder_doubles_nothing(stored: Any) -> None:
    """Its journal ends earlier, and goes on with the same numbers and another name."""
    events = many(6)
    with PluginHost("store", {"url": stored.url}) as host:
        host.deliver(*events)
    restored = [*events[:70], *(replace(each, journal_id="d" * 16) for each in events[70:])]
    with PluginHost("store", {"url": stored.url}, history=restored[:80]) as host:
        host.deliver(*restored[80:])
        deliver_until_taken(host)
    whole(stored, 6)


def test_what_takes_long_to_fill_up_is_done_in_pieces(
    sqlite: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugin_module, "SLICE", 0.0)
    monkeypatch.setattr("qehost_store.backlog.CHUNK", 20)
    events = many(5)
    with PluginHost("store", {"url": sqlite.url}) as host:
        host.deliver(*events[:10])
    with PluginHost("store", {"url": sqlite.url}, history=events[:-5]) as host:
        host.deliver(*events[-5:])
        assert host.waiting is not None
        assert "filling up" in host.waiting.reason
        deliver_until_taken(host)
    whole(sqlite, 5)


# --- a second writer ------------------------------------------------------------------------------


def test_two_writers_of_one_stream_write_it_once(stored: Any) -> None:
    events = many(10)
    with (
        PluginHost("store", {"url": stored.url}) as one,
        PluginHost("store", {"url": stored.url}) as two,
    ):
        for start in range(0, len(events), 30):
            one.deliver(*events[start : start + 30])
            deliver_until_taken(one)
            two.deliver(*events[start : start + 30])
            deliver_until_taken(two)
    whole(stored, 10)


def test_two_machines_with_journals_of_their_own_write_each_order_once(stored: Any) -> None:
    ours, theirs = many(10), many(10, "e" * 16)
    with (
        PluginHost("store", {"url": stored.url}) as one,
        PluginHost("store", {"url": stored.url}) as two,
    ):
        for start in range(0, len(ours), 30):
            one.deliver(*ours[start : start + 30])
            deliver_until_taken(one)
            two.deliver(*theirs[start : start + 25])
            deliver_until_taken(two)
            two.deliver(*theirs[start + 25 : start + 30])
            deliver_until_taken(two)
    whole(stored, 10)
    assert {name for (name,) in stored.rows("SELECT journal_id FROM cursors")} == {
        "0123456789abcdef",
        "e" * 16,
    }


def test_a_new_database_has_the_orders_that_are_open_at_once(sqlite: Any) -> None:
    events = Events()
    opened = events.order(id="77", order_id="x-1", filled_quantity="3", filled_notional="300")
    with PluginHost("store", {"url": sqlite.url}, history=[opened]) as host:
        host.deliver(events.status("open"))
    assert sqlite.rows("SELECT id FROM orders") == [("77",)]
    assert sqlite.adds_up()
