"""Plugins tried out in a process that may end of it, for the commands that only look at them.

What a plugin does when it is imported may end the process, crash it, never return, or leave a
thread that keeps it alive.  None of that may end a command, hold it up or make it say nothing: it
says which plugin did it.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, TypeAlias, TypeVar

from qehost import children
from qehost.errors import PluginError, ProcessDied
from qehost.host.finding import Candidate
from qehost.host.loading import Report, load, report
from qehost.logs import LogSettings

__all__ = ["main", "reports", "tried"]

Result = TypeVar("Result")
Line: TypeAlias = tuple[str, int, str]
"""Of the log: the logger's name, the level and the text."""

PATIENCE = 60.0
"""Seconds that each plugin has; as many as a reload gives to all."""
POLL = 0.1


def reports(candidates: Sequence[Candidate]) -> list[Report]:
    """What `load` says of each, and of one that ended its process that it did."""
    tries = iter(tried(_load_one, [each for each in candidates if each.wanted == "yes"]))
    found = []
    for candidate in candidates:
        result = next(tries) if candidate.wanted == "yes" else _load_one(candidate)
        if isinstance(result, PluginError):
            result = report(candidate, "failed", result.text)
        found.append(result)
    return found


def _load_one(candidate: Candidate) -> Report:
    return load([candidate]).reports[0]


def tried(
    work: Callable[[Candidate], Result], candidates: Sequence[Candidate]
) -> list[Result | PluginError]:
    """What `work` returns for each, in another process; a `PluginError` where that ended of it.

    `work` is a function of a module, and what it returns can be pickled without the plugin.
    """
    results: list[Result | PluginError] = []
    # After one that ended its process the others get a new one.
    while left := candidates[len(results) :]:
        results += _until_one_ends_it(work, left)
    return results


def _until_one_ends_it(
    work: Callable[[Candidate], Result], candidates: Sequence[Candidate]
) -> Iterator[Result | PluginError]:
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = children.start("plugins", __name__, work, candidates, theirs)
    theirs.close()
    try:
        for candidate in candidates:
            try:
                lines, result = _word(process, ours)
            except TimeoutError:
                why = f"it was not imported within {PATIENCE:g} s"
                yield PluginError(candidate.name, why, candidate.source)
                return
            except (EOFError, OSError):
                why = f"it ended the process while it was imported ({_how(process)})"
                yield PluginError(candidate.name, why, candidate.source)
                return
            for name, level, text in lines:
                logging.getLogger(name).log(level, "%s", text)
            yield result
    finally:
        # What is left can only be a plugin's threads.
        process.kill()
        process.join()
        process.close()
        ours.close()


def _word(process: SpawnProcess, pipe: Connection) -> tuple[list[Line], Any]:
    """Its next one.  Raises TimeoutError, and EOFError or OSError when it has ended."""
    deadline = time.monotonic() + PATIENCE
    # Not by the end of the pipe alone, which a program that the plugin has started may hold open.
    while not pipe.poll(POLL):
        if time.monotonic() > deadline:
            raise TimeoutError
        if process.exitcode is not None and not pipe.poll():
            raise EOFError
    word: tuple[list[Line], Any] = pipe.recv()
    return word


def _how(process: SpawnProcess) -> str:
    process.join(1.0)
    process.kill()  # If it only has closed its end of the pipe.
    process.join()
    return ProcessDied("plugins", process.exitcode or 0).how()


def main(
    work: Callable[[Candidate], object], candidates: Sequence[Candidate], pipe: Connection
) -> None:
    """The process."""
    children.enter("plugins", LogSettings("warning"))
    # What a plugin prints must not get into what the command prints.
    os.dup2(2, 1)
    lines: list[Line] = []
    logging.getLogger().handlers[:] = [_ForTheCommand(lines)]
    for candidate in candidates:
        result = work(candidate)
        # What it printed: this process is killed at its end.  It may have closed that, too.
        with suppress(Exception):
            sys.stdout.flush()
        pipe.send((lines, result))
        lines.clear()


class _ForTheCommand(logging.Handler):
    """Keeps what is logged until the command logs it itself."""

    def __init__(self, lines: list[Line]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append((record.name, record.levelno, record.getMessage()))
