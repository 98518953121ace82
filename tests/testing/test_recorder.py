"""The recorder keeps every call of every hook, with all its arguments."""

from __future__ import annotations

import inspect

from qehost.host.arguments import HOOKS
from qehost.testing import Events, PluginHost, Recorder


def test_it_implements_every_hook_with_every_argument() -> None:
    for hook, arguments in HOOKS.items():
        assert set(inspect.signature(getattr(Recorder(), hook)).parameters) == set(arguments)


def test_calls_are_kept_in_order_with_their_arguments_by_name() -> None:
    recorder, events = Recorder(), Events()
    first, second = events.status("one"), events.status("two")
    with PluginHost(recorder) as host:
        host.deliver(first, second)
        host.tick(5.0)
    assert [each.arguments["status"] for each in recorder.of("on_status")] == ["one", "two"]
    assert [each.event for each in recorder.of("on_status")] == [first, second]
    assert recorder.of("on_tick")[0].arguments == {"now": 5.0}
    assert recorder.of("on_tick")[0].event is None
    assert recorder.hooks[0] == "on_start"
    assert recorder.hooks[-1] == "on_stop"
    assert recorder.of("on_fill") == []
