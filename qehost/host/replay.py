"""Delivering events again to chosen plugins.

There is no cursor, so the other host processes are not affected.  `main` is a process that gets
batches of events from a pipe.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec

from qehost.config.settings import PluginSettings
from qehost.errors import PluginError
from qehost.events.codec import decode_events
from qehost.host.backlog import Backlog
from qehost.host.discovery import find
from qehost.host.dispatch import HOOKS, Failures
from qehost.host.loading import PluginApi, load, no_plugin_api
from qehost.host.plugin_journals import AccountJournals, PluginJournals
from qehost.host.returned_hooks import Held
from qehost.host.waiting import Waiting
from qehost.messages import AnyEvent
from qehost.processes.control import Control, HostStatus, Ready
from qehost.processes.environment import drop_secrets
from qehost.processes.logs import LogSettings, set_up, write_without_waiting
from qehost.storage.progress import CallRecorder, ProgressMemory
from qehost.storage.state_folder import StateFolder
from qehost.storage.status import PluginStatistics

__all__ = ["OTHER", "Replay", "ReplayTask", "main"]

log = logging.getLogger("qehost.host")

TICK = 1.0
OTHER = "of the file"
"""What is recorded for an account that is not in the settings."""


class ReplayTask(msgspec.Struct, frozen=True):
    """`names` are the plugins that get the events."""

    names: list[str]
    specs: list[str]
    plugins: dict[str, PluginSettings]
    accounts: list[str]
    state_dir: str
    slow_call: float
    log: LogSettings
    keep_secrets: bool = False


class Replay:
    """The plugins, loaded and started in this process.

    `recorder` notes which of them is called, made of their names; `failures` is told what a hook
    raises; `api` gives a plugin the REST client of an account, `problem` what it says is wrong.
    """

    def __init__(
        self,
        task: ReplayTask,
        *,
        recorder: Callable[[list[str]], CallRecorder] | None = None,
        failures: Failures | None = None,
        api: PluginApi = no_plugin_api,
        problem: Callable[[str, str, str], None] = lambda plugin, key, text: None,
    ) -> None:
        wanted = [each for each in find(task.specs, task.plugins) if each.name in task.names]
        plugins = load(wanted)
        if not task.keep_secrets:
            drop_secrets()
        self._accounts = task.accounts
        self._recorder = recorder(list(plugins.configs)) if recorder is not None else None
        self._held: list[Held] = []
        self._lanes = plugins.lanes(blocking=True)
        self._dispatcher = plugins.dispatcher(
            lanes=self._lanes,
            progress=self._recorder,
            failures=failures,
            retries=self._held.append,
            slow_call=task.slow_call,
        )
        self._journals = AccountJournals(StateFolder(task.state_dir), task.accounts)
        self._had: dict[str, int] = {}
        """The last event before those that are delivered, by account."""
        journals = PluginJournals(self._journals, lambda account: self._had.get(account, 0))
        contexts = plugins.contexts(
            task.accounts, Path(task.state_dir), lambda _: None, api, lambda _: journals, problem
        )
        self.problems = [
            *(str(PluginError(r.name, r.why, r.distribution)) for r in plugins.failed),
            *map(str, self._dispatcher.start(contexts)),
        ]
        self.active = [each.plugin for each in self._dispatcher.statistics() if each.active]
        """The plugins that have started."""
        self.next_tick = time.monotonic()

    def deliver(self, events: Sequence[AnyEvent]) -> None:
        """Hand over events of one account.  A plugin that raises `Retry` is waited for."""
        self._had[events[0].account] = events[0].seq - 1
        if self._recorder is not None:
            account = events[0].account
            self._recorder.account(account if account in self._accounts else OTHER)
        self._dispatcher.deliver(events)
        for each in self._held[:]:
            self._wait_for(each, events)

    def keep_time(self) -> None:
        """Call `on_tick`, if it is time."""
        if time.monotonic() < self.next_tick:
            return
        self.next_tick = time.monotonic() + TICK
        self._dispatcher.tick(time.time())
        for each in self._held[:]:
            self._wait_for(each, ())

    def stop(self, reason: str) -> list[PluginStatistics]:
        """Call `on_stop`.  What each plugin did."""
        self._dispatcher.stop(reason)
        if self._lanes is not None:
            self._lanes.close()
        self._journals.close()
        sys.stdout.flush()
        return self._dispatcher.statistics()

    def _wait_for(self, first: Held, events: Sequence[AnyEvent]) -> None:
        """A plugin has raised `Retry`: the replay waits with it, until it has had these events."""
        self._held.remove(first)
        waiting, backlog = Waiting(time.time()), Backlog(self._dispatcher, first.plugin)
        backlog.hold(first, events)
        found: Held | None = first
        while found is not None:
            delay = waiting.failed(found.error, time.monotonic(), time.time())
            log.warning(
                "plugin %s: %s waits: %s; the replay goes on in %.3g s",
                found.plugin,
                found.hook,
                waiting.reason,
                delay,
            )
            time.sleep(delay)
            found = backlog.deliver(self._held)
        self._dispatcher.wake(first.plugin)


def main(task: ReplayTask, pipe: Connection, memory: Connection) -> None:
    """Sends `Ready`, gets batches until an empty one, sends `HostStatus`, and ends.

    If no plugin can be used it ends at once.  `memory` is the descriptor of a `ProgressMemory`.
    """
    set_up(task.log, "replay")
    write_without_waiting()
    control = Control(pipe)

    def recorder(names: list[str]) -> CallRecorder:
        accounts = [*task.accounts, OTHER]
        return CallRecorder(ProgressMemory(memory.fileno()), names, tuple(HOOKS), accounts)

    replay = Replay(task, recorder=recorder)
    control.send(Ready(replay.active, replay.problems))
    if not replay.active:
        sys.exit(1)
    reason = "the end of the replay"
    while True:
        if pipe.poll(max(0.0, replay.next_tick - time.monotonic())):
            try:
                batch = pipe.recv_bytes()
            except EOFError:
                reason = "the replay was ended early"
                break
            if not batch:
                break
            replay.deliver(decode_events(batch))
        replay.keep_time()
    control.send(HostStatus(replay.stop(reason)))
