"""What may take long runs in threads, and its results come back to the loop."""

from __future__ import annotations

import gc
import select
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from waiting import PATIENCE, wait_for

from qehost.connection.background import BackgroundCalls


@pytest.fixture
def background() -> Iterator[BackgroundCalls]:
    each = BackgroundCalls()
    yield each
    each.close()


def collect(background: BackgroundCalls, results: list[Any], count: int) -> None:
    while len(results) < count:
        assert select.select([background], [], [], PATIENCE)[0]
        background.collect()


def test_results_and_failures_come_back_in_the_loops_thread(background):
    results: list[Any] = []

    def note(what: str) -> Callable[[Any], None]:
        return lambda value: results.append((what, value, threading.current_thread()))

    background.run("good", lambda: 42, note("done"), note("failed"))
    background.run("bad", lambda: 1 // 0, note("done"), note("failed"))
    assert background.running == 2
    collect(background, results, 2)
    assert background.running == 0
    by_name = {what: (value, thread) for what, value, thread in results}
    assert by_name["done"] == (42, threading.main_thread())
    assert isinstance(by_name["failed"][0], ZeroDivisionError)


def test_a_call_that_hangs_does_not_delay_the_others(background):
    release, results = threading.Event(), []
    background.run("slow", release.wait, results.append, results.append)
    background.run("quick", lambda: "quick", results.append, results.append)
    collect(background, results, 1)
    assert results == ["quick"]
    assert background.running == 1
    release.set()
    collect(background, results, 2)


def test_many_at_once(background):
    results: list[int] = []
    for number in range(100):
        background.run("one", lambda number=number: number, results.append, results.append)
    collect(background, results, 100)
    assert sorted(results) == list(range(100))


def test_a_result_that_comes_after_the_end_is_dropped():
    background, release = BackgroundCalls(), threading.Event()
    background.run("late", release.wait, print, print)
    background.close()
    release.set()
    for thread in threading.enumerate():
        if thread.name == "qehost-late":
            thread.join(PATIENCE)
            assert not thread.is_alive()


def test_a_failure_that_was_collected_leaves_nothing_for_the_collector(background):
    def fail() -> None:
        raise Marked

    failed: list[Exception] = []
    gc.collect()
    gc.disable()
    try:
        background.run("bad", fail, failed.append, failed.append)
        collect(background, failed, 1)
        known = weakref.ref(failed.pop())
        wait_for(lambda: known() is None, "the error to be gone")
    finally:
        gc.enable()


class Marked(Exception):
    pass
