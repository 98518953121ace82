"""Starting a child process, and what each does first: it ends with its parent, leaves signals to
it, and sets up its log."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from contextlib import suppress
from importlib import import_module
from multiprocessing import popen_spawn_posix, process, resource_tracker, spawn
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from types import FunctionType, SimpleNamespace
from typing import Any

from qehost.logs import LogSettings, set_up

__all__ = ["SIGNALS", "enter", "prepare", "start"]

PR_SET_PDEATHSIG = 1

SIGNALS = frozenset((signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
"""What reaches the whole group, and is the parent's to judge."""


def prepare() -> None:
    """What the first `start` needs, and whose end unblocks the signals in the thread that calls it:
    in any other than the main thread that may steal a Ctrl-C from the main thread."""
    resource_tracker.ensure_running()


def start(name: str, module: str, *args: Any) -> SpawnProcess:
    """Start `module.main(*args)` in a fresh interpreter.

    The module is named, not imported: the parent needs nothing of what its children load.  On Linux
    the child ends with the thread that calls this, too, so that should be one that stays.
    """
    child = _Process(target=_main_of, args=(module, *args), name=name)
    prepare()
    # The child is born with them blocked, and so can't die of Ctrl-C before `enter`.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        child.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return child


def _preparation_data(name: str) -> dict[str, Any]:
    """In place of multiprocessing's, which has the child import the program's main module, and
    which fixes the program's default start method for good."""
    data = {
        "name": name,
        "authkey": process.current_process().authkey,
        "sys_path": list(sys.path),
        "sys_argv": sys.argv,
        "start_method": "spawn",
    }
    with suppress(FileNotFoundError):  # the folder was deleted
        data["dir"] = os.getcwd()
    return data


class _Popen(popen_spawn_posix.Popen):
    # The same code, with another `get_preparation_data`.  To take `__main__` out of `sys.modules`
    # meanwhile would break what other threads of the program start or pickle at that moment.
    _launch = FunctionType(
        popen_spawn_posix.Popen._launch.__code__,  # type: ignore[attr-defined]
        {
            **vars(popen_spawn_posix),
            "spawn": SimpleNamespace(
                **{**vars(spawn), "get_preparation_data": _preparation_data},
            ),
        },
    )


class _Process(SpawnProcess):
    def start(self) -> None:
        """Without multiprocessing's bookkeeping: who asks for all children, or waits for them at
        the end, means their own.  And without its refusal in a daemonic process, such as a worker
        of a pool, whose children would outlive it: ours end with whoever started them.
        """
        self._popen = _Popen(self)
        self._sentinel = self._popen.sentinel
        # As multiprocessing does: what was handed over need not be held here.
        del self._target, self._args, self._kwargs  # type: ignore[attr-defined]


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
    for number in SIGNALS:
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


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
