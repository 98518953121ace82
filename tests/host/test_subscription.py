"""What a plugin wants, by its settings and class attributes, and what is refused."""

from __future__ import annotations

import pytest
from plugin_bench import event

from qehost import testing
from qehost.config.settings import PluginSettings
from qehost.host.subscription import EVERYTHING, Subscription, subscription


class Sink:
    kinds = ("fill", "order")
    symbols = frozenset({"btcusdt"})
    max_events = 500

    def on_batch(self, events: object) -> None: ...


class Plain:
    symbols: set[str]

    def __init__(self) -> None:
        self.symbols = set()
        self.kinds = "its own affair"


BATCH = ("on_batch",)


def test_class_attributes_hold_where_the_settings_say_nothing() -> None:
    assert subscription(PluginSettings(), Sink(), BATCH) == Subscription(
        frozenset({"fill", "order"}), frozenset({"BTCUSDT"}), 500, 5.0
    )
    settings = PluginSettings(kinds=["status"], symbols=["ETHUSDT"], max_events=7, max_wait=0.5)
    assert subscription(settings, Sink(), BATCH) == Subscription(
        frozenset({"status"}), frozenset({"ETHUSDT"}), 7, 0.5
    )


def test_a_property_of_the_class_is_asked_so_that_a_plugin_s_own_settings_can_say_it() -> None:
    class Configured(Sink):
        def __init__(self, rows: int | None) -> None:
            self._rows = rows

        @property
        def max_events(self) -> int | None:  # type: ignore[override]
            return self._rows

    assert subscription(PluginSettings(), Configured(20), BATCH).max_events == 20
    assert subscription(PluginSettings(), Configured(None), BATCH).max_events == 0
    with pytest.raises(ValueError, match="its class attribute max_events must be "):
        subscription(PluginSettings(), Configured(-1), BATCH)


def test_what_an_instance_or_a_module_has_is_its_own_affair() -> None:
    assert subscription(PluginSettings(), Plain(), ()) == EVERYTHING
    assert subscription(PluginSettings(), testing, ()) == EVERYTHING


def test_one_of_the_two_bounds_brings_the_other_one() -> None:
    assert subscription(PluginSettings(max_wait=2.0), Plain(), BATCH).max_events == 1_000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kinds", ["fills"]),
        ("kinds", "fill"),
        ("symbols", [1]),
        ("max_events", 0),
        ("max_events", "many"),
        ("max_wait", 0),
        ("max_wait", -1.0),
    ],
)
def test_a_class_attribute_that_can_not_be_right_is_refused(name: str, value: object) -> None:
    plugin = type("Plugin", (), {name: value})()
    with pytest.raises(ValueError, match=f"its class attribute {name} must be "):
        subscription(PluginSettings(), plugin, BATCH)


def test_collecting_without_on_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="max_events: the plugin has no on_batch"):
        subscription(PluginSettings(), Sink(), ("on_fill",))


def test_what_has_no_symbol_is_of_every_symbol() -> None:
    fill = testing.fill(symbol="ETHUSDT")
    assert Subscription(symbols=frozenset({"ETHUSDT"})).wants(fill)
    assert not Subscription(symbols=frozenset({"BTCUSDT"})).wants(fill)
    assert Subscription(symbols=frozenset({"BTCUSDT"})).wants(event(1))
    assert not Subscription(kinds=frozenset({"fill"})).wants(event(1))
