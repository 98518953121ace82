"""What waits for a plugin without a journal comes in order, and what came again is counted."""

from __future__ import annotations

from plugin_bench import event

from qehost.errors import Retry
from qehost.host.backlog import Backlog
from qehost.host.dispatch import Dispatcher, Implementation
from qehost.host.returned_hooks import Held
from qehost.messages import Event


def test_the_slice_that_was_held_comes_first_as_far_as_it_was_not_had() -> None:
    got: list[tuple[int, int]] = []
    failing = [2, 2, 4]

    def on_status(event: Event) -> None:
        got.append((event.seq, event.attempt))
        if failing and event.seq == failing[0]:
            del failing[0]
            raise Retry

    held: list[Held] = []
    functions = {"on_status": [Implementation("sink", on_status, ("event",))]}
    dispatcher = Dispatcher(["sink"], functions, retries=held.append)
    backlog = Backlog(dispatcher, "sink")
    first = [event(1), event(2), event(3)]
    dispatcher.deliver(first)
    backlog.hold(held.pop(), first)
    backlog.add([event(4), event(5)])
    while backlog.deliver(held) is not None:
        assert not held
    assert not backlog
    assert got == [(1, 1), (2, 1), (2, 2), (2, 3), (3, 1), (4, 1), (4, 2), (5, 1)]


def test_a_call_about_no_event_comes_again_before_the_events() -> None:
    got: list[str] = []

    def on_tick() -> None:
        got.append("tick")
        if len(got) < 3:
            raise Retry

    held: list[Held] = []
    functions = {
        "on_tick": [Implementation("sink", on_tick, ())],
        "on_status": [Implementation("sink", lambda: got.append("event"), ())],
    }
    dispatcher = Dispatcher(["sink"], functions, retries=held.append)
    backlog = Backlog(dispatcher, "sink")
    dispatcher.tick(0.0)
    backlog.hold(held.pop(), ())
    backlog.add([event(1)])
    assert backlog.deliver(held) is not None
    assert backlog.deliver(held) is None
    assert got == ["tick", "tick", "tick", "event"]
    assert not held
