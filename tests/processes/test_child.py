"""One child over its restarts: whether it got something done, stands still, or has ended."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from script import wait_for

from qehost.errors import Error
from qehost.processes import child as module
from qehost.processes.child import Child
from qehost.processes.control import ConnectionStatus, ControlMessage, Ready, Stop, StopRequest

# Sends what its task is, takes messages until it is told to stop, and ends with their number.
SOURCE = """
import os, sys
from qehost.processes.control import Control, Stop

def main(messages, control):
    control = Control(control)
    for message in messages:
        control.send(message)
    count = 1
    while not isinstance(control.receive(), Stop):
        count += 1
    sys.exit(count)
"""

# Leaves a fork that has its process id in a file.
FORK = """    if os.fork() == 0:
        import pathlib, signal
        file = pathlib.Path("{}")
        file.with_suffix(".new").write_text(str(os.getpid()))
        file.with_suffix(".new").rename(file)
        signal.pause()
"""


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Child]]:
    """`start(*messages)`: a child that sends them, and has sent the last one."""
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "sends.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(folder))
    children: list[Child] = []

    def start(*messages: ControlMessage) -> Child:
        child = Child("connection", "main", "sends", [*messages, StopRequest("the last one")])
        children.append(child)
        child.start(0.0)
        wait_for(lambda: any(isinstance(each, StopRequest) for each in child.messages()))
        return child

    yield start
    for child in children:
        child.kill()
        if child.running:
            child.reap()


def status(state: str = "connected", last_message: float = 0.0) -> ConnectionStatus:
    return ConnectionStatus(state, 0.0, 0, last_message, 0.0, 0, True)


def test_what_the_venue_sent_is_progress_of_a_connection_process_and_its_own_words_are_none(
    start: Callable[..., Child],
) -> None:
    assert not start(status("connecting"), status()).progressed
    assert start(status("connecting"), status(), status(last_message=1.0)).progressed


def test_a_process_that_dies_often_is_started_later_each_time_but_not_one_that_got_something_done(
    start: Callable[..., Child],
) -> None:
    child = start(status())
    delays = [child.start_again(0.0) for _ in range(3)]
    assert delays == [0.1, 0.2, 0.4]
    child = start(status(last_message=1.0))
    assert [child.start_again(0.0) for _ in range(3)] == [0.1, 0.1, 0.1]
    assert child.start_at == 0.1


def test_progress_is_that_of_one_process(start: Callable[..., Child]) -> None:
    child = start(status(last_message=1.0))
    child.kill()
    child.reap()
    child.start(0.0)
    assert not child.progressed


@pytest.mark.parametrize("message", [status(), Ready([], [])])
def test_a_process_that_works_says_so(start: Callable[..., Child], message: ControlMessage) -> None:
    assert not start().worked
    assert start(message).worked


def test_a_process_that_sends_nothing_stands_still(start: Callable[..., Child]) -> None:
    child = start()
    for second in range(1, 30):
        child.keep_time(float(second))
        assert not child.stands_still
    child.keep_time(30.0)
    assert child.stands_still
    assert child.silent_for == module.SILENT_AFTER
    child.kill()
    assert not child.stands_still  # it has as long again to end
    child.reap()
    child.keep_time(1000.0)
    assert not child.stands_still


def test_a_process_that_starts_slowly_has_two_minutes_to_its_first_message(
    start: Callable[..., Child],
) -> None:
    child = start()
    child.kill()
    child.reap()
    child.start(0.0)
    for second in range(1, 120):
        child.keep_time(float(second))
        assert not child.stands_still
    child.keep_time(120.0)
    assert child.stands_still


def test_it_is_not_to_blame_for_time_in_which_its_owner_stood_still(
    start: Callable[..., Child],
) -> None:
    child = start()
    child.keep_time(1.0)
    child.keep_time(1000.0)
    assert not child.stands_still


def test_its_end_is_noticed_though_a_fork_lives_on(
    tmp_path: Path, start: Callable[..., Child]
) -> None:
    forks = SOURCE.replace("    for message", FORK.format(tmp_path / "fork") + "    for message")
    (tmp_path / "modules" / "sends.py").write_text(forks)
    child = start()
    fork = int(wait_for(lambda: (tmp_path / "fork").exists() and (tmp_path / "fork").read_text()))
    try:
        os.kill(child.pid, signal.SIGKILL)
        wait_for(child.has_ended)
        assert child.reap() == -signal.SIGKILL
    finally:
        os.kill(fork, signal.SIGKILL)


def test_one_that_reads_nothing_is_sent_no_more_than_fits(start: Callable[..., Child]) -> None:
    child = start()
    os.kill(child.pid, signal.SIGSTOP)
    sent = 0
    while child.has_room():
        child.send(StopRequest("x" * 10_000))
        sent += 1
        assert sent < 100
    child.send(Stop("", 1.0))  # is left out
    os.kill(child.pid, signal.SIGCONT)
    wait_for(child.has_room)
    child.send(Stop("", 1.0))
    wait_for(child.has_ended)
    assert child.reap() == 1 + sent


@contextmanager
def files_left(count: int) -> Iterator[None]:
    """This process may open so many files more at the most."""
    next_one = os.dup(0)
    os.close(next_one)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (next_one + count, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("count", range(6))
def test_a_child_that_can_not_be_started_is_an_error_of_ours_and_leaves_nothing_open(
    count: int,
) -> None:
    child = Child("host", "main", "qehost.host.process", None)
    before = len(os.listdir("/proc/self/fd"))
    with files_left(count), pytest.raises(Error, match="host process main can't be started: Too"):
        child.start(time.monotonic())
    assert not child.running
    assert len(os.listdir("/proc/self/fd")) <= before
