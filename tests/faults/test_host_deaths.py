"""However a host process ends, its plugins get every event, and only the guilty one goes without.

Real processes, real signals.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
from pathlib import Path

import pytest
from promise import Numbers, check, cursor, dead_letters, last_seq
from reloading import reload
from running import QUICK, Run

from qehost.simulator import Venue
from qehost.storage.dead_letters import DeadLetters
from qehost.storage.state_folder import StateFolder
from qehost.supervisor.watchdog import LONGEST_STEP

DEADLY = """
import ctypes, os, signal

def segfault():
    ctypes.string_at(0)

def hang_with_the_gil():
    # Not ctypes.CDLL, which lets other threads run.
    ctypes.PyDLL(None).sleep(1000)

def on_connected(event):
    meet(event)

def on_status(status, event):
    meet(event)

def meet(event):
    if event.seq in {SEQS}:
        {DEED}
"""


def deadly(seqs: set[int], deed: str) -> dict[str, str]:
    """A plugin that does a deed at some events.  Its name puts it before the recorder."""
    return {"deadly": DEADLY.replace("{SEQS}", repr(seqs)).replace("{DEED}", deed)}


def test_random_kills_lose_nothing_and_blame_nobody(tmp_path: Path, venue: Venue) -> None:
    rng = random.Random(7)
    with Run(tmp_path, venue=venue, settings=QUICK) as run:
        run.wait_for(lambda: run.records("on_connected"))
        with Numbers(venue, rate=700) as numbers:
            for count in range(1, 7):
                # A process that was killed may still be about to end.
                run.wait_for(lambda n=count: len(run.records("on_start")) >= n, "a host process")
                wanted = len(run.records()) + rng.randrange(1, 150)
                run.wait_for(lambda wanted=wanted: len(run.records()) >= wanted, "progress")
                os.kill(run.pids()["host main"], signal.SIGKILL)
        numbers.wait_for_all(run)
        run.wait_for(lambda: len(run.records("on_start")) >= 7, "the last host process")
        assert run.stop() == 0
        check(run)
        assert dead_letters(run) == []
        assert len(run.logged(r"host \(main\).*signal SIGKILL.*starting it again")) == 6
        assert not run.logged("disconnected")


def test_a_kill_while_nothing_happens_brings_nothing_again(tmp_path: Path, venue: Venue) -> None:
    with Run(tmp_path, venue=venue, settings=QUICK) as run:
        numbers = Numbers(venue, rate=1)
        run.wait_for(lambda: run.records("on_connected"))
        numbers.push(3)
        numbers.wait_for_all(run)
        # The recorder's note comes before the cursor moves.
        run.wait_for(lambda: cursor(run) == 4, "the cursor")
        os.kill(run.pids()["host main"], signal.SIGKILL)
        run.wait_for(lambda: len(run.records("on_start")) >= 2, "a new host process")
        numbers.push(2)
        numbers.wait_for_all(run)
        assert run.stop() == 0
        check(run)
        assert not run.records(redelivered=True)


def test_an_event_that_kills_is_passed_over_for_that_plugin_alone(
    tmp_path: Path, venue: Venue
) -> None:
    how = "signal SIGSEGV"
    plugins = deadly({3}, "segfault()")
    with Run(tmp_path, venue=venue, settings=QUICK, plugins=plugins) as run:
        numbers = Numbers(venue, rate=1)
        run.wait_for(lambda: run.records("on_connected"))
        numbers.push(4)
        numbers.wait_for_all(run)
        assert run.stop() == 0
        check(run)
        (letter,) = dead_letters(run)
        assert (letter.plugin, letter.seq, letter.hook, letter.cause) == (
            "deadly", 3, "on_status", "died"
        )  # fmt: skip
        assert (letter.detail, letter.count) == (how, 3)
        where = "in on_status of plugin deadly with event 3 of account main"
        assert len(run.logged(f"{how}, {where}; starting it again")) == 3


def test_the_first_the_last_and_neighbouring_events_can_be_poison(
    tmp_path: Path, venue: Venue
) -> None:
    plugins = deadly({1, 4, 5, 8}, "os._exit(1)")
    with Run(tmp_path, venue=venue, settings=QUICK, plugins=plugins) as run:
        numbers = Numbers(venue, rate=1)
        run.wait_for(lambda: run.records("on_connected"))
        numbers.push(7)
        numbers.wait_for_all(run)
        assert run.stop() == 0
        check(run)
        assert [letter.seq for letter in dead_letters(run)] == [1, 4, 5, 8]
        assert {letter.plugin for letter in dead_letters(run)} == {"deadly"}


def test_a_death_between_dead_letter_and_cursor_is_harmless(tmp_path: Path, venue: Venue) -> None:
    plugins = deadly({3}, "os._exit(1)")
    with Run(tmp_path, venue=venue, settings=QUICK, plugins=plugins) as run:
        numbers = Numbers(venue, rate=1)
        run.wait_for(lambda: run.records("on_connected"))
        numbers.push(4)
        run.wait_for(lambda: dead_letters(run), "the dead letter")
        # The next host process, which moves the cursor, is still to be started.
        run.kill()
    with Run(tmp_path, venue=venue, settings=QUICK, plugins=plugins) as again:
        numbers.wait_for_all(again)
        again.wait_for_connections(2)
        assert again.stop() == 0
        check(again)
        assert not again.logged("process ended")
        assert [letter.seq for letter in dead_letters(again)] == [3]


def test_a_dead_letter_that_kills_when_it_comes_again_does_not_come_once_more(
    tmp_path: Path, venue: Venue
) -> None:
    source = """
import os
from pathlib import Path

def on_status(status, event):
    if event.attempt > 1:
        os._exit(5)
    raise ValueError("no")
"""
    with Run(tmp_path, venue=venue, settings=QUICK, plugins={"fussy": source}) as run:
        numbers = Numbers(venue, rate=1)
        run.wait_for(lambda: run.records("on_connected"))
        numbers.push(2)
        run.wait_for(lambda: len(dead_letters(run)) == 2 and cursor(run) == 3, "dead letters")
        with DeadLetters(StateFolder(run.state).dead_letters_file) as letters:
            letters.mark([1])
        run.wait_for(lambda: len(run.records("on_start")) >= 2, "a new host process")
        numbers.push(1)
        numbers.wait_for_all(run)
        assert run.stop() == 0
        check(run)
        assert len(run.logged(r"host \(main\).*exit code 5, in on_status of plugin fussy")) == 1
        assert {letter.state for letter in dead_letters(run)} == {"dead"}


def test_a_sink_that_dies_of_one_event_of_a_batch_gets_all_others(
    tmp_path: Path, venue: Venue
) -> None:
    source = """
import os
FILE = os.open("sunk", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

def on_batch(events):
    if any(event.seq == 5 for event in events):
        os._exit(1)
    for event in events:
        os.write(FILE, b"%d\\n" % event.seq)
"""
    with Run(tmp_path, venue=venue, settings=QUICK, plugins={"sink": source}) as run:
        numbers = Numbers(venue, rate=1)
        run.wait_for(lambda: run.records("on_connected"))
        os.kill(run.pids()["host main"], signal.SIGSTOP)
        numbers.push(8)
        run.wait_for(lambda: last_seq(run) == 9, "the events in the journal")
        os.kill(run.pids()["host main"], signal.SIGCONT)
        run.wait_for(lambda: cursor(run) == 9, "the cursor")
        assert run.stop() == 0
        check(run)
        assert [(letter.plugin, letter.seq) for letter in dead_letters(run)] == [("sink", 5)]
        sunk = set(map(int, (tmp_path / "sunk").read_text().split()))
        assert sunk >= {1, 2, 3, 4, 6, 7, 8, 9}


def test_a_raise_is_a_dead_letter_and_no_death(tmp_path: Path, venue: Venue) -> None:
    plugins = deadly({3, 4}, "raise SystemExit(3) if event.seq == 3 else KeyboardInterrupt")
    with Run(tmp_path, venue=venue, settings=QUICK, plugins=plugins) as run:
        numbers = Numbers(venue, rate=1)
        run.wait_for(lambda: run.records("on_connected"))
        numbers.push(4)
        numbers.wait_for_all(run)
        assert run.stop() == 0
        check(run)
        assert len(run.records("on_start")) == 1
        found = dead_letters(run)
        assert [(x.plugin, x.seq, x.hook, x.cause) for x in found] == [
            ("deadly", 3, "on_status", "raised"),
            ("deadly", 4, "on_status", "raised"),
        ]
        assert all("deadly.py" in letter.detail for letter in found)


def test_a_call_that_holds_the_interpreter_for_ever_is_named_ended_and_passed_over(
    tmp_path: Path, venue: Venue
) -> None:
    # Longer than one look counts for, however late it comes: so one of them tells of it.
    settings = {**QUICK, "host.hang_timeout": LONGEST_STEP + 1}
    plugins = deadly({2}, "hang_with_the_gil()")
    with Run(tmp_path, venue=venue, settings=settings, plugins=plugins) as run:
        numbers = Numbers(venue, rate=1)
        run.wait_for(lambda: run.records("on_connected"))
        numbers.push(2)
        numbers.wait_for_all(run)
        assert run.stop() == 0
        check(run)
        (letter,) = dead_letters(run)
        assert (letter.seq, letter.cause) == (2, "died")
        assert "the call did not end" in letter.detail
        run.wait_for_line("on_status with event 2 of account main has been running for")
        assert not run.logged("disconnected")


HOLDING = """
import ctypes, threading
from pathlib import Path

def on_status(status, event):
    if not Path("held").exists():
        Path("held").touch()
        # After this call.
        threading.Timer(0.5, ctypes.PyDLL(None).sleep, (1000,)).start()
"""


@pytest.mark.parametrize("how", ["stopped", "a thread holds the interpreter"])
def test_a_host_that_stands_still_outside_a_call_is_named_and_ended_and_blames_no_event(
    tmp_path: Path, venue: Venue, how: str
) -> None:
    settings = {**QUICK, "host.hang_timeout": LONGEST_STEP + 1}
    plugins = {"holding": HOLDING} if how != "stopped" else {}
    with Run(tmp_path, venue=venue, settings=settings, plugins=plugins) as run:
        numbers = Numbers(venue, rate=1)
        run.wait_for(lambda: run.records("on_connected"))
        numbers.push(1)
        numbers.wait_for_all(run)
        if how == "stopped":
            run.wait_for(lambda: cursor(run) == 2, "the cursor")
            os.kill(run.pids()["host main"], signal.SIGSTOP)
        run.wait_for(lambda: run.logged("host process main has not said anything"), "a word")
        numbers.push(5)
        numbers.wait_for_all(run)
        assert len(run.records("on_start")) == 2
        assert run.stop() == 0
        check(run)
        assert dead_letters(run) == []
        assert not run.logged("disconnected")


FORKING = """
import os, sys
from pathlib import Path

def fork():
    if os.fork() == 0:
        Path("forks").open("a").write(f"{os.getpid()}\\n")
        return True

def leave():
    if fork():
        sys.exit(0)

"""


@pytest.mark.parametrize(
    "source",
    [
        "fork()",
        "leave()",
        "class Plugin:\n    def __init__(self):\n        leave()",
        "def on_start():\n    fork()",
        "def on_start():\n    leave()",
        "def on_status(status, event):\n    fork()",
        "def on_status(status, event):\n    leave()",
        "def on_batch(events):\n    leave()",
        "def on_tick(now):\n    leave()",
        "def on_stop(reason):\n    leave()",
    ],
)
def test_a_fork_that_comes_back_does_not_take_part(
    tmp_path: Path, venue: Venue, source: str
) -> None:
    # By its name it comes before the recorder, which a fork would call next.
    (tmp_path / "forking.py").write_text(FORKING + source)
    spec = "forking:Plugin" if "class" in source else "forking"
    with Run(tmp_path, "-p", spec, venue=venue, settings=QUICK) as run:
        numbers = Numbers(venue, rate=1)
        run.wait_for(lambda: run.records("on_connected"))
        for _ in range(5):
            numbers.push(1)
            numbers.wait_for_all(run)
        if "on_stop" not in source:
            run.wait_for((tmp_path / "forks").exists, "a fork")
        assert run.stop() == 0
        check(run)
        assert len({record["pid"] for record in run.records()}) == 1
        assert not run.records(redelivered=True)
        forks = list(map(int, (tmp_path / "forks").read_text().split()))
        assert not set(forks) & set(run.all_pids())
        assert not run.logged(r"host \(main\) process ended|raised SystemExit|can't be")


def test_a_death_is_noticed_though_a_fork_lives_on(tmp_path: Path, venue: Venue) -> None:
    source = """
import os, time
from pathlib import Path

def on_start(context):
    if not Path("fork").exists():
        if fork := os.fork():
            Path("fork").write_text(str(fork))
        else:
            time.sleep(60)
            os._exit(0)
"""
    with Run(tmp_path, venue=venue, settings=QUICK, plugins={"parent": source}) as run:
        numbers = Numbers(venue, rate=1)
        run.wait_for(lambda: run.records("on_connected"))
        host = run.records("on_start")[0]["pid"]
        os.kill(host, signal.SIGKILL)
        numbers.push(3)
        numbers.wait_for_all(run)
        os.kill(int((tmp_path / "fork").read_text()), signal.SIGKILL)
        assert run.stop() == 0
        check(run)


def test_a_plugin_that_can_not_be_imported_leaves_the_others_alone(
    tmp_path: Path, venue: Venue
) -> None:
    plugins = {"broken": "raise RuntimeError('no such desk')", "leaving": "import sys; sys.exit(4)"}
    with Run(tmp_path, venue=venue, settings=QUICK, plugins=plugins) as run:
        numbers = Numbers(venue, rate=1)
        run.wait_for(lambda: run.records("on_connected"))
        numbers.push(2)
        numbers.wait_for_all(run)
        run.wait_for_line("broken.*no such desk")
        run.wait_for_line("leaving.*SystemExit")
        assert run.stop() == 0
        check(run)


def test_a_host_that_can_not_live_does_not_take_the_stream_with_it(
    tmp_path: Path, venue: Venue
) -> None:
    config = """
[plugins.fatal]
process = "own"
"""
    plugins = {"fatal": "import os; os._exit(9)"}
    with Run(tmp_path, venue=venue, settings=QUICK, config=config, plugins=plugins) as run:
        numbers = Numbers(venue, rate=1)
        run.wait_for(lambda: run.records("on_connected"))
        run.wait_for(lambda: len(run.logged(r"host \(own\).*exit code 9")) >= 3, "its deaths")
        numbers.push(2)
        numbers.wait_for_all(run)
        assert run.stop() == 0
        check(run)
        run.wait_for_line("host process own: [0-9]+ events were not delivered in time")


def test_while_the_system_has_no_process_to_give_the_stream_goes_on_and_the_host_is_tried_again(
    tmp_path: Path, venue: Venue
) -> None:
    with Run(tmp_path, venue=venue, settings=QUICK) as run:
        run.wait_for(lambda: run.records("on_connected"))
        pid = run.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        # Enough for what it does besides.
        limit = len(os.listdir(f"/proc/{pid}/fd"))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, before[1]))
        os.kill(run.pids()["host main"], signal.SIGKILL)
        run.wait_for(lambda: len(run.logged("host process main can't be started")) > 1)
        assert reload(run).returncode == 1
        numbers = Numbers(venue, rate=1)
        numbers.push(5)
        run.wait_for(lambda: last_seq(run) == 6, "the journal")
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        numbers.wait_for_all(run)
        assert len(run.records("on_connected")) == 1
        assert run.stop() == 0
        check(run)


def test_a_plugin_that_is_uninstalled_is_named_at_the_next_start_and_the_others_run(
    tmp_path: Path, venue: Venue
) -> None:
    site = tmp_path / "site"
    metadata = site / "extra-1.0.dist-info"
    metadata.mkdir(parents=True)
    (site / "extra_module.py").write_text("def on_status(status): ...")
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: extra\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[qehost]\nextra = extra_module\n")
    path = {"PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])}
    config = "[plugins.extra]\norder = 1\n"
    with Run(tmp_path, venue=venue, settings=QUICK, config=config, env=path) as run:
        run.wait_for(lambda: run.logged("runs .*extra"))
        shutil.rmtree(metadata)
        os.kill(run.pids()["host main"], signal.SIGKILL)
        venue.wait_connected()
        numbers = Numbers(venue, rate=1)
        numbers.push(5)
        numbers.wait_for_all(run)
        run.wait_for(
            lambda: run.logged("ERROR.*plugin extra: it is not installed any more"), "the line"
        )
        assert run.stop() == 0
        check(run)
