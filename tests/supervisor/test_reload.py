"""A reload that can't be begun."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from qehost.config.settings import HostSettings, JournalSettings
from qehost.errors import Error
from qehost.processes.child import Child
from qehost.processes.control import HostTask
from qehost.processes.logs import LogSettings
from qehost.storage.state_folder import StateFolder
from qehost.supervisor.children import HostChild
from qehost.supervisor.reload import Reload


def test_a_reload_whose_processes_can_not_all_be_started_is_refused_and_ends_those_that_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = HostTask(
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
    start, started = HostChild.start, list[Child]()

    def once(child: HostChild, now: float) -> None:
        if started:
            raise Error(f"the {child} can't be started: no process left")
        start(child, now)
        started.append(child)

    monkeypatch.setattr(HostChild, "start", once)
    reload = Reload(
        [task, replace(task, name="own")],
        {},
        StateFolder(tmp_path),
        replaced=lambda: None,
        drain_timeout=1.0,
        now=time.monotonic(),
    )
    assert reload.outcome == "the host process own can't be started: no process left"
    assert started[0].process is not None
    started[0].process.wait(10)
    assert started[0].has_ended()
    started[0].reap()
