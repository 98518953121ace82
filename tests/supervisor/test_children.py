"""What the supervisor and its children share: queues, and the memory of a host process."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from script import wait_for

from qehost.config.settings import (
    AccountSettings,
    ConnectionSettings,
    HostSettings,
    JournalSettings,
)
from qehost.errors import JournalError
from qehost.processes.child import Child
from qehost.processes.control import ConnectionTask, HostTask, Loaded, StopRequest
from qehost.processes.logs import LogSettings
from qehost.secret import Secret
from qehost.storage.cursors import Cursors
from qehost.storage.progress import CallRecorder
from qehost.storage.state_folder import StateFolder
from qehost.supervisor import children
from qehost.supervisor.children import ConnectionChild, HostChild, connect

Pair = tuple[ConnectionChild, HostChild]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Both run; the host process is held back, and reads what it is sent."""
    connection = ConnectionChild(
        ConnectionTask(
            account="main",
            settings=AccountSettings(ws_url="ws://127.0.0.1:9", listen_key=Secret("key")),
            connection=ConnectionSettings(),
            journal=JournalSettings(),
            host=HostSettings(),
            state_dir=str(tmp_path),
            log=LogSettings(),
        )
    )
    host = HostChild(
        HostTask(
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
    )
    with ExitStack() as undo:
        for child in (connection, host):
            undo.callback(end, child)
            child.start(0.0)
        wait_for(lambda: any(isinstance(each, Loaded) for each in host.messages()))
        wait_for(lambda: list(connection.messages()))
        yield connection, host


def end(child: Child) -> None:
    child.kill()
    if child.running:
        child.reap()


def test_both_are_given_their_ends(pair: Pair) -> None:
    for _ in range(3):
        connect(*pair)
    assert not any(child.has_ended() for child in pair)
    for child in pair:
        (folder,) = Path(f"/proc/{child.pid}").glob("fd")
        # The last one: each took the place of the one before.
        wait_for(lambda folder=folder: pipes(folder) >= 1)


def pipes(folder: Path) -> int:
    """Those that are no standard stream."""
    found = 0
    for file in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found += int(file.name) > 2 and os.readlink(file).startswith("pipe:")
    return found


@pytest.mark.parametrize("stopped", [0, 1], ids=["connection", "host"])
def test_one_that_reads_nothing_is_killed(
    pair: Pair, stopped: int, caplog: pytest.LogCaptureFixture
) -> None:
    child = pair[stopped]
    os.kill(child.pid, signal.SIGSTOP)
    while child.has_room():
        child.send(StopRequest("x" * 10_000))
    connect(*pair)
    wait_for(child.has_ended)
    assert not pair[1 - stopped].has_ended()
    assert f"the {child} has not read its messages for long: killed" in caplog.text


def test_a_host_process_for_which_there_is_no_pipe_is_killed(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(children, "Pipe", full)
    connection, host = pair
    connect(connection, host)
    wait_for(host.has_ended)
    assert not connection.has_ended()
    assert "the host process main gets no queue (Too many open files): killed" in caplog.text


def test_one_that_does_not_run_is_given_nothing(pair: Pair) -> None:
    connection, host = pair
    end(host)
    connect(connection, host)
    assert not connection.has_ended()


# --- the memory that a host process shares with the supervisor ----------------------------


@pytest.fixture
def idle(tmp_path: Path) -> HostChild:
    return HostChild(
        HostTask(
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
    )


def test_the_call_that_a_process_died_in_is_not_that_of_its_successor(idle: HostChild) -> None:
    assert idle.call() is None
    idle.restarts.started(time.monotonic())
    CallRecorder(idle.memory, ["audit"], ["on_status"]).enter(0, 0, 5)
    call = idle.call()
    assert call is not None
    assert call[:2] == ("audit", "on_status")
    idle.restarts.started(time.monotonic())
    assert idle.call() is None


def test_the_cursors_are_known_also_where_the_file_can_not_be_read(
    idle: HostChild, tmp_path: Path
) -> None:
    path = StateFolder(tmp_path).progress_file("main")
    assert idle.cursors() == {}
    Cursors.open(path, (), ["main"]).advance("main", 4)
    assert idle.cursors() == {"main": 4}
    path.write_bytes(b"rubbish")
    with pytest.raises(JournalError):
        idle.cursors()
    path.unlink()
    Cursors.open(path, (), ["main"], idle.memory).advance("main", 7)
    path.write_bytes(b"rubbish")
    assert idle.cursors() == {"main": 7}


def test_what_is_not_started_again_takes_no_memory(idle: HostChild) -> None:
    before = idle.memory.fd
    idle.close()
    idle.close()
    assert idle.memory.fd == before  # the descriptor was free again
    idle.close()
