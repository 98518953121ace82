"""Both databases, and a look into them that does not go through the plugin."""

from __future__ import annotations

import itertools
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from postgres import HOW_TO_GET_IT, Server, programs

_numbers = itertools.count(1)


class Stored:
    """The database at `url`, read with its own driver."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")

    @property
    def file(self) -> Path:
        return Path(self.url.removeprefix("sqlite:///"))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        if self.is_sqlite:
            with closing(sqlite3.connect(self.file)) as database:
                return list(database.execute(query))
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(query).fetchall()

    def run(self, statement: str) -> None:
        if self.is_sqlite:
            with closing(sqlite3.connect(self.file)) as database, database:
                database.execute(statement)
        else:
            import psycopg

            with psycopg.connect(self.url, autocommit=True) as connection:
                connection.execute(statement)

    def count(self, table: str) -> int:
        return int(self.rows(f"SELECT count(*) FROM {table}")[0][0])

    def sums(self) -> dict[str, tuple[Decimal, Decimal]]:
        """By child order: what its fills add up to, and what the venue says is filled."""
        fills: dict[str, Decimal] = {}
        name = "master_order_id || '/' || id"
        for child, quantity in self.rows(f"SELECT {name}, quantity FROM fills"):
            fills[child] = fills.get(child, Decimal()) + Decimal(quantity)
        return {
            child: (fills.get(child, Decimal()), Decimal(filled or 0))
            for child, filled in self.rows(f"SELECT {name}, filled_quantity FROM orders")
        }

    def adds_up(self) -> bool:
        return all(total == filled for total, filled in self.sums().values())


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    if (found := programs()) is None:
        pytest.skip(HOW_TO_GET_IT)
    server = Server(found)
    try:
        yield server
    finally:
        server.remove()


@pytest.fixture
def sqlite(tmp_path: Path) -> Stored:
    return Stored(f"sqlite:///{tmp_path / 'trades.db'}")


@pytest.fixture
def postgresql(postgres: Server) -> Stored:
    return Stored(postgres.create(f"trades_{next(_numbers)}"))


@pytest.fixture(params=["sqlite", "postgresql"])
def stored(request: pytest.FixtureRequest) -> Stored:
    """A database of each kind, empty."""
    found: Stored = request.getfixturevalue(request.param)
    return found
