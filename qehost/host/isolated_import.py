"""Importing plugins in a process of their own, for commands that only examine them.

A plugin that is imported may end the process, crash it, never return, or leave a thread that keeps
it alive.  The command goes on, and names the plugin that did it.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, TypeAlias, TypeVar

from qehost.errors import PluginError, ProcessDied
from qehost.host.discovery import Candidate
from qehost.host.loading import PluginReport, load, report
from qehost.processes import spawn
from qehost.processes.logs import LogSettings, set_up

__all__ = ["isolated_reports", "main", "run_isolated"]

Result = TypeVar("Result")
LogLine: TypeAlias = tuple[str, int, str]
"""The logger's name, the level and the text."""

TIMEOUT = 60.0
"""Seconds that each plugin has; a reload gives as many to all of them."""
POLL = 0.1


def isolated_reports(
    candidates: Sequence[Candidate], *, keep_secrets: bool = False
) -> list[PluginReport]:
    """What `load` reports of each, or that it ended its process."""
    wanted = [each for each in candidates if each.wanted == "yes"]
    results = iter(run_isolated(_load_one, wanted, keep_secrets=keep_secrets))
    reports = []
    for candidate in candidates:
        result = next(results) if candidate.wanted == "yes" else _load_one(candidate)
        if isinstance(result, PluginError):
            result = report(candidate, "failed", result.text)
        reports.append(result)
    return reports


def _load_one(candidate: Candidate) -> PluginReport:
    return load([candidate]).reports[0]


def run_isolated(
    function: Callable[[Candidate], Result],
    candidates: Sequence[Candidate],
    *,
    keep_secrets: bool = False,
) -> list[Result | PluginError]:
    """What `function` returns for each in another process, or a `PluginError` if that has ended.

    It is a function of a module, and what it returns can be unpickled without the plugin.
    `keep_secrets` is the setting `host.keep_secrets`.
    """
    results: list[Result | PluginError] = []
    # After one that has ended its process the others get a new one.
    while remaining := candidates[len(results) :]:
        results += _run_in_one_process(function, remaining, keep_secrets)
    return results


def _run_in_one_process(
    function: Callable[[Candidate], Result], candidates: Sequence[Candidate], keep_secrets: bool
) -> Iterator[Result | PluginError]:
    """The results up to the first candidate that ends the process, and an error for that one."""
    process = spawn.start(
        "plugins",
        __name__,
        (function, candidates),
        loads_plugins=True,
        keep_secrets=keep_secrets,
    )
    try:
        for candidate in candidates:
            try:
                lines, result = _receive(process)
            except TimeoutError:
                why = f"it was not imported within {TIMEOUT:g} s"
                yield PluginError(candidate.name, why, candidate.source)
                return
            except (EOFError, OSError):
                why = f"it ended the process while it was imported ({_exit_reason(process)})"
                yield PluginError(candidate.name, why, candidate.source)
                return
            for name, level, text in lines:
                logging.getLogger(name).log(level, "%s", text)
            yield result
    finally:
        # Only threads of plugins can be left in it.
        process.end()


def _receive(process: spawn.Process) -> tuple[list[LogLine], Any]:
    """The next result.  Raises TimeoutError, and EOFError or OSError if the process has ended."""
    deadline = time.monotonic() + TIMEOUT
    # Not by the end of the pipe alone: a program that the plugin has started may keep it open.
    while not process.pipe.poll(POLL):
        if time.monotonic() > deadline:
            raise TimeoutError
        if process.exit_code is not None and not process.pipe.poll():
            raise EOFError
    received: tuple[list[LogLine], Any] = process.pipe.recv()
    return received


def _exit_reason(process: spawn.Process) -> str:
    process.wait(1.0)
    process.kill()  # It may only have closed its end of the pipe.
    return ProcessDied("plugins", process.wait() or 0).how()


def main(
    function: Callable[[Candidate], object], candidates: Sequence[Candidate], pipe: Connection
) -> None:
    """The process."""
    set_up(LogSettings("warning"), "plugins")
    # What a plugin prints must not get into what the command prints.
    os.dup2(2, 1)
    lines: list[LogLine] = []
    logging.getLogger().handlers[:] = [_LogCollector(lines)]
    for candidate in candidates:
        result = function(candidate)
        # This process is killed at its end, so what the plugin printed is flushed here.  The plugin
        # may have closed the file.
        with suppress(Exception):
            sys.stdout.flush()
        pipe.send((lines, result))
        lines.clear()


class _LogCollector(logging.Handler):
    """Keeps what is logged, for the command to log it."""

    def __init__(self, lines: list[LogLine]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append((record.name, record.levelno, record.getMessage()))
