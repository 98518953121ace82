"""The pytest plugin: fixtures for the tests of plugins.

pytest loads it wherever qehost is installed, so it imports nothing but pytest until a fixture is
used.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from qehost.simulator import Venue
    from qehost.testing.host import PluginHost, StartPlugin
    from qehost.testing.recorder import Recorder

__all__ = ["plugin_host", "recorder", "venue"]


@pytest.fixture
def plugin_host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StartPlugin]:
    """Start a plugin as qehost does: plugin_host(Plugin, {"limit": 10}) is a PluginHost."""
    from qehost.simulator import Venue
    from qehost.testing.host import PluginHost

    used = request.getfixturevalue("venue") if "venue" in request.fixturenames else None
    with ExitStack() as stack:

        def start(
            plugin: object, config: dict[str, object] | None = None, **options: Any
        ) -> PluginHost:
            options.setdefault("state_dir", tmp_path / "state")
            # A project may have a fixture of this name for something else.
            options.setdefault("venue", used if isinstance(used, Venue) else None)
            return stack.enter_context(PluginHost(plugin, config, **options))

        yield start  # type: ignore[misc]  # the options are those of StartPlugin


@pytest.fixture
def recorder() -> Recorder:
    """A plugin that records every call: run it beside another, or alone."""
    from qehost.testing.recorder import Recorder

    return Recorder()


@pytest.fixture
def venue() -> Iterator[Venue]:
    """A local venue whose market moves when it is told to: venue.step(10)."""
    from qehost.simulator import Venue

    with Venue(seed=1) as running:
        yield running
