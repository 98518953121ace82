"""The orderly end: what is ordered, what is killed, and what is reported as left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from script import wait_for

from qehost.config.settings import HostSettings, JournalSettings
from qehost.events.codec import encode_events
from qehost.messages import StatusEvent
from qehost.processes.control import Ended, Go, HostTask, Loaded, Ready
from qehost.processes.logs import LogSettings
from qehost.storage.cursors import Cursors
from qehost.storage.journal import Journal
from qehost.storage.state_folder import StateFolder
from qehost.supervisor.children import HostChild
from qehost.supervisor.shutdown import KILL_EVERY, KILLED_BY, Shutdown


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    """A journal with ten events, of which the host process has delivered four."""
    folder = StateFolder(tmp_path)
    with Journal(folder.journal("main")) as journal:
        events = [StatusEvent(n, "main", "", 0, "stream", False, "", "") for n in range(1, 11)]
        journal.append(encode_events(events), 1, 10, 1, 1)
    cursors = Cursors.open(folder.progress_file("main"), (), ["main"])
    cursors.advance("main", 4)
    cursors.close()
    return folder


@pytest.fixture
def host(folder: StateFolder) -> Iterator[HostChild]:
    """One whose plugins are started."""
    task = HostTask(
        name="main",
        accounts=["main"],
        specs=[],
        plugins={},
        host=HostSettings(),
        journal=JournalSettings(),
        state_dir=str(folder.path),
        strict=False,
        log=LogSettings(),
    )
    child = HostChild(task)
    child.start(time.monotonic())
    wait_for(lambda: any(isinstance(each, Loaded) for each in child.messages()))
    yield child
    child.kill()
    if child.running:
        child.reap()


def test_a_host_process_ends_when_it_is_ordered_and_its_number_is_reported(
    folder: StateFolder, host: HostChild, caplog: pytest.LogCaptureFixture
) -> None:
    host.send(Go())
    wait_for(lambda: any(isinstance(each, Ready) for each in host.messages()))
    shutdown = Shutdown(folder, 60.0)
    assert not shutdown.begun
    shutdown.begin("enough", 3, time.monotonic(), [], [host])
    assert shutdown.begun
    assert (shutdown.reason, shutdown.exit_code) == ("enough", 3)
    wait_for(host.has_ended)
    (ended,) = [each for each in host.messages() if isinstance(each, Ended)]
    shutdown.drained("main", ended.undelivered)
    assert host.reap() == 0
    shutdown.report_undelivered([host], ["main"])
    # Without plugins all are delivered.
    assert "not delivered in time" not in caplog.text
    shutdown.drained("main", 7)
    shutdown.report_undelivered([host], ["main"])
    assert "host process main: 7 events were not delivered in time" in caplog.text


def test_what_is_late_is_killed_and_its_number_is_that_behind_its_cursor(
    folder: StateFolder, host: HostChild, caplog: pytest.LogCaptureFixture
) -> None:
    shutdown = Shutdown(folder, 10.0)
    shutdown.keep_time(1000.0, [host], {})
    shutdown.begin("enough", 0, 1000.0, [], [])  # it is told nothing
    late = 1000.0 + 10.0 * KILLED_BY
    shutdown.keep_time(late - 0.1, [host], {})
    assert not shutdown.killed
    shutdown.keep_time(late, [host], {})
    assert shutdown.killed
    assert shutdown.kill_at == late + KILL_EVERY
    assert "the host process main did not end within the drain time-out of 10 s: killed" in (
        caplog.text
    )
    wait_for(host.has_ended)
    host.reap()
    shutdown.report_undelivered([host], ["main"])
    assert "host process main: 6 events were not delivered in time" in caplog.text


def test_a_thread_that_keeps_a_process_that_is_through_is_named_as_the_cause(
    folder: StateFolder, host: HostChild, caplog: pytest.LogCaptureFixture
) -> None:
    shutdown = Shutdown(folder, 10.0)
    shutdown.begin("enough", 0, 1000.0, [], [])
    shutdown.drained("main", 0)
    shutdown.keep_time(1010.0, [host], {})
    assert "its plugins were through, so one of their threads did not end: killed" in caplog.text
