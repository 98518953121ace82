"""Events for some plugins and not for others: what killed one, and what one is to get again."""

from __future__ import annotations

from typing import Any

from qehost.errors import GapError
from qehost.host.dispatch import Dispatcher, Implementation
from qehost.messages import StatusEvent

RAW = '{"type": "status", "messageId": "m", "userId": "u", "data": "open"}'
EVENT = StatusEvent(7, "main", "m", 0, "stream", True, RAW, "open")


class Called:
    """Two plugins with the same three hooks; `failing` raises in those that it is told to."""

    def __init__(self, failing: set[tuple[str, str]] | None = None) -> None:
        self.calls: list[tuple[str, str]] = []
        self.failures: list[tuple[str, str]] = []
        self.told: list[tuple[str, Exception, object]] = []
        failing = failing or set()

        def hook(plugin: str, name: str) -> Any:
            def function(_: object) -> None:
                self.calls.append((plugin, name))
                if (plugin, name) in failing:
                    raise ValueError("no")

            return function

        def on_error(plugin: str) -> Any:
            return lambda error, event: self.told.append((plugin, error, event))

        self.dispatcher = Dispatcher(
            ["a", "b"],
            {
                name: [Implementation(p, hook(p, name), (argument,)) for p in ("a", "b")]
                for name, argument in (
                    ("on_raw_message", "event"),
                    ("on_status", "event"),
                    ("on_batch", "events"),
                )
            }
            | {
                "on_error": [Implementation(p, on_error(p), ("error", "event")) for p in ("a", "b")]
            },
            failures=lambda plugin, name, event, error: self.failures.append((plugin, name)),
        )

    def without(self, plugins: set[str]) -> None:
        table = self.dispatcher.table(["a", "b"])
        self.dispatcher.deliver_without(plugins, EVENT, table)


def test_an_event_is_passed_over_for_some_plugins_and_only_this_event() -> None:
    called = Called()
    called.without({"a"})
    assert called.calls == [("b", "on_raw_message"), ("b", "on_status"), ("b", "on_batch")]
    called.calls.clear()
    called.dispatcher.deliver([EVENT])
    assert len(called.calls) == 6


def test_an_event_that_nobody_may_have_calls_nobody() -> None:
    called = Called()
    called.without({"a", "b"})
    assert called.calls == []


def test_an_event_comes_again_to_one_plugin_in_one_hook_or_in_all() -> None:
    called = Called()
    assert called.dispatcher.deliver_again("b", "on_status", EVENT) == "returned"
    assert called.calls == [("b", "on_status")]
    assert called.dispatcher.deliver_again("b", "", EVENT) == "returned"
    assert called.calls[1:] == [("b", "on_raw_message"), ("b", "on_status"), ("b", "on_batch")]


def test_a_raise_at_an_event_that_comes_again_is_recorded_again() -> None:
    called = Called({("b", "on_status")})
    assert called.dispatcher.deliver_again("b", "on_status", EVENT) == "raised"
    assert called.failures == [("b", "on_status")]


def test_a_plugin_without_the_hook_has_nothing_to_call() -> None:
    called = Called()
    assert called.dispatcher.deliver_again("b", "on_order", EVENT) == "nothing to call"


def test_what_went_wrong_outside_of_any_event_reaches_every_on_error() -> None:
    called = Called()
    error = GapError("events 3 to 4 can't be delivered")
    called.dispatcher.tell(error)
    assert called.told == [("a", error, None), ("b", error, None)]
