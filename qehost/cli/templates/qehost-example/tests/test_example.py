"""The plugin, called as qehost calls it."""

from __future__ import annotations

import logging

import pytest
from qehost.errors import PluginError
from qehost.testing import (
    PluginHost,
    StartPlugin,
    connected,
    disconnected,
    error,
    fill,
    master_order,
    order,
    status,
    unknown,
    worked_master_order,
)

from qehost_example import Plugin


@pytest.fixture(autouse=True)
def log_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "qehost.plugin.example")


def test_qehost_finds_the_plugin_by_its_name(plugin_host: StartPlugin) -> None:
    host = plugin_host("example")
    assert isinstance(host.plugin, Plugin)


def test_a_mistyped_setting_is_refused_with_the_right_name() -> None:
    with pytest.raises(PluginError, match="did you mean prefix"):
        PluginHost("example", {"prefx": "desk 1: "})


def test_a_whole_master_order_raises_nothing(plugin_host: StartPlugin) -> None:
    host = plugin_host(Plugin)
    host.deliver(*worked_master_order())
    host.tick()


def test_on_start_is_logged(plugin_host: StartPlugin, caplog: pytest.LogCaptureFixture) -> None:
    plugin_host(Plugin, {"prefix": "desk 1: "})
    assert "desk 1: watching main" in caplog.text


def test_on_stop_is_logged(plugin_host: StartPlugin, caplog: pytest.LogCaptureFixture) -> None:
    host = plugin_host(Plugin, {"prefix": "desk 1: "})
    host.stop("enough")
    assert "desk 1: stopped: enough" in caplog.text


def test_on_connected_is_logged(plugin_host: StartPlugin, caplog: pytest.LogCaptureFixture) -> None:
    host = plugin_host(Plugin, {"prefix": "desk 1: "})
    host.deliver(connected("wss://venue"))
    assert "desk 1: main: connected to wss://venue" in caplog.text


def test_on_disconnected_is_logged(
    plugin_host: StartPlugin, caplog: pytest.LogCaptureFixture
) -> None:
    host = plugin_host(Plugin, {"prefix": "desk 1: "})
    host.deliver(disconnected("timed out"))
    assert "desk 1: main: disconnected: timed out" in caplog.text


def test_on_master_order_is_logged(
    plugin_host: StartPlugin, caplog: pytest.LogCaptureFixture
) -> None:
    host = plugin_host(Plugin, {"prefix": "desk 1: "})
    host.deliver(master_order(side="sell", qty="2.50", symbol="ETHUSDT", status="NEW"))
    assert "desk 1: sell 2.50 ETHUSDT: NEW" in caplog.text


def test_on_order_is_logged(plugin_host: StartPlugin, caplog: pytest.LogCaptureFixture) -> None:
    host = plugin_host(Plugin, {"prefix": "desk 1: "})
    host.deliver(order(order_id="o-7", status="FILLED", quantity="0.50"))
    assert "desk 1: order o-7: FILLED, 0.50 filled" in caplog.text


def test_on_fill_is_logged(plugin_host: StartPlugin, caplog: pytest.LogCaptureFixture) -> None:
    host = plugin_host(Plugin, {"prefix": "desk 1: "})
    host.deliver(fill(side="sell", quantity="0.10", price="97000.50"))
    assert "desk 1: sell 0.10 BTCUSDT at 97000.50" in caplog.text


def test_on_status_is_logged(plugin_host: StartPlugin, caplog: pytest.LogCaptureFixture) -> None:
    host = plugin_host(Plugin, {"prefix": "desk 1: "})
    host.deliver(status("all well"))
    assert "desk 1: the venue says all well" in caplog.text


def test_on_error_is_logged(plugin_host: StartPlugin, caplog: pytest.LogCaptureFixture) -> None:
    host = plugin_host(Plugin, {"prefix": "desk 1: "})
    host.deliver(error("no margin"))
    assert "desk 1: VenueError: no margin" in caplog.text


def test_on_raw_message_is_logged(
    plugin_host: StartPlugin, caplog: pytest.LogCaptureFixture
) -> None:
    host = plugin_host(Plugin, {"prefix": "desk 1: "})
    host.deliver(unknown("news"))
    assert "desk 1: a message of type news" in caplog.text


def test_on_batch_is_logged(plugin_host: StartPlugin, caplog: pytest.LogCaptureFixture) -> None:
    host = plugin_host(Plugin, {"prefix": "desk 1: "})
    host.deliver(*worked_master_order())
    assert "events at once" in caplog.text


def test_on_tick_is_logged(plugin_host: StartPlugin, caplog: pytest.LogCaptureFixture) -> None:
    host = plugin_host(Plugin, {"prefix": "desk 1: "})
    host.tick(1_767_323_045.0)
    assert "desk 1: it is 1767323045" in caplog.text
