"""What a service manager is told, on a real socket."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from qehost.storage.status import ConnectionState, ReloadState, Status
from qehost.supervisor.service_manager import ServiceManager

NOW = time.time()
CONNECTION = ConnectionState("main", 11, "connected", NOW, 0, 0, 0.0, 0.0, 0, True, 0)
STATUS = Status("0.1", 10, NOW, NOW, "", [CONNECTION], [])


class Manager:
    """The other end: `address` is for the environment."""

    def __init__(self, folder: Path, abstract: bool) -> None:
        name = f"qehost-test-{os.getpid()}-{folder.name}"
        self.address = f"@{name}" if abstract else str(folder / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(f"\0{name}" if abstract else self.address)
        self.socket.setblocking(False)

    def told(self) -> list[str]:
        """All datagrams so far: a sender has put them there when it goes on."""
        found = []
        while True:
            try:
                found.append(self.socket.recv(65_536).decode())
            except BlockingIOError:
                return found


@pytest.fixture(params=[False, True], ids=["file", "abstract"])
def manager(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Manager]:
    manager = Manager(tmp_path, request.param)
    yield manager
    manager.socket.close()


def state(state: str, why: str = "") -> Status:
    return replace(STATUS, connections=[replace(CONNECTION, state=state, why=why)])


def test_it_is_ready_when_each_account_is_connected_or_has_tried_to(manager: Manager) -> None:
    ours = ServiceManager({"NOTIFY_SOCKET": manager.address})
    for waiting in ("starting", "connecting"):
        ours.tell(state(waiting))
    two = [CONNECTION, replace(CONNECTION, state="connecting")]
    ours.tell(replace(STATUS, connections=two))
    assert manager.told() == []
    ours.tell(state("connected"))
    ours.tell(state("waiting"))
    assert manager.told() == [
        "READY=1",
        "STATUS=1 of 1 account connected, 0 plugins running, 0 events behind",
        "STATUS=0 of 1 account connected, 0 plugins running, 0 events behind",
    ]
    tried = ServiceManager({"NOTIFY_SOCKET": manager.address})
    tried.tell(state("connecting", "connection refused"))
    assert manager.told()[0] == "READY=1"
    ours.close()
    tried.close()


def test_a_reload_is_told_with_its_moment_and_its_end(manager: Manager) -> None:
    ours = ServiceManager({"NOTIFY_SOCKET": manager.address})
    ours.tell(STATUS)
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    manager.told()
    ours.reloading()
    ours.tell(replace(STATUS, reload=ReloadState(started=1, ended=0)))
    reloading, at = manager.told()[0].splitlines()
    assert reloading == "RELOADING=1"
    assert before <= int(at.removeprefix("MONOTONIC_USEC=")) <= before + 60_000_000
    ours.tell(replace(STATUS, reload=ReloadState(started=1, ended=1)))
    assert manager.told() == ["READY=1"]
    ours.stopping("stopped by SIGTERM")
    ours.tell(STATUS)
    assert manager.told() == ["STOPPING=1\nSTATUS=stopping: stopped by SIGTERM"]
    ours.close()


@pytest.mark.parametrize("names_it", [False, True])
def test_the_watchdog_is_fed_at_half_its_time(manager: Manager, names_it: bool) -> None:
    whose = str(os.getpid()) if names_it else ""
    environ = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "4000000", "WATCHDOG_PID": whose}
    ours = ServiceManager(environ)
    assert environ == {}  # nothing that is started speaks for this process
    for now in (10.0, 11.0, 11.9, 12.0, 13.0, 14.5):
        ours.keep_time(now)
    assert manager.told() == 3 * ["WATCHDOG=1"]
    assert ours.next_at == 16.5
    ours.close()


def test_without_a_watchdog_or_for_another_process_none_is_fed(manager: Manager) -> None:
    for watchdog in ({}, {"WATCHDOG_USEC": "4000000", "WATCHDOG_PID": "1"}):
        ours = ServiceManager({"NOTIFY_SOCKET": manager.address, **watchdog})
        ours.keep_time(1e9)
        assert ours.next_at == float("inf")
        ours.close()
    assert manager.told() == []


def test_a_manager_that_does_not_read_holds_nothing_up_and_gets_all_of_it_later(
    manager: Manager,
) -> None:
    ours = ServiceManager({"NOTIFY_SOCKET": manager.address})
    ours.tell(STATUS)
    for number in range(2_000):  # more than a socket keeps
        ours.tell(replace(STATUS, hosts=[], connections=[CONNECTION] * (number % 2 + 1)))
    ours.stopping("end")
    told: list[str] = []
    while new := manager.told():
        told += new
        ours.tell(STATUS)
    assert told[0] == "READY=1"
    assert told[-1].startswith("STOPPING=1")
    ours.close()


def test_one_that_is_gone_or_never_was_is_no_matter(tmp_path: Path) -> None:
    for address in (str(tmp_path / "nobody"), "relative", "vsock:2:1234", ""):
        ours = ServiceManager({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1000000"})
        ours.tell(STATUS)
        ours.keep_time(1e9)
        ours.reloading()
        ours.stopping("")
        ours.close()
