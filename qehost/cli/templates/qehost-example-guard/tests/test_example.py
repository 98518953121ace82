"""The plugin, called as qehost calls it, on the local venue."""

from __future__ import annotations

from typing import Any

import pytest
from qehost import API
from qehost.errors import PluginError, TransportError
from qehost.messages import OrderEvent
from qehost.testing import PluginHost, StartPlugin, Venue, master_order, order

from qehost_example import Plugin

ARMED = {"armed": True, "rejects": 2, "within": 10.0}
SECOND = 1_000_000_000
NOW = 1_767_323_045 * SECOND


def at_work(venue: Venue) -> str:
    """A master order of the venue that can be paused."""
    updates = [update.subject for update in venue.step(100)]
    return next(each.master_order_id for each in updates if each.status == "PROCESSING")


def rejects(name: str, count: int = 2, apart: int = 1, **fields: Any) -> list[OrderEvent]:
    """Rejected child orders of a master order, so many seconds apart."""
    return [
        order(
            order_id=f"{name}-{number}",
            master_order_id=name,
            status="REJECTED",
            received_at=NOW + number * apart * SECOND,
            **fields,
        )
        for number in range(count)
    ]


def status(host: PluginHost, name: str) -> str:
    return host.context.api("main").master_order(name).status


def test_qehost_finds_the_plugin_by_its_name(plugin_host: StartPlugin) -> None:
    host = plugin_host("example")
    assert isinstance(host.plugin, Plugin)


def test_a_mistyped_setting_is_refused_with_the_right_name() -> None:
    with pytest.raises(PluginError, match="did you mean rejects"):
        PluginHost("example", {"reject": 3})


def test_it_is_a_dry_run_until_it_is_armed(
    plugin_host: StartPlugin, caplog: pytest.LogCaptureFixture
) -> None:
    # There is no venue in this test: an attempt to act would fail it.
    host = plugin_host(Plugin, {"rejects": 2})
    host.deliver(*rejects("m-1"))
    assert "m-1: would be paused: 2 rejected child orders" in caplog.text


def test_a_master_order_is_paused_once(
    plugin_host: StartPlugin, venue: Venue, caplog: pytest.LogCaptureFixture
) -> None:
    name = at_work(venue)
    host = plugin_host(Plugin, ARMED)
    host.deliver(*rejects(name, 6))
    assert status(host, name) == "PAUSED"
    assert caplog.text.count(f"{name}: 2 rejected child orders: paused") == 1


def test_rejects_that_are_further_apart_do_nothing(plugin_host: StartPlugin) -> None:
    plugin_host(Plugin, ARMED).deliver(*rejects("m-1", 4, apart=11))


@pytest.mark.parametrize("fields", [{"redelivered": True}, {"origin": "catch_up"}])
def test_what_is_no_news_does_nothing(plugin_host: StartPlugin, fields: dict[str, Any]) -> None:
    plugin_host(Plugin, ARMED).deliver(*rejects("m-1", 4, **fields))


def test_what_has_ended_is_forgotten(plugin_host: StartPlugin) -> None:
    host = plugin_host(Plugin, {"rejects": 2})
    host.deliver(*rejects("m-1"), *rejects("m-2", 1))
    for name in ("m-1", "m-2"):
        host.deliver(master_order(master_order_id=name, status="COMPLETED"))
    plugin = host.plugin
    assert isinstance(plugin, Plugin)
    assert (plugin.rejected, plugin.acted_on) == ({}, set())


def test_the_venues_refusal_is_logged(
    plugin_host: StartPlugin, venue: Venue, caplog: pytest.LogCaptureFixture
) -> None:
    plugin_host(Plugin, ARMED).deliver(*rejects("unknown"))
    assert "unknown: 2 rejected child orders: not paused: the venue answered 404" in caplog.text


@pytest.mark.parametrize("done", [True, False])
def test_where_the_answer_is_lost_the_venue_is_asked(
    plugin_host: StartPlugin,
    venue: Venue,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    done: bool,
) -> None:
    pause = API.pause_master_order_v2

    def lost(api: API, name: str, **params: Any) -> None:
        if done:
            pause(api, name, **params)
        raise TransportError("no answer")

    monkeypatch.setattr(API, "pause_master_order_v2", lost)
    name = at_work(venue)
    plugin_host(Plugin, ARMED).deliver(*rejects(name))
    outcome = "paused" if done else "not paused, it is PROCESSING"
    assert f"{name}: 2 rejected child orders: {outcome}" in caplog.text
