"""The debugger in a host process; the whole is in cli/test_debugging.py."""

from __future__ import annotations

import bdb
from typing import Any

from qehost.host.debugging import quits_by


def test_what_another_debugger_raises_when_it_is_quit_ends_the_process() -> None:
    told: list[Any] = []
    note = quits_by(lambda: told.append("end"), lambda *failure: told.append(failure))
    error = ValueError()
    note("mine", "on_fill", None, error)
    note("mine", "on_fill", None, bdb.BdbQuit())
    assert told[:2] == [("mine", "on_fill", None, error), "end"]
