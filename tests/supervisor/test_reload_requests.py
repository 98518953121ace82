"""One reload after the other: each is counted, and its outcome reported."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from waiting import wait_for

from qehost.config.settings import HostSettings, JournalSettings
from qehost.errors import Error
from qehost.processes.control import HostTask, Loaded, Ready
from qehost.processes.logs import LogSettings
from qehost.storage.state_folder import StateFolder
from qehost.storage.status import ReloadState
from qehost.supervisor.children import HostChild
from qehost.supervisor.reload import Reread
from qehost.supervisor.reload_requests import Reloads
from qehost.supervisor.service_manager import ServiceManager
from qehost.supervisor.status_report import StatusReporter


class Reloading:
    """Reloads without anything that runs before, with what the supervisor does for them."""

    def __init__(self, folder: Path, reread: Callable[[], Reread] | None) -> None:
        state = StateFolder(folder)
        state.create()
        self.hosts: dict[str, HostChild] = {}
        self.reporter = StatusReporter(state, [], self.hosts.values(), ServiceManager({}))
        self.reloads = Reloads(
            reread,
            self.hosts,
            state,
            self.reporter,
            replaced=lambda: None,
            drain_timeout=60.0,
        )

    def ask(self) -> ReloadState:
        """Ask for one and do what is due; how it stands."""
        self.reloads.wanted = True
        self.reloads.keep_time(time.monotonic())
        return self.reporter.reload

    def take_messages(self) -> bool:
        """Whether none goes on any more."""
        for host in {*self.reloads.children, *self.hosts.values()}:
            ended = host.has_ended()
            for message in host.messages():
                current = self.reloads.current
                if isinstance(message, Loaded) and current is not None:
                    current.loaded(host, message, time.monotonic())
                elif isinstance(message, Ready) and current is not None:
                    host.ready = True
                    current.ready(Ready([], []))
            if ended:
                code, current = host.reap(), self.reloads.current
                assert current is not None
                assert current.ended(host, "it ended", code)
        self.reloads.keep_time(time.monotonic())
        return self.reloads.current is None


@pytest.fixture
def reloading(tmp_path: Path) -> Iterator[Callable[..., Reloading]]:
    made: list[Reloading] = []

    def make(reread: Callable[[], Reread] | None) -> Reloading:
        made.append(Reloading(tmp_path, reread))
        return made[-1]

    yield make
    for each in made:
        for host in {*each.reloads.children, *each.hosts.values()}:
            host.kill()
            if host.running:
                host.reap()
        each.reporter.close()


def task(folder: Path) -> HostTask:
    return HostTask(
        name="main",
        accounts=["main"],
        specs=[],
        plugins={},
        host=HostSettings(),
        journal=JournalSettings(),
        state_dir=str(folder),
        strict=False,
        log=LogSettings(),
    )


def test_without_settings_to_read_again_there_is_nothing_to_reload(
    reloading: Callable[..., Reloading],
) -> None:
    state = reloading(None).ask()
    assert (state.started, state.ended, state.ok) == (1, 1, False)
    assert state.text == "there are no settings to read again"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (Error("no such plugin"), "no such plugin"),
        (ZeroDivisionError("ours"), "the settings can't be read again: ZeroDivisionError('ours')"),
    ],
)
def test_settings_that_can_not_be_read_end_it_and_change_nothing(
    reloading: Callable[..., Reloading], error: Exception, text: str
) -> None:
    def fail() -> Reread:
        raise error

    each = reloading(fail)
    for count in (1, 2):
        state = each.ask()
        assert (state.started, state.ended, state.ok, state.text) == (count, count, False, text)
    assert each.reloads.children == []


def test_one_that_is_asked_for_meanwhile_begins_when_the_first_has_ended(
    reloading: Callable[..., Reloading], tmp_path: Path
) -> None:
    each = reloading(lambda: Reread([task(tmp_path)], ["connection.max_message"]))
    state = each.ask()
    assert (state.started, state.ended) == (1, 0)
    (first,) = each.reloads.children
    state = each.ask()
    assert (state.started, state.ended) == (1, 0)
    wait_for(lambda: each.take_messages() or each.reporter.reload.ended == 1)
    state = each.reporter.reload
    assert (state.started, state.ended, state.ok) == (2, 1, True)
    assert state.text.endswith("taken over by a restart only: connection.max_message")
    assert each.hosts == {"main": first}
    wait_for(each.take_messages)
    assert each.reporter.reload.ended == 2
    assert each.hosts["main"] is not first


@pytest.mark.parametrize("has_loaded", [False, True])
def test_the_end_of_everything_ends_it_and_those_that_wait(
    reloading: Callable[..., Reloading], tmp_path: Path, has_loaded: bool
) -> None:
    """Also where the new process has just said that it has loaded its plugins."""
    each = reloading(lambda: Reread([task(tmp_path)], []))
    each.ask()
    each.ask()
    if has_loaded:
        (host,) = each.reloads.children
        assert host.control is not None
        wait_for(host.control.poll, "its word that it has loaded its plugins")
    each.reloads.abandon("stopping")
    wait_for(each.take_messages)
    state = each.reporter.reload
    assert (state.started, state.ended, state.ok, state.text) == (1, 1, False, "stopping")
    assert each.hosts == {}
