"""Starting a child where the system has nothing left to give."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from qehost import children
from qehost.control import HostTask
from qehost.errors import Error
from qehost.logs import LogSettings
from qehost.settings import HostSettings, JournalSettings
from qehost.state import StateFolder
from qehost.supervision.child import Child
from qehost.supervision.reload import Reload


@pytest.fixture
def task(tmp_path: Path) -> HostTask:
    return HostTask(
        name="main",
        accounts=["main"],
        specs=[],
        plugins={},
        host=HostSettings(),
        journal=JournalSettings(),
        state_dir=str(tmp_path),
        strict=False,
        log=LogSettings(),
    )


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


@pytest.mark.parametrize("count", [0, 2, 4, 6])
def test_a_child_that_can_not_be_started_is_an_error_of_ours_and_leaves_nothing_open(
    task: HostTask, count: int
) -> None:
    children.prepare()
    child = Child("host", "main", "qehost.host.process", task)
    before = len(os.listdir("/proc/self/fd"))
    with files_left(count), pytest.raises(Error, match="host process main can't be started: Too"):
        child.start(time.monotonic())
    assert not child.running
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_reload_whose_processes_can_not_all_be_started_is_refused_and_ends_those_that_were(
    task: HostTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, started = Child.start, list[Child]()

    def once(child: Child, now: float) -> None:
        if started:
            raise Error(f"the {child} can't be started: no process left")
        start(child, now)
        started.append(child)

    monkeypatch.setattr(Child, "start", once)
    tasks = [task, replace(task, name="own")]
    reload = Reload(
        tasks,
        {},
        StateFolder(tmp_path),
        replaced=lambda: None,
        drain_timeout=1.0,
        now=time.monotonic(),
    )
    assert reload.outcome == "the host process own can't be started: no process left"
    assert started[0].process is not None
    started[0].process.join(10)
    assert started[0].has_ended()
    started[0].buried()
