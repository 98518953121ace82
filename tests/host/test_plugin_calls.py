"""One account's events for the plugins of a process, and dead letters again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from plugin_bench import Call, PluginBench, event

from qehost.errors import GapError
from qehost.host.plugin_calls import PluginCalls
from qehost.storage.dead_letters import DeadLetters


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[PluginBench]:
    bench = PluginBench(tmp_path, {"a": ["on_status"], "b": ["on_status", "on_error"]})
    yield bench
    bench.close()


def calls(bench: PluginBench) -> PluginCalls:
    """The consumer of the account."""
    return PluginCalls(bench.heads["main"], bench.dispatcher, bench.recorder, bench.apart)


def failing(*plugins: str) -> Callable[[Call], None]:
    def react(call: Call) -> None:
        if call[0] in plugins:
            raise ValueError("no")

    return react


def retried(bench: PluginBench, *ids: int) -> None:
    """The user retries these letters."""
    with DeadLetters(bench.letters_file) as letters:
        letters.mark(ids)
    bench.letter_calls.deliver(bench.dispatcher.awake(), 60.0)


def test_each_plugin_gets_every_event(bench: PluginBench) -> None:
    assert calls(bench).deliver([event(1), event(2)]) == 2
    assert bench.seqs("a") == bench.seqs("b") == [1, 2]


def test_what_killed_a_process_passes_that_plugin_by_alone(bench: PluginBench) -> None:
    bench.heads["main"].poison[1] = {"a"}
    consumer = calls(bench)
    # Alone, so that nothing else is passed by with it.
    assert consumer.deliver([event(1), event(2)]) == 1
    assert (bench.seqs("a"), bench.seqs("b")) == ([], [1])
    assert consumer.deliver([event(2)]) == 1
    assert (bench.seqs("a"), bench.seqs("b")) == ([2], [1, 2])


def test_a_failure_is_written_before_the_events_count_as_delivered(bench: PluginBench) -> None:
    bench.react = failing("a")
    calls(bench).deliver([event(1)])
    assert bench.letter_states() == [("a", 1, "dead")]


def test_a_gap_is_logged_and_told(bench: PluginBench, caplog: pytest.LogCaptureFixture) -> None:
    calls(bench).tell(GapError("events 1 to 2 can't be delivered"))
    assert bench.told == [("b", "events 1 to 2 can't be delivered")]
    assert "events 1 to 2" in caplog.text


def test_a_letter_comes_again_to_its_plugin_alone_and_is_no_redelivery(bench: PluginBench) -> None:
    """It is certain that the hook has not returned for it: what skips events that may have come
    before must not skip this one."""
    bench.react = failing("a")
    bench.receive(1)
    bench.react = lambda call: None
    bench.calls.clear()
    retried(bench, 1)
    assert bench.calls == [("a", "on_status", 1, 2, False)]
    assert bench.letter_states() == [("a", 1, "delivered")]
    retried(bench)
    assert len(bench.calls) == 1


def test_a_letter_that_fails_again_is_dead_again_and_the_next_attempt_has_another_number(
    bench: PluginBench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.react = failing("a")
    bench.receive(1)
    with caplog.at_level(logging.ERROR):
        retried(bench, 1)
    assert "dead letter 1: plugin a raised again" in caplog.text
    assert bench.letter_states() == [("a", 1, "dead")]
    retried(bench, 1)
    assert [attempt for _, _, attempt, _ in bench.got("a")] == [1, 2, 3]


def test_every_hook_that_had_not_returned_has_a_letter_of_its_own(tmp_path: Path) -> None:
    bench = PluginBench(tmp_path, {"a": ["on_raw_message", "on_status", "on_batch"]})

    def react(call: Call) -> None:
        if call[1] != "on_raw_message":
            raise ValueError("no")

    bench.react = react
    bench.receive(1)
    bench.react = lambda call: None
    bench.calls.clear()
    retried(bench, 1, 2)
    assert bench.calls == [("a", "on_status", 1, 2, False), ("a", "on_batch", 1, 2, False)]
    bench.close()
