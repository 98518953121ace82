"""The supervisor waits for what it is told to, however many descriptors it may still open."""

from __future__ import annotations

import resource
from contextlib import ExitStack
from multiprocessing.connection import Connection, Pipe

from qehost.supervisor.sources import Sources


def test_those_that_are_watched_are_told_and_others_are_not() -> None:
    sources = Sources()
    with ExitStack() as stack:
        pipes = [tuple(map(stack.enter_context, Pipe())) for _ in range(3)]
        for _, theirs in pipes:
            theirs.send("something")
        sources.watch([ours for ours, _ in pipes])
        assert set(sources.ready(60.0)) == {ours for ours, _ in pipes}
        sources.watch([pipes[0][0]])
        assert sources.ready(60.0) == [pipes[0][0]]
        sources.watch([])
        assert sources.ready(0.0) == []
    sources.close()


def test_one_that_was_closed_makes_way_for_the_next_with_its_number() -> None:
    sources = Sources()
    first, other = Pipe()
    number = first.fileno()
    sources.watch([first])
    first.close()
    other.close()
    ours, theirs = Pipe()
    # Also where the system gives both pipes other numbers than before.
    assert number in (ours.fileno(), theirs.fileno())  # the system gives the lowest that is free
    with ours, theirs:
        both: list[Connection] = [ours, theirs]
        sources.watch(both)
        theirs.send("something")
        assert sources.ready(60.0) == [ours]
    sources.close()


def test_a_limit_that_was_lowered_meanwhile_is_no_matter() -> None:
    sources = Sources()
    with ExitStack() as stack:
        pipes = [tuple(map(stack.enter_context, Pipe())) for _ in range(5)]
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            sources.watch([ours for ours, _ in pipes])
            pipes[4][1].send("something")
            assert sources.ready(60.0) == [pipes[4][0]]
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    sources.close()
