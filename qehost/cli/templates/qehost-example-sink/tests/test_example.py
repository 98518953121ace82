"""The plugin, called as qehost calls it."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest
from qehost.errors import PluginError
from qehost.testing import PluginHost, StartPlugin, fill, worked_master_order

from qehost_example import Plugin


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "fills.db"


def stored(file: Path, columns: str) -> list[tuple[str, ...]]:
    database = sqlite3.connect(file)
    try:
        return list(database.execute(f"SELECT {columns} FROM fills ORDER BY rowid"))
    finally:
        database.close()


def test_qehost_finds_the_plugin_by_its_name(plugin_host: StartPlugin) -> None:
    host = plugin_host("example")
    assert isinstance(host.plugin, Plugin)
    assert (host.context.state_dir / "fills.db").exists()


def test_a_mistyped_setting_is_refused_with_the_right_name() -> None:
    with pytest.raises(PluginError, match="did you mean file"):
        PluginHost("example", {"fil": "x.db"})


def test_every_fill_is_stored_with_its_exact_figures(plugin_host: StartPlugin, file: Path) -> None:
    host = plugin_host(Plugin, {"file": str(file)})
    host.deliver(
        fill(symbol="ETHUSDT", side="sell", quantity="0.10", price="3333.330"),
        fill(symbol="BTCUSDT", side="buy", quantity="1e-8", price="97000.5"),
    )
    assert [(row[0], Decimal(row[1]), row[2]) for row in stored(file, "side, quantity, price")] == [
        ("sell", Decimal("0.10"), "3333.330"),
        ("buy", Decimal("1e-8"), "97000.5"),
    ]


def test_the_fills_of_a_master_order_add_up(plugin_host: StartPlugin, file: Path) -> None:
    host = plugin_host(Plugin, {"file": str(file)})
    host.deliver(*worked_master_order(qty="1.5", children=3))
    assert sum(Decimal(row[0]) for row in stored(file, "quantity")) == Decimal("1.5")


def test_a_fill_that_comes_again_is_stored_once(plugin_host: StartPlugin, file: Path) -> None:
    events = worked_master_order(children=3)
    plugin_host(Plugin, {"file": str(file)}).deliver(*events)
    before = stored(file, "*")
    plugin_host(Plugin, {"file": str(file)}).deliver(*events)
    assert stored(file, "*") == before


def test_a_database_that_is_locked_is_tried_again(plugin_host: StartPlugin, file: Path) -> None:
    host = plugin_host(Plugin, {"file": str(file), "wait": 0.01})
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    host.deliver(fill(), fill(order_id="another"))
    assert host.waiting is not None
    assert "locked" in host.waiting.reason
    other.execute("ROLLBACK")
    other.close()
    host.deliver(fill(order_id="meanwhile"))
    host.retry()
    assert host.waiting is None
    assert len(stored(file, "order_id")) == 3


def test_a_database_that_can_not_be_opened_is_waited_for(
    plugin_host: StartPlugin, tmp_path: Path
) -> None:
    folder = tmp_path / "later"
    host = plugin_host(Plugin, {"file": str(folder / "fills.db")})
    assert host.waiting is not None
    folder.mkdir()
    host.retry()
    assert host.waiting is None
