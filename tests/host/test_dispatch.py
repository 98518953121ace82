"""Calling the plugins: who gets what, in which order, and what a raise costs the others."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qehost.errors import DecodeError, EventsRefused, HookError, VenueError
from qehost.events import wire
from qehost.events.problems import to_problem
from qehost.events.wire import details
from qehost.host.dispatch import HOOKS, Dispatcher, Failures, Progress
from qehost.host.latency_histogram import SHORT
from qehost.host.loading import Plugins, implementations
from qehost.host.registry import Registry
from qehost.messages import (
    AnyEvent,
    ClientPushMessage,
    Connected,
    ConnectedEvent,
    Disconnected,
    DisconnectedEvent,
    ErrorEvent,
    FillEvent,
    FillMessage,
    MasterOrderDetail,
    MasterOrderEvent,
    MasterOrderMessage,
    OrderDetail,
    OrderEvent,
    OrderMessage,
    Problem,
    StatusEvent,
    UnknownEvent,
)
from qehost.storage.progress import CallRecorder, HookCall, ProgressMemory


def text(type_: str, data: str) -> str:
    return json.dumps({"type": type_, "messageId": "m", "userId": "u", "data": data})


RAW: dict[str, str] = {
    "master_order": text("master_data", '{"masterOrderId": "m-1", "totalQuantity": "1.50"}'),
    "order": text("order_data", '{"masterOrderId": "m-1", "quantity": "0.10"}'),
    "fill": text("data", '{"type": "fill", "order_id": "o-1", "filled_qty": 0.1}'),
    "status": text("status", "open"),
    "error": text("error", "no"),
    "unknown": text("news", "{}"),
    "connected": "",
    "disconnected": "",
}


def make(kind: str, seq: int = 1, **fields: Any) -> AnyEvent:
    raw = fields.pop("raw", RAW[kind])
    origin = fields.pop("origin", "stream")
    head = (seq, "main", "m", 0, origin, False, raw)
    message: Any = (
        wire.decode(RAW[kind]).message if kind in ("master_order", "order", "fill") else None
    )  # type: ignore[union-attr]
    match kind:
        case "master_order":
            return MasterOrderEvent(*head, message)
        case "order":
            return OrderEvent(*head, message)
        case "fill":
            return FillEvent(*head, message)
        case "status":
            return StatusEvent(*head, "open")
        case "error":
            return ErrorEvent(*head, fields.get("problem", Problem("venue", "no")))
        case "connected":
            return ConnectedEvent(*head, Connected("wss://x"))
        case "disconnected":
            return DisconnectedEvent(*head, Disconnected("timed out"))
        case _:
            return UnknownEvent(*head, None)


def dispatcher(
    *plugins: object,
    failures: Failures | None = None,
    progress: Progress | None = None,
    slow_call: float = 60.0,
    turn: float = 60.0,
) -> Dispatcher:
    """The plugins are named a, b, c, …"""
    registry = Registry()
    names = [chr(ord("a") + number) for number in range(len(plugins))]
    for name, plugin in zip(names, plugins, strict=True):
        registry.add(plugin, name, "")
    loaded = Plugins((), dict.fromkeys(names), implementations(registry))
    return loaded.dispatcher(failures=failures, progress=progress, slow_call=slow_call, turn=turn)


class Recorder:
    """Implements every hook with every argument, and keeps what it is given."""

    def __init__(self, raising: Sequence[str] = ()) -> None:
        self.seen: list[tuple[str, tuple[Any, ...]]] = []
        self.raising = raising

    def take(self, hook: str, *values: Any) -> None:
        self.seen.append((hook, values))
        if hook in self.raising:
            raise ValueError(f"no {hook}")

    def hooks(self) -> list[str]:
        return [hook for hook, _ in self.seen]


def method(hook: str) -> Callable[..., None]:
    names = ", ".join(HOOKS[hook])
    scope: dict[str, Any] = {}
    exec(f"def {hook}(self, {names}): self.take({hook!r}, {names})", scope)
    function: Callable[..., None] = scope[hook]
    return function


for each in HOOKS:
    setattr(Recorder, each, method(each))

WAYS: dict[str, Callable[[Dispatcher], object]] = {
    "on_start": lambda d: d.start(dict.fromkeys(d.plugins, "context")),
    "on_stop": lambda d: d.stop("asked to"),
    "on_tick": lambda d: d.tick(1.5),
    "on_raw_message": lambda d: d.deliver([make("unknown")]),
    "on_batch": lambda d: d.deliver([make("unknown")]),
}


# --- who gets what ------------------------------------------------------------------------------


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_called_with_every_argument(hook: str) -> None:
    plugin = Recorder()
    act = WAYS.get(hook, lambda d: d.deliver([make(hook.removeprefix("on_"))]))
    act(dispatcher(plugin))
    (values,) = [values for name, values in plugin.seen if name == hook]
    assert len(values) == len(HOOKS[hook])
    assert None not in values


def test_the_typed_arguments_are_those_of_the_specs() -> None:
    plugin = Recorder()
    kinds = ["master_order", "order", "fill", "status", "error", "connected", "disconnected"]
    events = [make(kind, seq) for seq, kind in enumerate(kinds, 1)]
    dispatcher(plugin).deliver(events)
    seen = {hook: values for hook, values in plugin.seen if hook != "on_raw_message"}
    message, detail, event = seen["on_master_order"]
    assert isinstance(message, MasterOrderMessage)
    assert isinstance(detail, MasterOrderDetail)
    assert str(detail.total_quantity) == "1.50"
    assert event is events[0]
    message, detail, event = seen["on_order"]
    assert isinstance(message, OrderMessage)
    assert isinstance(detail, OrderDetail)
    assert (detail.quantity, event) == (Decimal("0.10"), events[1])
    message, detail, event = seen["on_fill"]
    assert isinstance(message, FillMessage)
    assert (detail.quantity, event) == (Decimal("0.1"), events[2])
    assert seen["on_status"] == ("open", events[3])
    error, event = seen["on_error"]
    assert (type(error), str(error), event) == (VenueError, "no", events[4])
    assert seen["on_connected"] == (events[5],)
    assert seen["on_disconnected"] == ("timed out", events[6])
    assert seen["on_batch"] == (tuple(events),)


def test_arguments_come_in_the_plugins_own_order() -> None:
    seen: list[object] = []

    class Plugin:
        def on_status(self, event: object, status: object) -> None:
            seen.append((event, status))

        def on_fill(self, event: object) -> None:
            seen.append(event)

        def on_tick(self) -> None:
            seen.append("tick")

    status, fill = make("status"), make("fill", 2)
    target = dispatcher(Plugin())
    target.deliver([status, fill])
    target.tick(1.0)
    assert seen == [(status, "open"), fill, "tick"]


def test_raw_then_typed_for_each_event_then_the_batch() -> None:
    plugin = Recorder()
    dispatcher(plugin).deliver([make("order", 1), make("fill", 2, origin="derived")])
    assert plugin.hooks() == ["on_raw_message", "on_order", "on_fill", "on_batch"]
    message, _ = plugin.seen[0][1]
    assert message == ClientPushMessage(
        "order_data", "m", "u", '{"masterOrderId": "m-1", "quantity": "0.10"}'
    )


class Clock:
    """Stands in for the one by which calls are timed; it goes on only when it is told to."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        """Nanoseconds."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("time.perf_counter_ns", clock)
    return clock


def test_when_its_turn_is_over_the_rest_of_the_events_is_left_and_the_batch_has_what_came(
    clock: Clock,
) -> None:
    class Slow(Recorder):
        def on_status(self, event: Any) -> None:
            self.take("on_status", event.seq)
            if event.seq % 2 == 0:
                clock.now += 10**8

        def on_batch(self, events: Any) -> None:
            self.take("on_batch", [event.seq for event in events])

    plugin = Slow()
    target = dispatcher(plugin, turn=0.1)
    events = [make("status", seq) for seq in range(1, 6)]
    assert [target.deliver(events[start:]) for start in (0, 2, 4)] == [2, 2, 1]
    typed = [values[0] for hook, values in plugin.seen if hook == "on_status"]
    batches = [values[0] for hook, values in plugin.seen if hook == "on_batch"]
    assert typed == [1, 2, 3, 4, 5]
    assert batches == [[1, 2], [3, 4], [5]]


@pytest.mark.parametrize(
    "event",
    [
        make("order", origin="catch_up"),
        make("fill", origin="derived"),
        make("connected"),
        make("error", raw="no json", problem=Problem("decode", "not JSON")),
    ],
)
def test_what_is_no_message_of_the_stream_reaches_no_raw_hook(event: AnyEvent) -> None:
    plugin = Recorder()
    dispatcher(plugin).deliver([event])
    assert "on_raw_message" not in plugin.hooks()


def test_an_undecodable_message_reaches_on_error_with_its_text() -> None:
    plugin = Recorder()
    problem = to_problem(DecodeError("not JSON", "no json", "$.data"))
    dispatcher(plugin).deliver([make("error", raw="no json", problem=problem)])
    error, _ = plugin.seen[0][1]
    assert (type(error), error.raw, error.path) == (DecodeError, "no json", "$.data")


def test_a_detail_is_decoded_only_if_someone_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    class Plugin:
        def on_order(self, message: object) -> None: ...

        def on_fill(self, detail: object) -> None: ...

    asked: list[str] = []
    monkeypatch.setattr(details, "detail_or_none", lambda event: asked.append(event.kind))
    monkeypatch.setattr(wire, "push_message", lambda text: asked.append("raw"))
    dispatcher(Plugin(), Plugin()).deliver([make("order"), make("fill", 2), make("status", 3)])
    assert asked == ["fill"]


def test_a_detail_that_cant_be_read_costs_only_the_detail(
    caplog: pytest.LogCaptureFixture,
) -> None:
    plugin = Recorder()
    event = make("order", raw="torn")
    dispatcher(plugin).deliver([event])
    hook, (message, detail, _) = plugin.seen[0]
    assert (hook, message, detail) == ("on_order", event.message, None)
    assert "account main, event 1: no detail" in caplog.text


def test_the_events_of_a_batch_cant_be_changed() -> None:
    plugin = Recorder()
    target = dispatcher(plugin)
    target.deliver([make("status")])
    target.deliver([])
    assert [values for hook, values in plugin.seen if hook == "on_batch"] == [((make("status"),),)]


# --- a raise -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raised", [ValueError("no"), SystemExit(1), KeyboardInterrupt(), GeneratorExit()]
)
def test_a_raise_costs_the_others_nothing_and_reaches_their_on_error(
    raised: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    class Bad:
        def __init__(self) -> None:
            self.errors: list[object] = []

        def on_status(self) -> None:
            raise raised

        def on_error(self, error: object) -> None:
            self.errors.append(error)

    told: list[object] = []
    bad, good = Bad(), Recorder()
    event = make("status", 7)
    dispatcher(bad, good, failures=lambda *what: told.append(what)).deliver([event])
    assert good.hooks() == ["on_raw_message", "on_status", "on_error", "on_batch"]
    error, at = good.seen[2][1]
    assert isinstance(error, HookError)
    assert (error.plugin, error.hook, error.seq, error.__cause__) == ("a", "on_status", 7, raised)
    assert at is event
    assert told == [("a", "on_status", event, raised)]
    assert bad.errors == []
    (record,) = caplog.records
    assert record.getMessage().startswith("plugin a: on_status raised at event 7: ")
    assert record.exc_info is not None
    assert record.exc_info[1] is raised


def test_an_exception_without_a_text_is_told_by_its_type() -> None:
    class Wordless(Exception):
        def __str__(self) -> str:
            raise ValueError

    class Bad:
        def on_tick(self) -> None:
            raise Wordless

    good = Recorder()
    dispatcher(Bad(), good).tick(1.0)
    error, event = good.seen[-1][1]
    assert (str(error), event) == ("plugin a: on_tick raised: Wordless", None)


def test_a_raise_in_on_error_goes_no_further(caplog: pytest.LogCaptureFixture) -> None:
    told: list[object] = []
    bad, good = Recorder(["on_error"]), Recorder()
    dispatcher(bad, good, failures=lambda *what: told.append(what)).deliver([make("error")])
    assert good.hooks() == ["on_raw_message", "on_error", "on_batch"]
    assert told == []
    assert "plugin a: on_error raised at event 1: ValueError: no on_error" in caplog.text


def test_two_plugins_that_raise_at_each_others_errors_come_to_an_end() -> None:
    one, two = Recorder(["on_status", "on_error"]), Recorder(["on_status", "on_error"])
    target = dispatcher(one, two)
    target.deliver([make("status")])
    assert one.hooks() == two.hooks() == ["on_raw_message", "on_status", "on_error", "on_batch"]
    assert [each.errors for each in target.statistics()] == [2, 2]


def test_a_failed_batch_is_a_failure_of_each_of_its_events() -> None:
    told: list[tuple[str, int]] = []
    events = [make("status", 3), make("order", 4)]
    target = dispatcher(
        Recorder(["on_batch"]),
        failures=lambda plugin, hook, event, error: told.append((hook, event.seq if event else 0)),
    )
    target.deliver(events)
    assert told == [("on_batch", 3), ("on_batch", 4)]
    assert target.statistics()[0].errors == 1


def test_a_batch_that_refuses_some_of_its_events_makes_dead_letters_of_those_alone() -> None:
    why = ValueError("too large")

    class Sink:
        def on_batch(self, events: Any) -> None:
            raise EventsRefused({2: why})

    told: list[Any] = []
    events = [make("status", seq) for seq in (1, 2, 3)]
    dispatcher(Sink(), failures=lambda *what: told.append(what)).deliver(events)
    assert told == [("a", "on_batch", events[1], why)]


def test_a_failure_that_cant_be_recorded_costs_nobody_anything(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def full(*_: object) -> None:
        raise OSError("disk full")

    bad, good = Recorder(["on_status"]), Recorder()
    dispatcher(bad, good, failures=full).deliver([make("status")])
    assert good.hooks() == ["on_raw_message", "on_status", "on_error", "on_batch"]
    assert "the failure of plugin a in on_status could not be recorded" in caplog.text


def test_a_plugin_whose_on_start_raises_gets_no_further_calls() -> None:
    bad, good = Recorder(["on_start"]), Recorder()
    target = dispatcher(bad, good)
    (error,) = target.start({"a": "A", "b": "B"})
    assert str(error) == "plugin a: on_start raised: ValueError: no on_start"
    target.deliver([make("status")])
    target.tick(1.0)
    target.stop("done")
    assert bad.seen == [("on_start", ("A",))]
    assert good.seen[0] == ("on_start", ("B",))
    assert good.hooks() == [
        "on_start", "on_error", "on_raw_message", "on_status", "on_batch", "on_tick", "on_stop",
    ]  # fmt: skip
    assert [each.active for each in target.statistics()] == [False, True]


def test_a_plugin_that_did_not_start_hears_of_no_other() -> None:
    one, two = Recorder(["on_start"]), Recorder(["on_start"])
    assert len(dispatcher(one, two).start({"a": "A", "b": "B"})) == 2
    assert one.hooks() == two.hooks() == ["on_start"]


def test_what_fails_on_every_event_is_told_once_then_counted(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    target = dispatcher(Recorder(["on_status"]))

    def messages() -> list[str]:
        found = [record.getMessage() for record in caplog.records]
        caplog.clear()
        return found

    target.deliver([make("status", seq) for seq in range(1, 1001)])
    target.tick(1.0)
    assert messages() == ["plugin a: on_status raised at event 1: ValueError: no on_status"]
    now += 30
    target.tick(2.0)
    assert messages() == ["plugin a: on_status raised ValueError 999 more times"]
    target.deliver([make("status", 1001)])
    target.stop("done")
    assert messages() == ["plugin a: on_status raised ValueError 1 more time"]


def test_after_a_quiet_while_it_is_told_in_full_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    target = dispatcher(Recorder(["on_status"]))
    target.deliver([make("status", 1)])
    now += 30
    target.tick(1.0)
    target.deliver([make("status", 2)])
    assert [record.getMessage() for record in caplog.records] == [
        "plugin a: on_status raised at event 1: ValueError: no on_status",
        "plugin a: on_status raised at event 2: ValueError: no on_status",
    ]


def test_a_slow_call_is_named_once(caplog: pytest.LogCaptureFixture, clock: Clock) -> None:
    class Slow:
        def on_tick(self) -> None:
            clock.now += 2 * 10**9

        def on_start(self) -> None:
            self.on_tick()

        def on_stop(self) -> None:
            self.on_tick()

    with caplog.at_level(logging.WARNING):
        target = dispatcher(Slow(), slow_call=1.0)
        target.start({"a": None})
        target.tick(1.0)
        target.tick(2.0)
        target.stop("done")
    first, count = [record.getMessage() for record in caplog.records]
    # It has its process for itself: there is no advice to give it one.
    assert first == "plugin a: on_tick took 2.000 s, and its next events waited"
    assert count == "plugin a: on_tick was slow 1 more time"


KINDS = st.sampled_from(sorted(RAW))


@given(
    st.lists(st.sets(st.sampled_from(sorted(HOOKS))), min_size=1, max_size=4),
    st.lists(st.lists(KINDS, min_size=1, max_size=5), max_size=4),
)
def test_every_plugin_gets_every_event_in_order_whoever_raises(
    raising: list[set[str]], batches: list[list[str]]
) -> None:
    logging.getLogger("qehost.host").disabled = True
    try:
        plugins = [Recorder(sorted(hooks - {"on_start"})) for hooks in raising]
        alone = Recorder()
        targets = dispatcher(*plugins), dispatcher(alone)
        seq = 0
        for kinds in batches:
            events = [make(kind, seq + n) for n, kind in enumerate(kinds, 1)]
            seq += len(kinds)
            for target in targets:
                target.deliver(events)
    finally:
        logging.getLogger("qehost.host").disabled = False

    def given_by_events(plugin: Recorder) -> list[tuple[str, Any]]:
        return [
            (hook, values[-1])
            for hook, values in plugin.seen
            if not (hook == "on_error" and isinstance(values[0], HookError))
        ]

    for plugin in plugins:
        assert given_by_events(plugin) == given_by_events(alone)


# --- progress and statistics ------------------------------------------------------------------


class Notes:
    """A progress file that keeps everything that is noted, with the calls in between."""

    def __init__(self) -> None:
        self.notes: list[object] = []
        self.plugin = self

    def __setitem__(self, place: int, number: int) -> None:
        self.notes.append(number)

    def enter(self, *what: int) -> None:
        self.notes.append(what)

    def leave(self) -> None:
        self.notes.append(())


def test_every_call_is_noted_before_it_is_made(clock: Clock) -> None:
    class Plugin:
        def on_status(self) -> None:
            progress.notes.append("called")

    class Other(Plugin):
        def on_tick(self) -> None: ...

    progress = Notes()
    target = dispatcher(Plugin(), Other(), progress=progress)
    target.deliver([make("status", 9)])
    target.tick(1.0)
    target.stop("nobody asks")
    status, tick = list(HOOKS).index("on_status"), list(HOOKS).index("on_tick")
    assert progress.notes == [
        (0, status, 9), 0, "called", 1, "called", (), (1, tick, 0), 1, (),
    ]  # fmt: skip


def test_the_time_of_a_call_is_noted_anew_after_a_long_one(clock: Clock) -> None:
    class Long:
        def on_status(self) -> None:
            clock.now += SHORT

    progress = Notes()
    dispatcher(Long(), progress=progress).deliver([make("status", 9)])
    status = list(HOOKS).index("on_status")
    assert progress.notes == [(0, status, 9), 0, (0, status, 9), ()]


def test_a_death_is_recorded_with_plugin_hook_and_event() -> None:
    seen: list[HookCall | None] = []

    class Plugin:
        def on_status(self) -> None:
            seen.append(memory.current())

    memory = ProgressMemory()
    recorder = CallRecorder(memory, ["a", "b"], list(HOOKS), ["main"])
    recorder.account("main")
    dispatcher(Plugin(), Plugin(), progress=recorder).deliver([make("status", 9)])
    assert [call and call[:4] for call in seen] == [
        ("a", "on_status", "main", 9),
        ("b", "on_status", "main", 9),
    ]
    assert memory.current() is None


def test_calls_and_errors_are_counted_for_each_plugin() -> None:
    target = dispatcher(Recorder(["on_status"]), Recorder())
    target.deliver([make("status"), make("order", 2)])
    one, two = target.statistics()
    assert (one.plugin, one.calls, one.errors) == ("a", 5, 1)
    assert (two.plugin, two.calls, two.errors) == ("b", 6, 0)
    assert 0 < one.p50 <= one.p99 <= one.slowest
    assert one.busy > 0


def test_a_plugin_without_calls_has_statistics() -> None:
    (found,) = dispatcher(object()).statistics()
    assert (found.calls, found.busy, found.p50, found.p99, found.slowest) == (0, 0, 0, 0, 0)
