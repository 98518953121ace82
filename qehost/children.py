"""Starting a child process, and what each does first: it ends with its parent, leaves signals to
it, and sets up its log."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from importlib import import_module
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from types import ModuleType
from typing import Any

from qehost.logs import LogSettings, set_up

__all__ = ["enter", "start"]

PR_SET_PDEATHSIG = 1

_spawn = multiprocessing.get_context("spawn")
_starting = threading.Lock()


def start(name: str, module: str, *args: Any) -> SpawnProcess:
    """Start `module.main(*args)` in a fresh interpreter.

    The module is named, not imported: the supervisor needs nothing of what its children load.  Nor
    does the child import the program's main module: multiprocessing would run a script without a
    main guard a second time.
    """
    process = _spawn.Process(target=_main_of, args=(module, *args), name=name)
    with _starting:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            process.start()
        finally:
            sys.modules["__main__"] = main
    return process


def _main_of(module: str, *args: Any) -> None:
    import_module(module).main(*args)


def enter(name: str, log: LogSettings) -> None:
    """Prepare this process; `name` stands in its log lines.  Called once, in its main thread."""
    _leave_signals_to_the_parent()
    _end_with_the_parent()
    set_up(log, name)


def _leave_signals_to_the_parent() -> None:
    """Ctrl-C and a service manager's SIGTERM reach the whole group; the supervisor orders the end.

    Handlers that do nothing, not SIG_IGN: a program that a plugin starts would inherit that and
    could not be stopped.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)


def _end_with_the_parent() -> None:
    """No child may outlive the supervisor, however that one died.

    A thread watches the parent's sentinel.  It can't run while a C extension holds the GIL for
    ever, so on Linux the kernel is asked to kill this process, too.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent.pid:
            # It died before the kernel was asked.
            os._exit(1)

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, name="qehost-lifeline", daemon=True).start()
