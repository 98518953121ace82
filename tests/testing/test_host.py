"""One plugin in this process, loaded and called as by `qehost run`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import msgspec
import pytest

from qehost import Status, hookspecs, testing
from qehost.errors import (
    Error,
    HookError,
    PluginError,
    Retry,
    UnknownPlugin,
)
from qehost.hookspecs import Context
from qehost.messages import (
    AnyEvent,
    Event,
    FillDetail,
    MasterOrderDetail,
    MasterOrderMessage,
)
from qehost.testing import (
    Events,
    PluginHost,
    Recorder,
    StartPlugin,
    Venue,
    fill,
    master_order,
    status,
)

# --- the host -------------------------------------------------------------------------------------


class Counting:
    class Config(msgspec.Struct, frozen=True):
        limit: int = 10
        label: str = ""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.seen: list[Any] = []

    def on_start(self, context: Context) -> None:
        self.context = context
        self.seen.append("start")

    def on_fill(self, detail: FillDetail) -> None:
        self.seen.append(detail.quantity)
        if detail.quantity and detail.quantity > self.config.limit:
            raise ValueError(f"{detail.quantity} is over the limit")

    def on_batch(self, events: Sequence[AnyEvent]) -> None:
        self.seen.append(len(events))

    def on_tick(self, now: float) -> None:
        self.seen.append(now)

    def on_stop(self, reason: str) -> None:
        self.seen.append(reason)


def test_a_class_is_configured_started_called_and_stopped() -> None:
    with PluginHost(Counting, {"limit": "20"}) as host:
        host.deliver(fill(quantity=1), fill(quantity=2))
        host.tick(5.0)
    assert host.plugin.seen == ["start", 1, 2, 2, 5.0, "the test is over"]
    assert host.config == Counting.Config(limit=20)
    assert host.hooks == ("on_start", "on_stop", "on_fill", "on_batch", "on_tick")
    assert host.errors == []


def test_a_module_and_an_object_are_plugins_too() -> None:
    module = ModuleType("my_alerts")
    exec("seen = []\ndef on_fill(message): seen.append(message.symbol)", module.__dict__)
    with PluginHost(module) as host:
        host.deliver(fill(symbol="ETHUSDT"))
    assert (host.name, host.plugin.seen) == ("my_alerts", ["ETHUSDT"])
    recorder = Recorder()
    with PluginHost(recorder, name="mine") as host:
        assert host.context.plugin == host.name == "mine"
    assert host.plugin is recorder


def test_an_installed_plugin_goes_by_name_and_a_module_by_where_it_is() -> None:
    with PluginHost("qehost.testing:Recorder") as host:
        assert isinstance(host.plugin, Recorder)
    with pytest.raises(UnknownPlugin):
        PluginHost("no_such_plugin_anywhere")


@pytest.mark.parametrize(
    ("plugin", "config", "text"),
    [
        (Counting, {"limt": 1}, "plugins.plugin.limt: unknown setting (did you mean limit?)"),
        (Counting, {"limit": "many"}, 'plugins.plugin.limit: expected a whole number, got "many"'),
        (Recorder, {"limit": 1}, "limit: the plugin takes no settings"),
        (type("Bad", (), {"on_fil": lambda self: None}), {}, "on_fil is no hook"),
    ],
)
def test_what_the_product_refuses_is_refused_with_its_text(
    plugin: type, config: dict[str, object], text: str
) -> None:
    with pytest.raises(PluginError) as caught:
        PluginHost(plugin, config)
    assert text in str(caught.value)


def test_what_a_hook_raises_fails_the_test_after_all_events_were_delivered() -> None:
    with PluginHost(Counting) as host, pytest.raises(HookError) as caught:
        host.deliver(fill(quantity=11, seq=4), fill(quantity=12, seq=5))
    assert str(caught.value) == (
        "plugin plugin: on_fill raised at event 4: ValueError: 11 is over the limit"
    )
    assert isinstance(caught.value.__cause__, ValueError)
    assert caught.value.__notes__ == [
        "and then plugin plugin: on_fill raised at event 5: ValueError: 12 is over the limit"
    ]
    assert host.plugin.seen[1:4] == [11, 12, 2]


def test_what_hooks_raise_can_be_collected_instead() -> None:
    with PluginHost(Counting, raises=False) as host:
        host.deliver(fill(quantity=11), fill(quantity=1))
    assert [type(error.__cause__) for error in host.errors] == [ValueError]


def raising(hook: str) -> type:
    def broken(self: object) -> None:
        raise LookupError("oh")

    return type("Broken", (), {hook: broken})


def whole_life(plugin: type) -> None:
    with PluginHost(plugin) as host:
        host.deliver(Events().error(), fill())
        host.tick()


@pytest.mark.parametrize("hook", ["on_start", "on_tick", "on_stop", "on_error", "on_batch"])
def test_a_raise_in_any_hook_surfaces(hook: str) -> None:
    with pytest.raises(HookError, match=rf"{hook} raised.*LookupError: oh"):
        whole_life(raising(hook))


def test_a_failing_test_is_not_hidden_by_what_on_stop_raises() -> None:
    with (
        pytest.raises(AssertionError, match="the test's own"),
        PluginHost(raising("on_stop")),
    ):
        raise AssertionError("the test's own")


def test_ctrl_c_in_a_hook_ends_the_test_run() -> None:
    def interrupted(self: object) -> None:
        raise KeyboardInterrupt

    plugin = type("Slow", (), {"on_tick": interrupted})
    with PluginHost(plugin) as host, pytest.raises(KeyboardInterrupt):
        host.tick()


def test_a_plugin_beside_it_gets_the_same_events_and_hears_of_its_errors(
    recorder: Recorder,
) -> None:
    with PluginHost(Counting, beside=[recorder], raises=False) as host:
        host.deliver(fill(quantity=11))
    assert recorder.hooks == [
        *("on_start", "on_fill", "on_error", "on_batch", "on_stop"),
    ]
    (call,) = recorder.of("on_error")
    assert call.arguments["error"].plugin == "plugin"
    assert call.event.kind == "fill"


def test_what_a_plugin_beside_it_raises_is_collected_alone(recorder: Recorder) -> None:
    with PluginHost(recorder, beside=[Counting(Counting.Config(limit=1))]) as host:
        host.deliver(fill(quantity=5))
    assert [error.plugin for error in host.errors] == ["beside-1"]
    (call,) = recorder.of("on_error")
    assert isinstance(call.arguments["error"], HookError)


def test_the_context_is_a_real_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with PluginHost(Counting, accounts=["main", "hedge"]) as host:
        context = host.plugin.context
        assert context is host.context
        assert context.accounts == ("main", "hedge")
        (context.state_dir / "book").write_text("kept")
        folder = context.state_dir
        with caplog.at_level(logging.INFO):
            context.logger.info("hello")
        context.stop("enough")
    assert caplog.records[-1].name == "qehost.plugin.plugin"
    assert host.stop_requests == ["enough"]
    assert not folder.exists()
    with PluginHost(Counting, state_dir=tmp_path) as host:
        (host.context.state_dir / "book").write_text("kept")
    with PluginHost(Counting, state_dir=tmp_path) as host:
        assert (host.context.state_dir / "book").read_text() == "kept"


def test_an_event_of_an_account_that_is_not_there_is_a_mistake_of_the_test() -> None:
    with PluginHost(Recorder) as host, pytest.raises(ValueError, match="account hedge"):
        host.deliver(fill(account="hedge"))


def test_a_plugin_that_is_not_running_gets_nothing() -> None:
    with pytest.raises(RuntimeError, match="with PluginHost"):
        PluginHost(Recorder).deliver(fill())


def test_a_deprecated_hook_is_a_warning_in_the_authors_tests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options: dict[str, Any] = hookspecs.on_tick.qehost_spec  # type: ignore[attr-defined]
    monkeypatch.setitem(options, "warn_on_impl", DeprecationWarning("on_tick goes in 0.3"))
    with pytest.warns(DeprecationWarning, match="plugin plugin: on_tick goes in 0.3"):
        PluginHost(Counting)


# --- acting ---------------------------------------------------------------------------------------


class Pausing:
    def on_start(self, context: Context) -> None:
        self.context = context

    def on_master_order(self, message: MasterOrderMessage, event: AnyEvent) -> None:
        self.context.api(event.account).pause_master_order_v2(message.master_order_id)


def test_a_plugin_acts_on_the_local_venue(venue: Venue, plugin_host: StartPlugin) -> None:
    host = plugin_host(Pausing, accounts=["main"])
    working = next(
        update.subject
        for update in venue.step(200)
        if isinstance(update.subject, MasterOrderDetail) and update.subject.status == "PROCESSING"
    )
    host.deliver(master_order(master_order_id=working.master_order_id))
    api = host.context.api("main")
    assert api is host.context.api("main")
    assert api.get_master_order_v2(working.master_order_id)["masterOrder"]["status"] == "PAUSED"
    with pytest.raises(Error, match=r"there is no account mian \(did you mean main\?\)"):
        host.context.api("mian")
    host.stop()
    with pytest.raises(Error, match="this API is closed"):
        api.ping()


def test_without_a_venue_acting_says_what_is_missing() -> None:
    with PluginHost(Pausing) as host, pytest.raises(HookError, match="use the fixture `venue`"):
        host.deliver(master_order())


def test_no_attribute_of_the_context_or_the_api_leads_to_a_credential(
    venue: Venue, plugin_host: StartPlugin
) -> None:
    host = plugin_host(Pausing)
    api = host.context.api("main")
    api.ping()
    list(api.master_order_pages())
    found = reachable((host.context, api))
    texts = [value for value in found if isinstance(value, str)]
    texts += [value.decode("latin-1") for value in found if isinstance(value, bytes)]
    assert venue.rest_url in texts
    for secret in (venue.api_key, venue.api_secret):
        assert not [text for text in texts if secret in text]
        assert secret not in repr(host.context) + repr(api)


def reachable(root: object) -> list[Any]:
    """Everything that attributes, slots and containers lead to; no closure, no frame."""
    found: list[Any] = []
    seen: set[int] = set()
    ahead = [root]
    while ahead:
        value = ahead.pop()
        if id(value) in seen or isinstance(value, type | ModuleType):
            continue
        seen.add(id(value))
        found.append(value)
        if isinstance(value, dict):
            ahead += [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple | set | frozenset):
            ahead += value
        elif not isinstance(value, str | bytes | int | float):
            ahead += vars(value).values() if hasattr(value, "__dict__") else []
            for kind in type(value).__mro__:
                slots = getattr(kind, "__slots__", ())
                for slot in [slots] if isinstance(slots, str) else slots:
                    if hasattr(value, slot):
                        ahead.append(getattr(value, slot))
            for name in ("__self__", "func", "args", "keywords"):
                if hasattr(value, name):
                    ahead.append(getattr(value, name))
    return found


# --- coroutines -------------------------------------------------------------------------------


class Coroutines:
    """Whose hooks share a task, as they do in a host process."""

    def __init__(self) -> None:
        self.got: list[object] = []
        self.down = True

    async def on_start(self) -> None:
        self.task = asyncio.current_task()
        await asyncio.sleep(0.001)

    async def on_status(self, event: Event) -> None:
        await asyncio.sleep(0.001)
        assert asyncio.current_task() is self.task
        if event.seq == 2:
            raise ValueError("no")
        if event.seq == 3 and self.down:
            raise Retry(1, "the database is down")
        self.got.append(event.seq)

    async def on_error(self, error: Exception) -> None:
        await asyncio.sleep(0)
        raise KeyError("in on_error")

    async def on_tick(self, now: float) -> None:
        await asyncio.sleep(0.001)
        self.got.append(now)

    async def on_stop(self) -> None:
        await asyncio.sleep(0.001)
        self.got.append("stopped")


def test_a_plugin_of_coroutines_is_run_as_any_other() -> None:
    plugin = Coroutines()
    with PluginHost(plugin, raises=False) as host:
        host.deliver(status("one", seq=1), status("two", seq=2))
        assert [type(error.__cause__) for error in host.errors] == [ValueError]
        host.tick(5.0)
        host.deliver(status("three", seq=3))
        assert host.waiting is not None
        plugin.down = False
        host.retry()
        host.deliver(testing.error("no", seq=4))
        assert [type(each.__cause__) for each in host.errors] == [ValueError, KeyError]
    assert plugin.got == [1, 5.0, 3, "stopped"]


# --- Retry ------------------------------------------------------------------------------------


class Sink:
    """Writes fills to a database that is down at first."""

    def __init__(self) -> None:
        self.down = True
        self.got: list[tuple[int, int]] = []

    def on_status(self, event: Event) -> None:
        if self.down:
            raise Retry(after=5, reason="the database is down")
        self.got.append((event.seq, event.attempt))


def test_a_plugin_that_raises_retry_waits_until_the_test_says_that_its_time_has_come() -> None:
    sink = Sink()
    with PluginHost(sink) as host:
        host.deliver(status("one", seq=1), status("two", seq=2))
        assert host.waiting is not None
        assert (host.waiting.after, str(host.waiting)) == (5, "the database is down")
        host.deliver(status("three", seq=3))
        host.retry()
        assert host.waiting is not None
        sink.down = False
        host.retry()
        assert host.waiting is None
        assert sink.got == [(1, 3), (2, 1), (3, 1)]
        host.deliver(status("four", seq=4))
        assert sink.got[-1] == (4, 1)
        with pytest.raises(RuntimeError, match="does not wait"):
            host.retry()
    assert host.errors == []


def test_a_retry_in_on_start_is_tried_again_before_the_events_that_came() -> None:
    class Late:
        started = 0
        seqs: ClassVar[list[int]] = []

        def on_start(self) -> None:
            self.started += 1
            if self.started == 1:
                raise Retry

        def on_status(self, event: Event) -> None:
            self.seqs.append(event.seq)

    plugin = Late()
    with PluginHost(plugin) as host:
        assert host.waiting is not None
        host.deliver(status("one", seq=7))
        assert plugin.seqs == []
        host.retry()
        assert (plugin.started, plugin.seqs) == (2, [7])


def test_what_a_plugin_says_is_wrong_is_there_until_it_is_cleared() -> None:
    class Plugin:
        def on_start(self, context: Any) -> None:
            self.context = context

        def on_status(self, status: str) -> None:
            self.context.problem("disk", status)

    with PluginHost(Plugin) as host:
        host.deliver(status("it is full"))
        assert host.problems == {"disk": "it is full"}
        host.deliver(status(""))
        assert host.problems == {}


def test_the_status_is_what_the_test_says_and_none_before() -> None:
    with PluginHost(Counting) as host:
        assert host.context.status() is None
        host.status = Status("1", 2, 0.0, 0.0, "", connections=[], hosts=[])
        assert host.context.status() is host.status
