"""What a plugin does at each event, as lines of text: for `qehost replay --compare`.

It acts on nothing: each action is noted, and answered as done.  There is no venue to be asked.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from contextlib import ExitStack, redirect_stdout, suppress
from io import StringIO
from multiprocessing.connection import Connection
from typing import Any

import msgspec

from qehost.config.plugin_module import parse
from qehost.config.settings import PluginSettings
from qehost.errors import Error, TransportError
from qehost.events.codec import decode_events
from qehost.host.discovery import find
from qehost.host.plugin_code import describe_error
from qehost.host.replay import Replay, ReplayTask
from qehost.messages import Event
from qehost.processes.guarded_logger import GuardedLogger
from qehost.processes.logs import LogSettings, send_to, set_up
from qehost.rest.api import API
from qehost.rest.calls import Calls
from qehost.rest.replies import Answer
from qehost.rest.requests import Requests
from qehost.secret import redact

__all__ = ["Effects", "EffectsTask", "main"]

NOTHING_TO_SAY = "qehost.host"
"""The logger of the process itself: what it says of plugins is noted in another way, or no news."""


NEVER = 1e9
"""Seconds."""


class EffectsTask(msgspec.Struct, frozen=True):
    """`spec` names the plugin, as for `-p`."""

    spec: str
    plugins: dict[str, PluginSettings]
    accounts: list[str]
    state_dir: str
    log: LogSettings


class Effects(logging.Handler):
    """Collects what is logged, printed, done and raised."""

    def __init__(self) -> None:
        super().__init__()
        self._printed = StringIO()
        self._lines: list[str] = []

    def take(self) -> list[str]:
        """What there was since the last time, in order."""
        self._note_printed()
        lines, self._lines = self._lines, []
        return lines

    def note(self, line: str) -> None:
        self._note_printed()
        self._lines.append(redact(line))

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith(NOTHING_TO_SAY):
            self.note(f"{record.levelname} {record.getMessage()}")

    def failed(self, plugin: str, hook: str, event: Event | None, error: BaseException) -> None:
        self.note(f"{hook} raised {describe_error(error)}")

    def problem(self, plugin: str, key: str, text: str) -> None:
        self.note(f"problem {key}: {text or 'no longer'}")

    def api(self, plugin: str, account: str) -> API:
        return _NotedApi(account, self)

    def collected(self) -> ExitStack:
        """While the block runs, what is logged and printed comes here and goes nowhere else."""
        stack = ExitStack()
        stack.enter_context(redirect_stdout(self._printed))
        root = logging.getLogger()
        stack.callback(setattr, root, "handlers", root.handlers[:])
        stack.callback(setattr, GuardedLogger, "output", GuardedLogger.output)
        send_to(self)
        return stack

    def _note_printed(self) -> None:
        text = self._printed.getvalue()
        self._printed.seek(0)
        self._printed.truncate()
        self._lines += [f"printed {redact(line)}" for line in text.splitlines()]


class _NotedCalls(Calls):
    """In place of calls over HTTP."""

    def __init__(self, account: str, effects: Effects) -> None:
        self._account = account
        self._effects = effects

    def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        *,
        signed: bool = False,
    ) -> Answer:
        if method == "GET":
            raise TransportError(f"GET {path}: in a comparison there is no venue", "")
        given = f" {json.dumps(body, default=str)}" if body else ""
        self._effects.note(f"{method} {path} of account {self._account}{given}")
        return Answer('{"success": true, "message": ""}', 200, {}, True)


class _NotedApi(API):
    """The venue's names and parameters; each action is noted."""

    def __init__(self, account: str, effects: Effects) -> None:
        Requests.__init__(self, _NotedCalls(account, effects), False, False)
        self.has_credentials = True

    def close(self) -> None:
        pass


def _names(task: EffectsTask) -> list[str]:
    """The plugin's name.  Raises `Error`."""
    try:
        folder = parse(task.spec).folder
    except ValueError:
        folder = None
    if folder is not None:
        # The other version, in the current folder or installed, may have the same name.
        sys.path.insert(0, str(folder))
    return [c.name for c in find([task.spec], task.plugins) if c.is_meant_by(task.spec)]


def main(task: EffectsTask, pipe: Connection) -> None:
    """Sends why the plugin can't be used, and what it did until it was started; then for each batch
    of events what it did at each; after an empty one what it did at its end."""
    set_up(task.log, "compare")
    effects = Effects()
    # The command ends the pipe early where the other version can't go on.
    with effects.collected(), suppress(EOFError, OSError):
        try:
            replay = _replay(task, effects)
        except Error as error:
            pipe.send(([str(error)], []))
            return
        pipe.send((replay.problems if not replay.active else [], effects.take()))
        while replay.active and (batch := pipe.recv_bytes()):
            told = []
            for event in decode_events(batch):
                replay.deliver([event])
                told.append(effects.take())
            pipe.send(told)
        replay.stop("the end of the comparison")
        pipe.send(effects.take())


def _replay(task: EffectsTask, effects: Effects) -> Replay:
    """The plugin, started.  Raises `Error`."""
    return Replay(
        ReplayTask(
            names=_names(task),
            specs=[task.spec],
            plugins=task.plugins,
            accounts=task.accounts,
            state_dir=task.state_dir,
            slow_call=NEVER,
            log=task.log,
        ),
        failures=effects.failed,
        api=effects.api,
        problem=effects.problem,
    )
