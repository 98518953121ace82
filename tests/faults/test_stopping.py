"""However qehost is stopped, it ends in time and says what it left."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from promise import Numbers, check, delivered_numbers, last_seq
from reloading import reload
from running import QUICK, Run
from waiting import PATIENCE

from qehost.simulator import Venue
from qehost.storage.status import read_status

HANGING = """
import time
from pathlib import Path

def on_status(status, event):
    Path("hangs").touch()
    while True:
        time.sleep(0.01)
"""
LINGERING = """
import threading, time

def on_start(context):
    threading.Thread(target=time.sleep, args=(1000,)).start()
"""
POOL = """
import concurrent.futures, time

def on_start(context):
    concurrent.futures.ThreadPoolExecutor().submit(time.sleep, 1000)
"""


@pytest.mark.parametrize("way", ["SIGTERM", "Ctrl-C"])
def test_it_drains_to_the_last_event_under_load_and_says_nothing_scary(
    tmp_path: Path, venue: Venue, way: str
) -> None:
    # A busy machine may take long for it, and is no reason for a warning.
    settings = {**QUICK, "host.drain_timeout": PATIENCE, "host.slow_call": PATIENCE}
    with Run(tmp_path, venue=venue, settings=settings) as run:
        run.wait_for(lambda: run.records("on_connected"))
        with Numbers(venue, rate=1000):
            run.wait_for(lambda: len(delivered_numbers(run)) > 200, "numbers")
            if way == "SIGTERM":
                assert run.stop() == 0
            else:
                # A terminal sends it to everybody.
                os.killpg(run.process.pid, signal.SIGINT)
                assert run.wait() == 0
        check(run)
        assert len(run.records("on_stop")) == 1
        (last,) = run.records("on_disconnected")
        assert last["seq"] == last_seq(run)
        scary = run.logged("WARNING|ERROR|CRITICAL|Traceback")
        # Where the machine has much else to do, any call may take long.
        assert [line for line in scary if "events wait" not in line] == []
        status = read_status(run.state / "status.json")
        assert status is not None
        assert status.ended.startswith("stopped by")
        assert [host.cursors[0].lag_events for host in status.hosts] == [0]


def test_a_plugin_that_hangs_can_not_hold_the_end(tmp_path: Path, venue: Venue) -> None:
    settings = {**QUICK, "host.drain_timeout": 3.0}
    with Run(tmp_path, venue=venue, settings=settings, plugins={"hanging": HANGING}) as run:
        run.wait_for(lambda: run.records("on_connected"))
        Numbers(venue, rate=1).push(5)
        run.wait_for(lambda: last_seq(run) == 6, "the journal")
        run.wait_for((tmp_path / "hangs").exists, "a call that hangs")
        assert run.stop() == 0
        assert run.logged(
            "did not end within the drain time-out of 3 s, in on_status of plugin hanging with "
            "event 2 of account main: killed"
        )
        run.wait_for_line("host process main: 6 events were not delivered in time")


@pytest.mark.parametrize("source", [LINGERING, POOL], ids=["thread", "pool"])
def test_what_a_plugin_leaves_running_costs_an_end_and_a_reload_a_second(
    tmp_path: Path, venue: Venue, source: str
) -> None:
    settings = {**QUICK, "host.drain_timeout": 1000.0}
    with Run(tmp_path, venue=venue, settings=settings, plugins={"lingering": source}) as run:
        run.wait_for(lambda: run.records("on_connected"))
        # Who waited for the thread would do so for 1000 s.
        assert reload(run).returncode == 0
        assert run.stop() == 0
        assert len(run.logged("a plugin has left something running that does not end")) == 2
        assert len(run.records("on_stop")) == 2
        assert not run.logged("killed|process ended")
        check(run)


def test_a_second_signal_ends_it_at_once(tmp_path: Path, venue: Venue) -> None:
    # Longer than the end is waited for here.
    settings = {**QUICK, "host.drain_timeout": 1000.0}
    with Run(tmp_path, venue=venue, settings=settings, plugins={"hanging": HANGING}) as run:
        run.wait_for(lambda: run.records("on_connected"))
        Numbers(venue, rate=1).push(5)
        run.wait_for(lambda: last_seq(run) == 6, "the journal")
        run.process.send_signal(signal.SIGTERM)
        run.wait_for(lambda: run.logged("stopping: stopped by"), "the first one's effect")
        assert run.stop(signal.SIGINT) == 128 + signal.SIGINT
        assert run.all_gone()
    with Run(tmp_path, venue=venue, settings=QUICK) as again:
        again.wait_for(lambda: len(delivered_numbers(again)) == 5, "what was left")
        assert again.stop() == 0
        check(again)


def test_a_signal_while_it_starts_ends_it_too(tmp_path: Path, venue: Venue) -> None:
    with Run(tmp_path, venue=venue, settings=QUICK) as run:
        run.wait_for(lambda: run.log, "the first line")
        assert run.stop() in (0, -signal.SIGTERM)
        assert not run.logged("Traceback")


HANGS_UP = """
import os, signal, sys

class Finder:
    def find_spec(self, name, *_):
        if name == "click":
            os.kill(os.getpid(), signal.SIGHUP)

sys.meta_path.insert(0, Finder())
"""


def test_a_terminal_that_closes_while_it_is_imported_does_not_end_it(
    tmp_path: Path, venue: Venue
) -> None:
    with Run(tmp_path, venue=venue, settings=QUICK, before=HANGS_UP) as run:
        run.wait_for(lambda: run.records("on_connected"))
        assert run.stop() == 0
