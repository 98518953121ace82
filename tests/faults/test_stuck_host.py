"""A host process that is slow or stuck costs the stream nothing, and misses nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from promise import Numbers, check, cursor, dead_letters, last_seq
from running import QUICK, Run

from qehost.simulator import Venue
from qehost.storage.status import read_status


def memory_kib(pid: int) -> int:
    """What is resident, without what is mapped from files."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1])
    raise AssertionError("no RssAnon")


def test_a_stopped_host_costs_the_connection_its_queues_bound_and_then_catches_up(
    tmp_path: Path, venue: Venue
) -> None:
    settings = {**QUICK, "host.queue_bytes": 1 << 20}
    with Run(tmp_path, venue=venue, settings=settings) as run:
        run.wait_for(lambda: run.records("on_connected"))
        pids = run.pids()
        os.kill(pids["host main"], signal.SIGSTOP)
        before = memory_kib(pids["connection main"])
        numbers = Numbers(venue, rate=1, padding=10_000)
        for _ in range(20):
            numbers.push(100)
            run.wait_for(lambda: last_seq(run) == numbers.sent + 1, "the journal")
        # 20 MB of text, and as much again in each event, went through.
        assert memory_kib(pids["connection main"]) - before < 12 * 1024
        os.kill(pids["host main"], signal.SIGCONT)
        numbers.wait_for_all(run)
        assert run.stop() == 0
        check(run)
        assert not run.records(redelivered=True)
        assert not run.logged("disconnected")


def test_a_call_that_takes_long_is_named_while_it_runs(tmp_path: Path, venue: Venue) -> None:
    source = """
import time
from pathlib import Path

def on_status(status, event):
    while not Path("go").exists():
        time.sleep(0.01)
"""
    with Run(tmp_path, venue=venue, settings=QUICK, plugins={"tardy": source}) as run:
        run.wait_for(lambda: run.records("on_connected"))
        numbers = Numbers(venue, rate=1)
        numbers.push(1)
        run.wait_for(
            lambda: run.logged("plugin tardy: on_status with event 2 .* has been running"), "a word"
        )

        def call_in_status() -> str:
            status = read_status(run.state / "status.json")
            assert status is not None
            call = status.hosts[0].call
            return "" if call is None else f"{call.plugin} {call.hook} {call.seq}"

        run.wait_for(lambda: call_in_status() == "tardy on_status 2", "the call in the status")
        (tmp_path / "go").touch()
        numbers.wait_for_all(run)
        assert run.stop() == 0
        check(run)
        run.wait_for_line("plugin tardy: on_status took")


def test_a_supervisor_that_stands_still_holds_nobody(tmp_path: Path, venue: Venue) -> None:
    with Run(tmp_path, venue=venue, settings=QUICK) as run:
        run.wait_for(lambda: run.records("on_connected"))
        os.kill(run.process.pid, signal.SIGSTOP)
        numbers = Numbers(venue, rate=1)
        numbers.push(50)
        numbers.wait_for_all(run)
        os.kill(run.process.pid, signal.SIGCONT)
        assert run.stop() == 0
        check(run)


def test_the_user_has_dead_letters_delivered_again_while_it_runs(
    tmp_path: Path, venue: Venue
) -> None:
    source = """
from pathlib import Path

def on_status(status, event):
    if not Path("mended").exists():
        raise ValueError("not yet")
    Path("taken").open("a").write(f"{event.seq} {event.attempt} {event.redelivered}\\n")
"""
    with Run(tmp_path, venue=venue, settings=QUICK, plugins={"picky": source}) as run:
        run.wait_for(lambda: run.records("on_connected"))
        numbers = Numbers(venue, rate=1)
        numbers.push(3)
        run.wait_for(lambda: len(dead_letters(run)) == 3 and cursor(run) == 4, "dead letters")

        def retry() -> None:
            code = "from qehost.cli import main; main()"
            options = ["journal", "dead-letters", "--retry", "all", "--state-dir", str(run.state)]
            subprocess.run([sys.executable, "-c", code, *options], check=True, cwd=tmp_path)

        retry()
        run.wait_for(lambda: all(letter.count == 2 for letter in dead_letters(run)), "raises")
        (tmp_path / "mended").touch()
        retry()
        run.wait_for(
            lambda: all(letter.state == "delivered" for letter in dead_letters(run)), "deliveries"
        )
        assert (tmp_path / "taken").read_text() == "2 3 False\n3 3 False\n4 3 False\n"
        assert run.stop() == 0
        check(run, retried=[2, 3, 4])
        # Nobody else got them again.
        assert len(run.records("on_status")) == 3
