"""The tables and their versions."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from qehost.messages import MasterOrderDetail, OrderDetail
from qehost.testing import StartPlugin
from sqlalchemy import Column, Text, make_url

from qehost_store.database import Database
from qehost_store.schema import STEPS, WrongSchema, check_schema, upgrade
from qehost_store.tables import MASTER_ORDER_FIELDS, ORDER_FIELDS


@pytest.fixture
def database(stored: Any) -> Any:
    url = make_url(stored.url)
    made = Database(url if stored.is_sqlite else url.set(drivername="postgresql+psycopg"))
    yield made
    made.close()


def test_every_field_of_the_details_has_a_column() -> None:
    master = {field.name for field in msgspec.structs.fields(MasterOrderDetail)}
    assert master == {*MASTER_ORDER_FIELDS, "commission"}
    assert {field.name for field in msgspec.structs.fields(OrderDetail)} == set(ORDER_FIELDS)


def test_an_empty_database_gets_its_tables(database: Any, stored: Any) -> None:
    check_schema(database)
    assert stored.rows("SELECT version FROM schema_version") == [(len(STEPS),)]
    check_schema(database)
    assert upgrade(database) == (len(STEPS), len(STEPS))


def test_a_later_version_is_made_of_an_earlier_one_with_what_is_in_it(
    database: Any, stored: Any
) -> None:
    def second(operations: Any) -> None:
        with operations.batch_alter_table("refused") as table:
            table.add_column(Column("note", Text(), server_default="none"))

    check_schema(database)
    stored.run("INSERT INTO refused (account, journal_id, seq) VALUES ('main', 'a', 1)")
    assert upgrade(database, [*STEPS, second]) == (1, 2)
    assert stored.rows("SELECT seq, note FROM refused") == [(1, "none")]
    assert stored.rows("SELECT version FROM schema_version ORDER BY 1") == [(1,), (2,)]
    with pytest.raises(WrongSchema, match="newer qehost-store"):
        check_schema(database)


def test_a_migration_that_fails_leaves_all_as_it_was(database: Any, stored: Any) -> None:
    def broken(operations: Any) -> None:
        operations.add_column("refused", Column("note", Text()))
        raise ValueError("in the middle")

    check_schema(database)
    with pytest.raises(ValueError, match="in the middle"):
        upgrade(database, [*STEPS, broken])
    assert stored.rows("SELECT version FROM schema_version") == [(1,)]
    assert stored.rows("SELECT * FROM refused") == []
    stored.run("INSERT INTO refused (account, journal_id, seq) VALUES ('main', 'a', 1)")
    assert len(stored.rows("SELECT * FROM refused")[0]) == 7
    stored.rows("SELECT * FROM open_master_orders")


def test_tables_of_a_newer_version_are_not_written(plugin_host: StartPlugin, stored: Any) -> None:
    plugin_host("store", {"url": stored.url}).stop()
    stored.run("INSERT INTO schema_version (version) VALUES (99)")
    host = plugin_host("store", {"url": stored.url})
    assert host.waiting is not None
    assert "newer qehost-store" in host.waiting.reason
