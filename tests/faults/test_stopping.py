"""However qehost is stopped, it ends in time and says what it left."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from promise import Numbers, check, delivered_numbers, last_seq
from running import QUICK, Run

from qehost.simulator import Venue
from qehost.status import read_status

HANGING = """
import time

def on_status(status, event):
    while True:
        time.sleep(0.01)
"""
LINGERING = """
import threading, time

def on_start(context):
    threading.Thread(target=time.sleep, args=(1000,)).start()
"""


@pytest.mark.parametrize("way", ["SIGTERM", "Ctrl-C"])
def test_it_drains_to_the_last_event_under_load_and_says_nothing_scary(
    tmp_path: Path, venue: Venue, way: str
) -> None:
    with Run(tmp_path, venue=venue, settings=QUICK) as run:
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
        assert not run.logged("WARNING|ERROR|CRITICAL|Traceback")
        status = read_status(run.state / "status.json")
        assert status is not None
        assert status.ended.startswith("stopped by")
        assert [host.cursors[0].lag_events for host in status.hosts] == [0]


def test_a_plugin_that_hangs_can_not_hold_the_end(tmp_path: Path, venue: Venue) -> None:
    settings = {**QUICK, "host.drain_timeout": 2.0}
    with Run(tmp_path, venue=venue, settings=settings, plugins={"hanging": HANGING}) as run:
        run.wait_for(lambda: run.records("on_connected"))
        Numbers(venue, rate=1).push(5)
        run.wait_for(lambda: last_seq(run) == 6, "the journal")
        begun = time.monotonic()
        assert run.stop() == 0
        assert time.monotonic() - begun < 10  # of which two are the drain time-out
        assert run.logged("in on_status of plugin hanging with event 2 of account main: killed")
        assert run.logged("host process main: 6 events were not delivered in time")


def test_a_thread_of_a_plugin_can_not_hold_the_end_either(tmp_path: Path, venue: Venue) -> None:
    settings = {**QUICK, "host.drain_timeout": 1.0}
    with Run(tmp_path, venue=venue, settings=settings, plugins={"lingering": LINGERING}) as run:
        run.wait_for(lambda: run.records("on_connected"))
        assert run.stop() == 0
        assert run.logged("its plugins were through, so one of their threads did not end: killed")
        assert len(run.records("on_stop")) == 1
        check(run)


def test_a_second_signal_ends_it_at_once(tmp_path: Path, venue: Venue) -> None:
    settings = {**QUICK, "host.drain_timeout": 60.0}
    with Run(tmp_path, venue=venue, settings=settings, plugins={"hanging": HANGING}) as run:
        run.wait_for(lambda: run.records("on_connected"))
        Numbers(venue, rate=1).push(5)
        run.wait_for(lambda: last_seq(run) == 6, "the journal")
        run.process.send_signal(signal.SIGTERM)
        run.wait_for(lambda: run.logged("stopping: stopped by"), "the first one's effect")
        begun = time.monotonic()
        assert run.stop(signal.SIGINT) == 128 + signal.SIGINT
        assert time.monotonic() - begun < 5
        assert run.all_gone(timeout=5.0)
    with Run(tmp_path, venue=venue, settings=QUICK) as again:
        again.wait_for(lambda: len(delivered_numbers(again)) == 5, "what was left")
        assert again.stop() == 0
        check(again)


def test_a_signal_while_it_starts_ends_it_too(tmp_path: Path, venue: Venue) -> None:
    with Run(tmp_path, venue=venue, settings=QUICK) as run:
        run.wait_for(lambda: run.log, "the first line")
        assert run.stop() in (0, -signal.SIGTERM)
        assert not run.logged("Traceback")
