"""The debugger in a host process: `breakpoint()` in a plugin opens it on the terminal.

A child of qehost reads nothing and leaves signals to its parent.  One whose plugin is debugged has
the terminal as its standard input and output, and Ctrl-C opens the debugger wherever it is.
"""

from __future__ import annotations

import bdb
import inspect
import os
import pdb
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from qehost.host.dispatch import Failures
from qehost.messages import Event

__all__ = ["Debugger", "quits_by", "take_terminal", "use"]


def take_terminal() -> None:
    """Standard input, output and error of this process are the terminal from now on.

    To be called before anything keeps one of them.
    """
    terminal = os.open(os.ctermid(), os.O_RDWR | os.O_NOCTTY)
    for number in range(3):
        os.dup2(terminal, number)
    os.close(terminal)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 — until the end
    sys.stdout = open(1, "w", buffering=1, errors="replace", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors="replace", closefd=False)  # noqa: SIM115


class Debugger(pdb.Pdb):
    """pdb, but to quit it is `end`, and nothing is raised in the plugin.

    While it prompts, Ctrl-C is as pdb has it; otherwise Ctrl-C opens it.
    """

    def __init__(self, end: Callable[[], None]) -> None:
        super().__init__(nosigint=True)
        self._end = end

    def preloop(self) -> None:
        super().preloop()
        _on_interrupt(signal.default_int_handler)

    def postloop(self) -> None:
        super().postloop()
        _on_interrupt(self.interrupted)

    def set_quit(self) -> None:
        super().set_quit()
        self._end()

    def interrupted(self, _: int, frame: FrameType | None) -> None:
        """The handler of SIGINT.

        It prompts at once: `set_trace` alone would wait for the next line, and a call that blocks
        for a minute goes on blocking when a handler has returned.
        """
        if frame is None:
            return
        self.set_trace(frame)
        trace = sys.gettrace()
        # Not traced itself.  Afterwards this one has gone if the user goes on without stepping.
        sys.settrace(_untraced)
        self.user_line(frame)
        if sys.gettrace() is _untraced:
            sys.settrace(trace)


def _untraced(frame: FrameType, event: str, argument: Any) -> None:
    """Traces nothing."""


def use(end: Callable[[], None]) -> None:
    """`breakpoint()` and Ctrl-C open the debugger; `end` ends this process when it is quit.

    A debugger that PYTHONBREAKPOINT names is used in its place; see `quits_by`.
    """
    debugger = Debugger(end)
    _on_interrupt(debugger.interrupted)
    if "PYTHONBREAKPOINT" in os.environ:
        return

    def opened(*_: Any, **__: Any) -> None:
        here = inspect.currentframe()
        debugger.set_trace(here.f_back if here is not None else None)

    sys.breakpointhook = opened


def quits_by(end: Callable[[], None], failures: Failures) -> Failures:
    """As `failures`, but `end` is called for what another debugger raises when it is quit."""

    def note(plugin: str, hook: str, event: Event | None, error: BaseException) -> None:
        if isinstance(error, bdb.BdbQuit):
            end()
        failures(plugin, hook, event, error)

    return note


def _on_interrupt(handler: Callable[[int, FrameType | None], Any]) -> None:
    # In a thread of the plugin's own, Ctrl-C stays what it is.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, handler)
