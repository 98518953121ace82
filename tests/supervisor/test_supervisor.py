"""The supervisor keeps connection processes alive: also one that does not die, but stands still."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from promise import Numbers, check
from running import QUICK, Run

from qehost.simulator import Venue


@pytest.fixture
def venue() -> Iterator[Venue]:
    with Venue() as venue:
        yield venue


# Shortens the limit while there is a file `short`: a process that starts may take as long as ever.
SHORTENED = """
import pathlib, threading, time
from qehost.processes import child

def shorten():
    while True:
        child.SILENT_AFTER = 3.0 if pathlib.Path("short").exists() else 30.0
        time.sleep(0.05)

threading.Thread(target=shorten, daemon=True).start()
"""


def test_a_connection_process_that_stands_still_is_killed_and_another_one_connects(
    tmp_path: Path, venue: Venue
) -> None:
    with Run(tmp_path, venue=venue, settings=QUICK, before=SHORTENED) as run:
        run.wait_for(lambda: run.records("on_connected"))
        os.kill(run.pids()["connection main"], signal.SIGSTOP)
        (tmp_path / "short").touch()
        told = r"the connection process main has not said anything for \d+ s: killed"
        run.wait_for(lambda: run.logged(told), "the kill")
        (tmp_path / "short").unlink()
        run.wait_for(lambda: len(run.records("on_connected")) > 1, "the next connection")
        numbers = Numbers(venue, rate=1)
        numbers.push(5)
        numbers.wait_for_all(run)
        assert run.stop() == 0
        check(run)


def test_the_processes_are_the_supervisor_and_its_children_and_no_other(
    tmp_path: Path, venue: Venue
) -> None:
    with Run(tmp_path, venue=venue, settings=QUICK) as run:
        run.wait_for(lambda: run.records("on_connected"))
        assert set(run.all_pids()) == {run.process.pid, *run.pids().values()}
        assert run.stop() == 0
