"""`process = "name"`: a host process of its own, with its own queue and cursor.

What happens to one is nothing to the others; a plugin that is given another misses nothing.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from promise import Numbers, check, cursor
from reloading import FRESH, reload, witness, words
from running import QUICK, Run

from qehost.simulator import Venue
from qehost.storage.state_folder import StateFolder
from qehost.storage.status import read_status

OWN = '[plugins.beside]\nprocess = "own"\n'
BESIDE = ("-p", "beside:Witness")


def start(folder: Path, venue: Venue, config: str, source: str = "") -> Run:
    (folder / "beside.py").write_text(source or witness())
    return Run(folder, *BESIDE, venue=venue, settings=QUICK, config=config, env=FRESH)


def ready(run: Run, starts: int = 1) -> None:
    run.wait_for(lambda: run.records("on_connected"), "a connection")
    run.wait_for(lambda: len(words(run.folder, "beside", "on_start")) >= starts, "the other")


def seqs(folder: Path, name: str = "beside") -> list[int]:
    return [word["seq"] for word in words(folder, name, "on_status")]


def test_a_process_of_its_own_and_one_that_is_shared(tmp_path: Path, venue: Venue) -> None:
    config = OWN + '[plugins.second]\nprocess = "own"\n[plugins.third]\nprocess = "other"\n'
    for name in ("second", "third"):
        (tmp_path / f"{name}.py").write_text(witness())
    (tmp_path / "beside.py").write_text(witness())
    more = ("-p", "second:Witness", "-p", "third:Witness")
    with Run(tmp_path, *BESIDE, *more, venue=venue, config=config, env=FRESH) as run:
        ready(run)
        numbers = Numbers(venue, rate=1)
        numbers.push(5)
        numbers.wait_for_all(run)
        names = ("beside", "second", "third")
        run.wait_for(lambda: all(len(seqs(tmp_path, name)) == 5 for name in names))
        beside, second, third = (words(tmp_path, name)[0]["pid"] for name in names)
        assert beside == second
        assert len({beside, third, run.records("on_start")[0]["pid"]}) == 3
        assert run.stop() == 0


def test_the_deaths_of_one_process_are_nothing_to_the_others(tmp_path: Path, venue: Venue) -> None:
    with start(tmp_path, venue, OWN) as run:
        ready(run)
        main = run.pids()["host main"]
        with Numbers(venue, rate=300) as numbers:
            for count in (2, 3, 4):
                os.kill(run.pids()["host own"], signal.SIGKILL)
                ready(run, starts=count)
        numbers.wait_for_all(run)
        run.wait_for(lambda: set(seqs(tmp_path)) == set(range(2, numbers.sent + 2)))
        assert run.pids()["host main"] == main
        assert run.stop() == 0
        check(run)
        assert not run.records(redelivered=True)
        assert len(run.records("on_start")) == 1


def test_a_process_that_stands_still_holds_up_nobody_and_misses_nothing(
    tmp_path: Path, venue: Venue
) -> None:
    # However long it takes to send so much, nobody ends it for that.
    with start(tmp_path, venue, OWN + "[host]\nhang_timeout = 0\n") as run:
        ready(run)
        own = run.pids()["host own"]
        os.kill(own, signal.SIGSTOP)
        # More than its queue holds.
        numbers = Numbers(venue, rate=1, padding=10_000)
        numbers.push(2000)
        numbers.wait_for_all(run)
        assert len(seqs(tmp_path)) < 2000
        os.kill(own, signal.SIGCONT)
        run.wait_for(lambda: seqs(tmp_path) == list(range(2, 2002)), "the rest")
        assert run.pids()["host own"] == own
        assert run.stop() == 0
        check(run)


def test_a_slow_plugin_is_named_in_the_log_and_the_status_and_told_what_helps(
    tmp_path: Path, venue: Venue
) -> None:
    slow = witness(on_status="time.sleep(0.4)")
    with start(tmp_path, venue, "", slow) as run:
        ready(run)
        numbers = Numbers(venue, rate=1)
        numbers.push(4)
        numbers.wait_for_all(run)
        (line,) = run.wait_for(lambda: run.logged("plugin beside: on_status took"), "the log")
        assert 'process = "NAME" in its settings' in line

        def plugin() -> float:
            status = read_status(StateFolder(run.state).status_file)
            assert status is not None
            found = [p for host in status.hosts for p in host.plugins if p.name == "beside"]
            return found[0].slowest if found else 0.0

        run.wait_for(lambda: plugin() >= 0.4, "the status")
        assert run.stop() == 0
        # Told once, and counted at the end.
        assert len(run.logged("plugin beside: on_status took")) == 1
        run.wait_for_line("plugin beside: on_status was slow 3 more times")


def test_a_plugin_that_fails_at_each_event_is_told_once_and_counted(
    tmp_path: Path, venue: Venue
) -> None:
    with start(tmp_path, venue, "", witness(on_status="raise ValueError('no')")) as run:
        ready(run)
        numbers = Numbers(venue, rate=1)
        numbers.push(200)
        numbers.wait_for_all(run)
        assert run.stop() == 0
        assert len(run.logged("on_status raised")) == 2
        run.wait_for_line("plugin beside: on_status raised at event 2: ValueError: no")
        run.wait_for_line("plugin beside: on_status raised ValueError 199 more times")
        check(run)


# --- from one process to another -------------------------------------------------------------


@pytest.mark.parametrize(("before", "after"), [("", OWN), (OWN, "")])
def test_a_plugin_that_moves_in_a_reload_misses_nothing(
    tmp_path: Path, venue: Venue, before: str, after: str
) -> None:
    with start(tmp_path, venue, before) as run:
        ready(run)
        with Numbers(venue, rate=300) as numbers:
            run.wait_for(lambda: len(seqs(tmp_path)) > 50, "progress")
            (tmp_path / "qehost.toml").write_text(after)
            assert reload(run).returncode == 0
        numbers.wait_for_all(run)
        run.wait_for(lambda: set(seqs(tmp_path)) == set(range(2, numbers.sent + 2)), "the rest")
        first, second = words(tmp_path, "beside", "on_start")
        assert first["pid"] != second["pid"]
        assert StateFolder(run.state).processes() == (["main", "own"] if after else ["main"])
        assert run.stop() == 0
        check(run)
    again = [word for word in words(tmp_path, "beside", "on_status") if word["redelivered"]]
    assert len(seqs(tmp_path)) == len(set(seqs(tmp_path))) + len(again)


def test_a_plugin_that_moves_at_a_restart_begins_where_its_process_stood(
    tmp_path: Path, venue: Venue
) -> None:
    numbers = Numbers(venue, rate=1)
    with start(tmp_path, venue, OWN) as run:
        ready(run)
        os.kill(run.pids()["host own"], signal.SIGSTOP)
        numbers.push(20)
        numbers.wait_for_all(run)
        run.wait_for(lambda: cursor(run) == 21, "the cursor")
    assert seqs(tmp_path) == []
    with start(tmp_path, venue, "[plugins.beside]\n") as run:
        run.wait_for(lambda: seqs(tmp_path) == list(range(2, 22)), "what was missed")
        assert StateFolder(run.state).processes() == ["main"]
        assert run.stop() == 0
        # Its position came along: the others of its new process get nothing again.
        check(run)
        assert not run.records("on_status", redelivered=True)


def test_a_plugin_that_is_new_begins_with_what_comes(tmp_path: Path, venue: Venue) -> None:
    numbers = Numbers(venue, rate=1)
    with Run(tmp_path, venue=venue, settings=QUICK) as run:
        run.wait_for(lambda: run.records("on_connected"), "a connection")
        numbers.push(3)
        numbers.wait_for_all(run)
        assert run.stop() == 0
    with start(tmp_path, venue, OWN) as run:
        run.wait_for_connections(2)
        numbers.push(2)
        numbers.wait_for_all(run)
        run.wait_for(lambda: len(seqs(tmp_path)) == 2, "the new ones")
        assert run.stop() == 0
        check(run)
    assert min(seqs(tmp_path)) > 4
