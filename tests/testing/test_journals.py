"""The past that a test gives to a plugin."""

from __future__ import annotations

import pytest

from qehost.errors import Error
from qehost.hookspecs import Context
from qehost.testing import Events, PluginHost, status


class Remembering:
    def __init__(self) -> None:
        self.past: list[list[int]] = []

    def on_start(self, context: Context) -> None:
        self.context = context
        self._look()

    def on_status(self) -> None:
        self._look()

    def _look(self) -> None:
        self.past.append([event.seq for event in self.context.history("main")])


def test_a_plugin_has_the_history_that_the_test_gives_and_then_what_was_delivered() -> None:
    make = Events()
    before = [make.master_order(master_order_id="a"), make.status()]
    with PluginHost(Remembering, history=before) as host:
        host.deliver(make.status(), make.master_order(master_order_id="b"), make.status())
        host.deliver(make.status())
        assert host.plugin.past == [[1, 2], [1, 2], [1, 2, 3, 4], [1, 2, 3, 4, 5]]
        told = list(host.context.history("main", after_seq=4, kinds=["master_order", "status"]))
        assert [(event.seq, event.origin) for event in told] == [
            (1, "baseline"),
            (4, "baseline"),
            (5, "stream"),
            (6, "stream"),
        ]
        assert host.context.has("main", told[0].journal_id, 1)
        assert not host.context.has("main", "00" * 8, 1)
        with pytest.raises(Error, match="no account"):
            host.context.history("other")
        with pytest.raises(ValueError, match="no kind"):
            host.context.history("main", kinds=["fil"])  # type: ignore[list-item]


def test_a_plugin_can_be_told_that_its_past_was_pruned() -> None:
    with PluginHost(Remembering, history=[status(seq=7)], pruned_before=7) as host:
        assert host.context.history("main").pruned_before == 7
