"""The contract of each hook, one test for each: what it is called with, when, and how often.

The plugins run in `PluginHost`, so by the loading and the dispatch of the product.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from inspect import signature

import pytest

from qehost import Context, hookspecs
from qehost.errors import HookError, VenueError
from qehost.host.arguments import HOOKS
from qehost.messages import AnyEvent
from qehost.testing import Call, Events, PluginHost, Recorder, detail


@pytest.fixture
def events() -> Events:
    return Events()


def calls(hook: str, *events: AnyEvent) -> list[Call]:
    """The calls of one hook that these events lead to, with every argument of its contract."""
    recorder = Recorder()
    with PluginHost(recorder) as host:
        host.deliver(*events)
    found = recorder.of(hook)
    assert all(tuple(call.arguments) == HOOKS[hook] for call in found)
    return found


def test_on_start_comes_once_before_everything_else(recorder: Recorder, events: Events) -> None:
    with PluginHost(recorder, accounts=["main", "hedge"]) as host:
        host.deliver(events.connected())
    (call,) = recorder.of("on_start")
    assert recorder.hooks[0] == "on_start"
    context = call.arguments["context"]
    assert isinstance(context, Context)
    assert context.accounts == ("main", "hedge")


def test_on_start_that_raises_costs_the_plugin_every_further_call(events: Events) -> None:
    class Broken(Recorder):
        def on_start(self, context: Context) -> None:
            raise OSError("no such file")

    with PluginHost(Broken, raises=False) as host:
        host.deliver(events.fill())
        host.tick()
    assert host.plugin.calls == []


def test_on_stop_comes_once_after_everything_else_with_the_reason(
    recorder: Recorder, events: Events
) -> None:
    host = PluginHost(recorder)
    host.start()
    host.deliver(events.fill())
    host.stop("stopped by SIGTERM")
    host.stop("again")
    assert recorder.calls[-1] == Call("on_stop", {"reason": "stopped by SIGTERM"})
    assert len(recorder.of("on_stop")) == 1


def test_on_connected_tells_the_window_that_was_not_heard(events: Events) -> None:
    event = events.connected(down_since=5, up_at=9, attempt=2)
    (call,) = calls("on_connected", event)
    assert (call.event.message.down_since, call.event.message.up_at) == (5, 9)


def test_on_disconnected_tells_how_and_since_when(events: Events) -> None:
    event = events.disconnected("timed out", last_heard=7)
    (call,) = calls("on_disconnected", event)
    assert (call.arguments["reason"], call.event.message.last_heard) == ("timed out", 7)


def test_on_master_order_has_floats_and_exact_decimals(events: Events) -> None:
    (call,) = calls("on_master_order", events.master_order(qty="0.30000000000000000001"))
    assert call.arguments["message"].qty == 0.3
    assert call.arguments["detail"].total_quantity == Decimal("0.30000000000000000001")


def test_on_order_has_floats_and_exact_decimals(events: Events) -> None:
    event = events.order(price="0.10", filled_quantity="0.2")
    (call,) = calls("on_order", event)
    assert call.arguments["message"] is event.message
    assert str(call.arguments["detail"].price) == "0.10"


def test_on_fill_comes_once_for_each_increase_after_its_order(events: Events) -> None:
    update = events.order(filled_quantity="0.2")
    fill = events.fill_of(update)
    recorder = Recorder()
    with PluginHost(recorder) as host:
        host.deliver(update, fill)
    assert recorder.hooks[1:] == ["on_raw_message", "on_order", "on_fill", "on_batch", "on_stop"]
    (call,) = recorder.of("on_fill")
    assert call.event.origin == "derived"
    assert call.arguments["detail"] == detail(fill)


def test_on_status_has_the_venues_text(events: Events) -> None:
    (call,) = calls("on_status", events.status("maintenance at noon"))
    assert call.arguments["status"] == "maintenance at noon"


def test_on_error_has_an_exception_and_its_event(events: Events) -> None:
    event = events.error("no margin")
    (call,) = calls("on_error", event)
    assert isinstance(call.arguments["error"], VenueError)
    assert call.event is event


def test_on_error_hears_of_other_plugins_and_a_raise_in_it_goes_no_further(
    recorder: Recorder, events: Events
) -> None:
    class Broken:
        def on_fill(self) -> None:
            raise ValueError("oh")

        def on_error(self) -> None:
            raise LookupError("worse")

    with PluginHost(Broken, beside=[recorder], raises=False) as host:
        host.deliver(events.fill(), events.error())
        host.tick()
    heard = [call.arguments["error"] for call in recorder.of("on_error")]
    assert [type(error) for error in heard] == [HookError, VenueError]
    assert [error.hook for error in host.errors] == ["on_fill", "on_error"]


def test_on_raw_message_comes_before_the_typed_hook_for_what_the_stream_brought(
    events: Events,
) -> None:
    unknown = events.unknown("news", {"headline": "x"})
    found = calls(
        "on_raw_message",
        events.master_order(),
        events.master_order(origin="catch_up"),
        events.fill(),
        events.connected(),
        unknown,
    )
    messages = [call.arguments["message"] for call in found]
    assert [message.type for message in messages] == ["master_data", "news"]
    assert messages[1].data == '{"headline": "x"}'
    assert found[1].event is unknown


def test_on_batch_comes_after_the_typed_hooks_of_all_its_events(
    recorder: Recorder, events: Events
) -> None:
    made = [events.fill(), events.status(), events.unknown()]
    with PluginHost(recorder) as host:
        host.deliver(*made)
        host.deliver(events.fill())
        host.tick()
    batches: list[Sequence[AnyEvent]] = [c.arguments["events"] for c in recorder.of("on_batch")]
    assert list(batches[0]) == made
    assert [len(batch) for batch in batches] == [3, 1]
    typed = [hook for hook in recorder.hooks if hook != "on_raw_message"]
    assert typed[1:4] == ["on_fill", "on_status", "on_batch"]


def test_on_tick_has_epoch_seconds(recorder: Recorder) -> None:
    with PluginHost(recorder) as host:
        host.tick(1_767_323_045.5)
    (call,) = recorder.of("on_tick")
    assert call.arguments == {"now": 1_767_323_045.5}


# --- the set of hooks -----------------------------------------------------------------------------


@pytest.mark.parametrize("hook", HOOKS)
def test_the_recorder_implements_every_hook_with_every_argument(hook: str) -> None:
    assert signature(getattr(Recorder(), hook)) == signature(getattr(hookspecs, hook))


def test_every_hook_says_since_when_it_is_there_and_none_is_newer_than_the_set() -> None:
    since = {}
    for hook in HOOKS:
        text = getattr(hookspecs, hook).__doc__
        assert text.count("Since ") == 1, hook
        since[hook] = text.partition("Since ")[2].partition(".\n")[0]
    numbers = {tuple(map(int, version.split("."))) for version in since.values()}
    assert max(numbers) == tuple(map(int, hookspecs.VERSION.split(".")))
