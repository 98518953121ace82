"""What does not work stands in the status, with why."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from limits import unopenable
from old_order import Order
from promise import Numbers, check
from running import QEHOST, QUICK, Run
from small_disk import small_disk

from qehost.simulator import Venue
from qehost.storage.state_folder import StateFolder
from qehost.storage.status import Status, write_status

PLUGIN = "def on_status(status, event):\n    pass\n"


def shown(run: Run) -> Any:
    """What `qehost status --json` tells."""
    command = [*QEHOST, "status", "--json", "--state-dir", str(run.state)]
    return json.loads(subprocess.run(command, capture_output=True, check=False).stdout)


def wait_for_check(run: Run, code: int, text: str, *options: str) -> str:
    """What `qehost status --check` says, once it ends so and says this: a supervisor that a busy
    machine lets wait does not look well for that time."""
    command = [*QEHOST, "status", "--state-dir", str(run.state), "--check", *options]

    def says() -> str:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout if done.returncode == code and text in done.stdout else ""

    return run.wait_for(says, f"{code} and {text!r}")


def plugins(run: Run) -> dict[str, Any]:
    return {each["name"]: each for host in shown(run)["hosts"] for each in host["plugins"]}


def test_each_plugin_that_was_wanted_is_listed_with_how_it_is(tmp_path: Path, venue: Venue) -> None:
    broken = {
        "broken": "import no_such_module\n",
        "hangs": "import time\ndef on_start():\n    time.sleep(1000)\n",
        "dies": "import os\ndef on_start():\n    os._exit(9)\n",
    }
    config = '[plugins.hangs]\nprocess = "hangs"\n[plugins.dies]\nprocess = "dies"\n'
    with Run(tmp_path, venue=venue, settings=QUICK, plugins=broken, config=config) as run:
        run.wait_for(lambda: run.records("on_connected"))
        run.wait_for(lambda: run.logged("dies.* ended: exit code 9"), "a death")
        run.wait_for(lambda: plugins(run)["recorder"]["calls"], "the statistics")
        found = plugins(run)
        assert {name: each["state"] for name, each in found.items() if name != "dies"} == {
            "recorder": "running",
            "broken": "refused",
            "hangs": "starting",
        }
        assert "No module named 'no_such_module'" in found["broken"]["why"]
        assert time.time() - 60 < found["broken"]["since"] <= time.time()
        run.wait_for(lambda: plugins(run)["dies"]["state"] == "down", "the one that dies")
        run.wait_for(lambda: "exit code 9, in on_start" in plugins(run)["dies"]["why"], "why")
        status = shown(run)
        assert status["running"] is True
        assert "plugin broken: refused" in status["trouble"]
        # Each process that is there, with what it takes.
        for each in (status, *status["connections"], status["hosts"][-1]):
            assert each["usage"]["memory"] > 1 << 20
            assert 3 < each["usage"]["open_files"] < each["usage"]["max_files"]


def test_that_the_venue_is_away_is_told_with_the_reason(tmp_path: Path) -> None:
    with ExitStack() as stack:
        with Venue() as venue:
            run = stack.enter_context(Run(tmp_path, venue=venue, settings=QUICK))
            run.wait_for(lambda: run.records("on_connected"))
            run.wait_for(lambda: shown(run)["trouble"] == "", "all to be well")
        run.wait_for(lambda: "account main: not connected for" in shown(run)["trouble"], "trouble")
        run.wait_for(lambda: "refused" in shown(run)["connections"][0]["why"], "the reason")
        status = shown(run)
        assert status["running"] is True
        assert status["connections"][0]["down_since"] > status["started_at"]
        wait_for_check(run, 2, "CRITICAL: account main: not connected for", "--max-down", "0")


def test_a_journal_that_can_not_be_read_is_told_and_does_not_hold_up_the_end(
    tmp_path: Path, venue: Venue
) -> None:
    # Longer than a test may take.
    settings = {**QUICK, "host.queue_bytes": 1 << 20, "host.drain_timeout": 600}
    with small_disk(tmp_path, "160m") as disk:
        state = disk / "state"
        with Run(tmp_path, venue=venue, settings=settings, state=state) as run:
            run.wait_for(lambda: run.records("on_connected"))
            host = run.pids()["host main"]
            os.kill(host, signal.SIGSTOP)
            numbers = Numbers(venue, rate=1, padding=10_000)
            numbers.push(400)  # more than the queue holds
            run.wait_for(
                lambda: shown(run)["connections"][0]["last_seq"] > 400, "all to be journalled"
            )
            with unopenable(StateFolder(state).journal("main")):
                os.kill(host, signal.SIGCONT)
                run.wait_for(lambda: shown(run)["hosts"][0]["unreadable"], "the status")
                assert "its journal can't be read" in shown(run)["trouble"]
                assert run.stop() == 0
            run.wait_for_line(r"host process main: \d+ events were not delivered in time")
        with Run(tmp_path, venue=venue, settings=QUICK, state=state) as again:
            numbers.wait_for_all(again)
            assert again.stop() == 0
            check(again)


def test_what_cannot_be_read_leaves_a_line_and_numbers(tmp_path: Path, venue: Venue) -> None:
    with Run(tmp_path, venue=venue, settings=QUICK) as run:
        run.wait_for(lambda: run.records("on_connected"))
        venue.wait_connected()
        for number in range(5):
            outer = {"type": "order_data", "messageId": f"n-{number}", "data": None}
            venue.push(json.dumps(outer))
        for _ in range(3):
            venue.push(json.dumps({"type": "status", "messageId": "s", "data": "hello"}))
        venue.push(json.dumps({"type": "status", "messageId": "s", "data": "other"}))
        run.wait_for(lambda: len(run.records("on_status")) == 2, "both texts of one id")

        def counts() -> Any:
            return shown(run)["connections"][0]["counts"]

        run.wait_for(lambda: counts()["repeats"] == 2, "the repeats")
        assert {**counts(), "errors": 0, "gaps": 0} == {
            "unreadable": 5,
            "unknown": 0,
            "repeats": 2,
            "errors": 0,
            "gaps": 0,
        }
        assert len(run.wait_for_line(r"can't be read: \$\.data")) == 1
        assert len(run.wait_for_line("came before with another content")) == 1
        assert len(run.records("on_error")) >= 5


def test_a_gap_that_the_stream_brings_is_a_line_of_the_log_and_a_warning_with_its_text(
    tmp_path: Path, venue: Venue
) -> None:
    with Run(tmp_path, venue=venue, settings=QUICK) as run:
        run.wait_for(lambda: run.records("on_connected"))
        venue.wait_connected()
        Order(venue, "old", age=3600.0).fill(60)
        [told] = run.wait_for(lambda: run.errors("GapError"), "a gap")
        assert "old" in told
        run.wait_for(lambda: shown(run)["connections"][0]["last_gap"], "the status")
        gap = shown(run)["connections"][0]["last_gap"]
        text, at = gap["text"], gap["at"]
        assert text in told
        assert time.time() - 60 < at <= time.time()
        assert text in shown(run)["trouble"]
        command = [*QEHOST, "status", "--state-dir", str(run.state)]
        wait_for_check(run, 1, text, "--max-behind", "9999", "--max-lag", "9999")
        screen = [*command, "--max-gap-age", "0"]
        done = subprocess.run(screen, capture_output=True, text=True, check=False)
        assert "Last gap of account main" in done.stdout
        assert run.stop() == 0
    assert len(run.logged(re.escape(text))) == 1


def test_what_a_plugin_says_is_wrong_is_shown_until_it_says_that_it_is_over(
    tmp_path: Path, venue: Venue
) -> None:
    source = """
from pathlib import Path

def on_start(context):
    global tell
    tell = context.problem

def on_tick(now):
    tell("disk", "it is full" if Path("full").exists() else "")
"""
    with Run(tmp_path, venue=venue, settings=QUICK, plugins={"sink": source}) as run:
        (tmp_path / "full").touch()
        run.wait_for(lambda: run.records("on_connected") and run.logged("disk: it is full"))
        run.wait_for(lambda: plugins(run)["sink"]["problems"], "the problem")
        (problem,) = plugins(run)["sink"]["problems"]
        assert (problem["key"], problem["text"]) == ("disk", "it is full")
        wait_for_check(run, 1, "plugin sink: disk for")
        (tmp_path / "full").unlink()
        run.wait_for(lambda: not plugins(run)["sink"]["problems"], "its end")
        run.wait_for_line("disk: no longer a problem")


def test_a_plugin_reads_the_status_of_its_own_run_also_while_the_supervisor_is_stopped(
    tmp_path: Path, venue: Venue
) -> None:
    source = """
from pathlib import Path
from threading import Thread
import time

def on_start(context):
    status = context.status()
    Path("first").write_text(str(status and status.pid))
    Thread(target=look, args=(context,), daemon=True).start()

def look(context):
    while True:
        time.sleep(0.02)
        status = context.status()
        if status is not None:
            state, is_old = status.connections[0].state, status.age() > 1.5
            Path("new").write_text(f"{status.pid} {state} {is_old}")
            Path("new").replace("seen")
"""
    left = Status("0.1.0", 1, 0.0, 0.0, "", connections=[], hosts=[])  # by a run that was killed
    (tmp_path / "state").mkdir()
    write_status(StateFolder(tmp_path / "state").status_file, left)
    seen = tmp_path / "seen"
    with Run(tmp_path, venue=venue, settings=QUICK, plugins={"eye": source}) as run:
        run.wait_for(seen.exists, "the first status")
        run.wait_for(lambda: "connected False" in seen.read_text(), "the connection")
        assert (tmp_path / "first").read_text() in ("None", str(run.process.pid))
        assert seen.read_text().startswith(f"{run.process.pid} ")
        os.kill(run.process.pid, signal.SIGSTOP)
        try:
            run.wait_for(lambda: "True" in seen.read_text(), "its age")
        finally:
            os.kill(run.process.pid, signal.SIGCONT)
        assert run.stop() == 0
