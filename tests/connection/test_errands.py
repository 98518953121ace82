"""What may take long runs in threads, and its results come back to the loop."""

from __future__ import annotations

import select
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from qehost.connection.errands import Errands


@pytest.fixture
def errands() -> Iterator[Errands]:
    each = Errands()
    yield each
    each.close()


def collect(errands: Errands, results: list[Any], count: int) -> None:
    while len(results) < count:
        assert select.select([errands], [], [], 10)[0]
        errands.collect()


def test_results_and_failures_come_back_in_the_loops_thread(errands):
    results: list[Any] = []

    def note(what: str) -> Callable[[Any], None]:
        return lambda value: results.append((what, value, threading.current_thread()))

    errands.run("good", lambda: 42, note("done"), note("failed"))
    errands.run("bad", lambda: 1 // 0, note("done"), note("failed"))
    assert errands.running == 2
    collect(errands, results, 2)
    assert errands.running == 0
    by_name = {what: (value, thread) for what, value, thread in results}
    assert by_name["done"] == (42, threading.main_thread())
    assert isinstance(by_name["failed"][0], ZeroDivisionError)


def test_an_errand_that_hangs_keeps_nobody_waiting(errands):
    release, results = threading.Event(), []
    errands.run("slow", release.wait, results.append, results.append)
    errands.run("quick", lambda: "quick", results.append, results.append)
    collect(errands, results, 1)
    assert results == ["quick"]
    assert errands.running == 1
    release.set()
    collect(errands, results, 2)


def test_many_at_once(errands):
    results: list[int] = []
    for number in range(100):
        errands.run("one", lambda number=number: number, results.append, results.append)
    collect(errands, results, 100)
    assert sorted(results) == list(range(100))


def test_what_comes_after_the_end_disturbs_nobody():
    errands, release = Errands(), threading.Event()
    errands.run("late", release.wait, print, print)
    errands.close()
    release.set()
    for thread in threading.enumerate():
        if thread.name == "qehost-late":
            thread.join(10)
            assert not thread.is_alive()
