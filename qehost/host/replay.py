"""The process in which events are delivered again, to chosen plugins.

It takes batches of events from a pipe and has no cursor: whatever the other host processes are at,
this changes nothing of it.
"""

from __future__ import annotations

import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec

from qehost import children
from qehost.control import Control, HostStatus, Ready
from qehost.errors import PluginError
from qehost.host.cursors import Marks
from qehost.host.dispatch import HOOKS
from qehost.host.finding import find
from qehost.host.loading import load
from qehost.logs import LogSettings
from qehost.records import decode_events
from qehost.settings import PluginSettings

__all__ = ["OTHER", "ReplayTask", "main"]

TICK = 1.0
OTHER = "of the file"
"""Stands in the marks for an account that is not in the settings."""


class ReplayTask(msgspec.Struct, frozen=True):
    """`names` are the plugins that get the events; `marks` is a file for this process alone."""

    names: list[str]
    specs: list[str]
    plugins: dict[str, PluginSettings]
    accounts: list[str]
    state_dir: str
    marks: str
    slow_call: float
    log: LogSettings


def main(task: ReplayTask, pipe: Connection) -> None:
    """Tells `Ready`, takes batches until an empty one, tells `HostStatus`, and ends.

    Without plugins that can be used it ends at once.
    """
    children.enter("replay", task.log)
    control = Control(pipe)
    wanted = [each for each in find(task.specs, task.plugins) if each.name in task.names]
    plugins = load(wanted)
    problems = [str(PluginError(r.name, r.why, r.distribution)) for r in plugins.failed]
    names = list(plugins.configs)
    marks = Marks.open(Path(task.marks), names, tuple(HOOKS), [*task.accounts, OTHER])
    dispatcher = plugins.dispatcher(marks=marks, slow_call=task.slow_call)
    contexts = plugins.contexts(task.accounts, Path(task.state_dir), lambda _: None)
    problems += map(str, dispatcher.start(contexts))
    active = [each.plugin for each in dispatcher.statistics() if each.active]
    control.send(Ready(active, problems))
    if not active:
        sys.exit(1)
    reason = "the end of the replay"
    next_tick = time.monotonic()
    while True:
        if pipe.poll(max(0.0, next_tick - time.monotonic())):
            try:
                batch = pipe.recv_bytes()
            except EOFError:
                reason = "the replay was ended early"
                break
            if not batch:
                break
            events = decode_events(batch)
            account = events[0].account
            marks.account(account if account in task.accounts else OTHER)
            dispatcher.deliver(events)
        if time.monotonic() >= next_tick:
            next_tick = time.monotonic() + TICK
            dispatcher.tick(time.time())
    dispatcher.stop(reason)
    marks.close()
    sys.stdout.flush()
    control.send(HostStatus(dispatcher.statistics()))
