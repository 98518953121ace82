"""What a child process does before its own work.

It leaves signals to its parent, ends with it, and takes its import path and its task from it.
Imports nothing but the standard library: where the rest is to be found is part of the task.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from importlib import import_module
from multiprocessing import current_process, set_start_method
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

__all__ = ["SIGNALS", "Launch", "main"]

PR_SET_PDEATHSIG = 1

SIGNALS = frozenset((signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
"""They reach the whole process group, and the parent decides what follows from them.  A child is
born with them blocked."""


class Launch(NamedTuple):
    """What the parent sends to a new child; the arguments follow."""

    name: str
    module: str
    pipes: list[tuple[int, bool, bool]]
    """Descriptor, readable, writable."""
    argv: list[str]
    path: list[str]
    """The import path, without the folders of the program's own modules."""
    full_path: list[str] | None
    """The import path with them, for a child that loads plugins."""


def main() -> None:
    """The process: `sys.argv` holds the descriptor of the lifeline and the parent's process id."""
    _leave_signals_to_the_parent()
    lifeline = _connection(int(sys.argv[2]))
    _die_with(int(sys.argv[3]))
    launch: Launch = _receive(lifeline)
    sys.argv[:] = launch.argv
    current_process().name = launch.name
    # What a plugin starts by multiprocessing is no fork of a process with threads.
    set_start_method("spawn", force=True)
    sys.path[:] = launch.path
    # Before any module makes its logger.
    logging.setLoggerClass(import_module("qehost.processes.guarded_logger").GuardedLogger)
    work = import_module(launch.module).main
    # Not before the path was set: their classes are imported.
    arguments = _receive(lifeline)
    if launch.full_path is not None:
        sys.path[:] = launch.full_path
    threading.Thread(target=_watch, args=[lifeline], name="qehost-lifeline", daemon=True).start()
    work(*arguments, *(_connection(*pipe) for pipe in launch.pipes))


def _connection(descriptor: int, readable: bool = True, writable: bool = True) -> Connection:
    # A copy is not inherited by what a plugin starts.  And it has the lowest number: `select` knows
    # none from 1024 on, as they may be in a parent with many sockets.
    copy = os.dup(descriptor)
    os.close(descriptor)
    return Connection(copy, readable, writable)


def _leave_signals_to_the_parent() -> None:
    """Handlers that do nothing, not SIG_IGN: a program that a plugin starts would inherit that and
    could not be stopped."""
    for number in SIGNALS:
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    # A pool of forks is ended by SIGTERM, which would do nothing to them.  It may come before they
    # have run at all.
    masks = threading.local()

    def hold() -> None:
        masks.former = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def go_on() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, masks.former)

    def end_by_sigterm() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        go_on()

    os.register_at_fork(before=hold, after_in_parent=go_on, after_in_child=end_by_sigterm)


def _die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent dies (Linux).

    The lifeline's thread alone would not do: it can't run while a C extension holds the GIL.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # it died before the kernel was asked


def _receive(lifeline: Connection) -> Any:
    try:
        return lifeline.recv()
    except (EOFError, OSError):
        os._exit(1)  # the parent has died


def _watch(lifeline: Connection) -> None:
    """End this process with its parent, however that one ended: the kernel closes its pipes."""
    lifeline.poll(None)
    os._exit(1)
