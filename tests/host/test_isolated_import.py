"""Plugins in a process of their own: one that ends it is named, and the others are examined."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qehost.host import isolated_import
from qehost.host.discovery import find
from qehost.host.isolated_import import isolated_reports
from qehost.processes import spawn

Write = Callable[..., Path]

BAD = {
    "ends": (
        "import os\nos._exit(0)",
        "it ended the process while it was imported (exit code 0)",
    ),
    "crashes": (
        "import ctypes\nctypes.string_at(0)",
        "it ended the process while it was imported (signal SIGSEGV)",
    ),
    "interrupts": (
        "raise KeyboardInterrupt",
        "interrupts can't be imported: KeyboardInterrupt",
    ),
    "leaves": (
        """
        import subprocess, sys, os
        wait = [sys.executable, "-c", "import time; time.sleep(5)"]
        subprocess.Popen(wait, close_fds=False)
        os._exit(3)
        """,
        "it ended the process while it was imported (exit code 3)",
    ),
}
THREAD = "threading.Thread(target=time.sleep, args=(1000,)).start()"
GOOD = "def on_fill(message): ..."


def test_one_that_ends_its_process_is_named_and_the_others_are_looked_at(write: Write) -> None:
    for name, (source, _) in BAD.items():
        write(name, source)
    for name in ("a_good", "z_good"):
        write(name, GOOD)
    found = {each.name: each for each in isolated_reports(find([*BAD, "a_good", "z_good"]))}
    assert list(found) == sorted([*BAD, "a_good", "z_good"])
    for name, (_, why) in BAD.items():
        assert found[name].state == "failed"
        assert found[name].why.startswith(why)
    assert {found[name].hooks for name in ("a_good", "z_good")} == {("on_fill",)}


def test_an_import_that_does_not_end_is_named_after_its_time(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("hangs", "import time\ntime.sleep(1000)")
    write("sink", GOOD)
    start, timeouts = spawn.start, iter([1.0, isolated_import.TIMEOUT])

    def start_with_next_timeout(*args: Any, **options: Any) -> object:
        monkeypatch.setattr(isolated_import, "TIMEOUT", next(timeouts))
        return start(*args, **options)

    monkeypatch.setattr(spawn, "start", start_with_next_timeout)
    hangs, sink = isolated_reports(find(["hangs", "sink"]))
    assert (hangs.state, hangs.why) == ("failed", "it was not imported within 1 s")
    assert sink.state == "loaded"


def test_a_thread_that_a_plugin_leaves_does_not_delay_the_command(write: Write) -> None:
    write("thready", f"import threading, time\n{GOOD}\n" + THREAD)
    # Who waited for it would wait for longer than the test may take.
    (found,) = isolated_reports(find(["thready"]))
    assert found.state == "loaded"


def test_what_is_logged_meanwhile_is_logged_here(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    write("wordy", "import logging\nlogging.getLogger('wordy').warning('a word of %s', 'warning')")
    with caplog.at_level(logging.WARNING):
        isolated_reports(find(["wordy"]))
    assert ("wordy", logging.WARNING, "a word of warning") in caplog.record_tuples


def test_nothing_is_started_for_plugins_that_are_not_wanted(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qehost.processes.spawn.start", None)
    write("sink", GOOD)
    (found,) = isolated_reports(find(["sink", "no:sink"]))
    assert (found.state, found.why) == ("blocked", "-p no:sink")
