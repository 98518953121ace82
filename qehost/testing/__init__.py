"""For the tests of plugins.

::

    from qehost.testing import PluginHost, fill

    def test_large_fills_are_counted() -> None:
        with PluginHost(Plugin, {"limit": 10}) as host:
            host.deliver(fill(quantity="25", price="0.10"))
            assert host.plugin.count == 1

* `PluginHost` runs one plugin in this process, and loads, configures and calls it as `qehost run`.
* `master_order`, `order`, `fill`, `status`, `error`, `connected`, `disconnected` and `unknown` make
  events with sensible values, `fill_of` the fill that belongs to a child order's update, and
  `worked_master_order` all events of a master order's life.  `Events` makes them with numbers and
  times of its own.
* `events_from("day.jsonl")` has the events of a `qehost journal export`.
* `detail` gives the exact decimals of an event, as a hook gets them.
* `Recorder` is a plugin that records every call.
* With pytest there are the fixtures `plugin_host`, `recorder` and `venue` (a local venue), without
  an import.  `StartPlugin` is the type of `plugin_host`, `Venue` that of `venue`.

Only the fixtures need pytest.
"""

# Each name is imported at its first use: pytest loads this package for the fixtures wherever qehost
# is installed.

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qehost.simulator import Venue
    from qehost.testing.events import (
        Events,
        connected,
        detail,
        disconnected,
        error,
        fill,
        fill_of,
        master_order,
        order,
        status,
        unknown,
    )
    from qehost.testing.exported import events_from
    from qehost.testing.host import PluginHost, StartPlugin
    from qehost.testing.recorder import Call, Recorder
    from qehost.testing.scenario import worked_master_order

__all__ = [
    "Call",
    "Events",
    "PluginHost",
    "Recorder",
    "StartPlugin",
    "Venue",
    "connected",
    "detail",
    "disconnected",
    "error",
    "events_from",
    "fill",
    "fill_of",
    "master_order",
    "order",
    "status",
    "unknown",
    "worked_master_order",
]

_MODULES = {
    "Call": "qehost.testing.recorder",
    "PluginHost": "qehost.testing.host",
    "Recorder": "qehost.testing.recorder",
    "StartPlugin": "qehost.testing.host",
    "Venue": "qehost.simulator",
    "events_from": "qehost.testing.exported",
    "worked_master_order": "qehost.testing.scenario",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'qehost.testing' has no attribute {name!r}")
    module = import_module(_MODULES.get(name, "qehost.testing.events"))
    value = globals()[name] = getattr(module, name)
    return value


def __dir__() -> list[str]:
    return __all__
