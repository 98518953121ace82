"""New plugins under a running qehost: no event is lost, none comes twice, no plugin runs twice.

Real processes; the stream stays up throughout.
"""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from promise import Numbers, check
from reloading import FRESH, reload, witness, words
from running import QEHOST, QUICK, Run
from waiting import PATIENCE, wait_for

from qehost.simulator import Venue
from qehost.storage.state_folder import StateFolder

BESIDE = ("-p", "beside:Witness")


def start(
    folder: Path,
    venue: Venue,
    source: str = "",
    config: str = "",
    arguments: Sequence[str] = (),
) -> Run:
    """A run with the recorder and the plugin `beside`."""
    (folder / "beside.py").write_text(source or witness())
    return Run(folder, *BESIDE, *arguments, venue=venue, settings=QUICK, config=config, env=FRESH)


def ready(run: Run) -> None:
    run.wait_for(lambda: run.records("on_connected") and run.records("on_start"), "a connection")


def assert_one_after_the_other(run: Run) -> None:
    """No plugin had two processes at a time, and the connection was never touched."""
    lives = [record for record in run.records() if record["hook"] in ("on_start", "on_stop")]
    assert [life["hook"] for life in lives] == ["on_start", "on_stop"] * (len(lives) // 2)
    for begin, end in zip(lives[::2], lives[1::2], strict=True):
        assert begin["pid"] == end["pid"]
    for record in run.records():
        if record["hook"] not in ("on_start", "on_stop"):
            own = [life["at"] for life in lives if life["pid"] == record["pid"]]
            assert own[0] <= record["at"] <= own[1]
    assert len(run.records("on_connected")) == 1
    assert not run.records(redelivered=True)


def test_reloads_under_load_lose_nothing_and_bring_nothing_twice(
    tmp_path: Path, venue: Venue
) -> None:
    with start(tmp_path, venue) as run:
        ready(run)
        connection = run.pids()["connection main"]
        with Numbers(venue, rate=700) as numbers:
            for version in (2, 3):
                known = len(run.records())
                run.wait_for(lambda known=known: len(run.records()) > known + 100, "progress")
                (tmp_path / "beside.py").write_text(witness(version))
                done = reload(run)
                assert (done.returncode, done.stdout, done.stderr) == (0, "reloaded\n", "")
        numbers.wait_for_all(run)
        assert run.pids()["connection main"] == connection
        assert run.stop() == 0
        check(run)
        assert_one_after_the_other(run)
    seqs = [word["seq"] for word in words(tmp_path, "beside", "on_status")]
    assert seqs == sorted(set(seqs))
    assert [each["version"] for each in words(tmp_path, "beside", "on_start")] == [1, 2, 3]
    assert {r["reason"] for r in run.records("on_stop")[:-1]} == {"reload"}


def test_new_settings_of_a_plugin_are_taken_and_of_the_rest_it_is_said(
    tmp_path: Path, venue: Venue
) -> None:
    config = "[connection]\nmax_message = 100000\n[plugins.beside]\nword = 'old'\n"
    with start(tmp_path, venue, config=config) as run:
        ready(run)
        (tmp_path / "qehost.toml").write_text(
            "[connection]\nmax_message = 200000\n[plugins.beside]\nword = 'new'\n"
        )
        done = reload(run)
        assert done.returncode == 0
        assert "taken over by a restart only: connection.max_message" in done.stderr
        run.wait_for(lambda: len(words(tmp_path, "beside", "on_start")) == 2)
        assert [each["word"] for each in words(tmp_path, "beside", "on_start")] == ["old", "new"]
        assert run.stop() == 0


def broken_file(folder: Path) -> None:
    (folder / "qehost.toml").write_text("[plugins.beside]\nword = 3\n[plugins.nobody]\n[conection]")


def wrong_settings(folder: Path) -> None:
    (folder / "qehost.toml").write_text("[plugins.beside]\nwrod = 'x'\n")


def broken_code(folder: Path) -> None:
    (folder / "beside.py").write_text("def (")


def deadly_code(folder: Path) -> None:
    (folder / "beside.py").write_text(witness(at_import="os._exit(9)"))


def no_code(folder: Path) -> None:
    (folder / "beside.py").unlink()


MISCHIEF = [
    (broken_file, "conection: unknown setting (did you mean connection?)"),
    (wrong_settings, "plugins.beside.wrod: unknown setting (did you mean word?)"),
    (broken_code, "beside:Witness can't be imported: SyntaxError"),
    (deadly_code, "the host (main) process ended: exit code 9"),
    (no_code, "no module of this name can be imported"),
]


def test_a_reload_that_can_not_load_changes_nothing_and_says_why(
    tmp_path: Path, venue: Venue
) -> None:
    good = "[plugins.beside]\nword = 'old'\n"
    with start(tmp_path, venue, config=good) as run:
        numbers = Numbers(venue, rate=1)
        ready(run)
        before = run.pids()
        for count, (mischief, reason) in enumerate(MISCHIEF, 1):
            mischief(tmp_path)
            done = reload(run)
            assert (done.returncode, reason in done.stderr) == (1, True), done.stderr
            run.wait_for(lambda count=count: len(run.logged("reload failed")) == count, "the log")
            numbers.push(3)
            numbers.wait_for_all(run)
            assert run.pids() == before
            (tmp_path / "beside.py").write_text(witness(2))
            (tmp_path / "qehost.toml").write_text(good)
        assert len(words(tmp_path, "beside", "on_status")) == 3 * len(MISCHIEF)
        status = subprocess.run(
            [*QEHOST, "status", "--state-dir", str(run.state)], capture_output=True, check=True
        )
        assert b"the last reload failed: plugin beside" in status.stdout
        # Put right, it works.
        assert reload(run).returncode == 0
        assert run.stop() == 0
        check(run)
        assert_one_after_the_other(run)


def test_a_plugin_that_was_broken_before_holds_no_reload_up(tmp_path: Path, venue: Venue) -> None:
    with start(tmp_path, venue, "def (") as run:
        ready(run)
        assert reload(run).returncode == 0
        (tmp_path / "beside.py").write_text(witness(2))
        assert reload(run).returncode == 0
        run.wait_for(lambda: words(tmp_path, "beside", "on_start"), "the plugin")
        assert run.stop() == 0


def test_strict_holds_for_reloads_too(tmp_path: Path, venue: Venue) -> None:
    with start(tmp_path, venue, arguments=["--strict"]) as run:
        ready(run)
        (tmp_path / "beside.py").write_text("raise SystemExit(7)")
        done = reload(run)
        assert done.returncode == 1
        assert "--strict, and a plugin can't be used" in done.stderr
        assert run.process.poll() is None
        assert run.stop() == 0


def test_a_new_process_that_dies_at_its_start_is_started_again(
    tmp_path: Path, venue: Venue
) -> None:
    with start(tmp_path, venue) as run:
        numbers = Numbers(venue, rate=1)
        ready(run)
        dies_once = "if len(open(__name__ + '.words').readlines()) == 3: os._exit(5)"
        (tmp_path / "beside.py").write_text(witness(2, on_start=dies_once))
        assert reload(run).returncode == 0
        numbers.push(3)
        numbers.wait_for_all(run)
        run.wait_for_line(r"host \(main\).*exit code 5, in on_start of plugin beside")
        assert run.stop() == 0
        check(run)


def test_a_plugin_that_does_not_stop_is_killed_and_the_new_one_takes_over(
    tmp_path: Path, venue: Venue
) -> None:
    config = "[host]\ndrain_timeout = 5.0\n"
    with start(tmp_path, venue, witness(on_stop="time.sleep(1000)"), config) as run:
        numbers = Numbers(venue, rate=1)
        ready(run)
        numbers.push(3)
        (tmp_path / "beside.py").write_text(witness(2))
        assert reload(run).returncode == 0
        run.wait_for_line("the old host process main did not end within 5 s: killed")
        numbers.push(3)
        numbers.wait_for_all(run)
        assert run.stop() == 0
        check(run)
        assert len(run.records("on_connected")) == 1


def test_what_a_slow_plugin_has_not_got_yet_its_successor_gets(
    tmp_path: Path, venue: Venue
) -> None:
    # Its last event is two minutes away.
    slow = witness(on_status="time.sleep(0.5)")
    config = "[host]\ndrain_timeout = 5.0\n"
    with start(tmp_path, venue, slow, config) as run:
        numbers = Numbers(venue, rate=1)
        ready(run)
        numbers.push(240)
        run.wait_for(lambda: words(tmp_path, "beside", "on_status"), "its first event")
        (tmp_path / "beside.py").write_text(witness(2))
        assert reload(run).returncode == 0
        numbers.wait_for_all(run)
        assert run.stop() == 0
        check(run)
    by = [word["version"] for word in words(tmp_path, "beside", "on_status")]
    assert by == sorted(by)
    assert set(by) == {1, 2}


def test_a_plugin_that_comes_back_into_another_process_misses_nothing_and_sends_nobody_back_later(
    tmp_path: Path, venue: Venue
) -> None:
    # Installed: what is given with -p can't be disabled.
    (tmp_path / "beside.py").write_text(witness())
    metadata = tmp_path / "beside-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: beside\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[qehost]\nbeside = beside:Witness\n")
    config = "[plugins.beside]\nprocess = 'slow'\n"
    with Run(tmp_path, venue=venue, settings=QUICK, config=config, env=FRESH) as run:
        numbers = Numbers(venue, rate=1)
        ready(run)
        venue.wait_connected()
        for change in ("enabled = false", "enabled = true"):
            numbers.push(5)
            numbers.wait_for_all(run)
            (tmp_path / "qehost.toml").write_text(f"[plugins.beside]\n{change}\n")
            assert reload(run).returncode == 0
        numbers.push(5)
        numbers.wait_for_all(run)
        run.wait_for(lambda: len(words(tmp_path, "beside", "on_status")) >= 15, "its events")
        assert run.stop() == 0
        check(run)
    assert {word["seq"] for word in words(tmp_path, "beside", "on_status")} == set(range(2, 17))
    again = len(run.records(redelivered=True))
    with Run(tmp_path, "-c", "qehost.toml", venue=venue, settings=QUICK, env=FRESH) as after:
        after.wait_for(lambda: len(after.records("on_connected", redelivered=False)) >= 2)
        assert after.stop() == 0
        check(after)
        assert len(after.records(redelivered=True)) == again


def test_two_hang_ups_at_once_are_a_reload_each_or_one_for_both(
    tmp_path: Path, venue: Venue
) -> None:
    with start(tmp_path, venue) as run:
        ready(run)
        (tmp_path / "beside.py").write_text(witness(2))
        found: list[int] = []
        callers = [
            threading.Thread(target=lambda: found.append(reload(run).returncode)) for _ in range(3)
        ]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        assert found == [0, 0, 0]
        assert run.stop() == 0
        check(run)
        assert_one_after_the_other(run)
    assert words(tmp_path, "beside", "on_start")[-1]["version"] == 2


def test_a_stop_in_the_middle_of_a_reload_ends_everything(tmp_path: Path, venue: Venue) -> None:
    with start(tmp_path, venue) as run:
        ready(run)
        (tmp_path / "beside.py").write_text(
            "open('loading', 'w').close()\nimport time\ntime.sleep(1000)\n"
        )
        run.process.send_signal(signal.SIGHUP)
        run.wait_for(lambda: (tmp_path / "loading").exists(), "the new process")
        # One that waits for its turn does not begin any more.
        run.process.send_signal(signal.SIGHUP)
        assert run.stop() == 0
        check(run)
        assert_one_after_the_other(run)
        assert run.all_gone()


def test_a_terminal_that_is_closed_does_not_end_it(tmp_path: Path, venue: Venue) -> None:
    """The kernel sends SIGHUP, and every write to the terminal fails from then on."""
    ours, theirs = pty.openpty()
    (tmp_path / "beside.py").write_text(witness())
    # A session of its own, with this terminal as its controlling one.
    shell = (
        "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    state = tmp_path / "state"
    command = [*QEHOST, "run", "--state-dir", str(state), *BESIDE]
    command += ["--ws-url", venue.ws_url, "--rest-url", venue.rest_url]
    environment = {
        **os.environ,
        **FRESH,
        "QEHOST_API_KEY": venue.api_key,
        "QEHOST_API_SECRET": venue.api_secret,
    }
    process = subprocess.Popen(
        [sys.executable, "-c", shell, *command],
        cwd=tmp_path,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        numbers = Numbers(venue, rate=1)
        wait_for(lambda: len(words(tmp_path, "beside", "on_start")) == 1)
        venue.wait_connected()
        os.close(ours)
        wait_for(lambda: len(words(tmp_path, "beside", "on_start")) == 2)
        numbers.push(5)
        wait_for(lambda: len(words(tmp_path, "beside", "on_status")) == 5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()


def test_signals_are_heeded_from_the_start_on(tmp_path: Path, venue: Venue) -> None:
    """A terminal that is closed early, a service manager that reloads what it has just started."""
    with start(tmp_path, venue) as run:
        own = Path(f"/proc/{run.process.pid}/status")
        wait_for(lambda: caught(own, signal.SIGHUP))
        wait_for(lambda: hang_up(run) and bool(run.records("on_connected")))
        run.wait_for(lambda: run.logged("reloaded"), "a reload")
        assert run.stop() == 0
        check(run)


def test_what_is_told_to_end_while_it_starts_ends_with_0(tmp_path: Path, venue: Venue) -> None:
    with start(tmp_path, venue) as run:
        wait_for(lambda: StateFolder(run.state).holder() == run.process.pid)
        assert run.stop() == 0
        assert run.all_gone()


def caught(status: Path, number: int) -> bool:
    (line,) = [x for x in status.read_text().splitlines() if x.startswith("SigCgt")]
    return bool(int(line.split()[1], 16) >> (number - 1) & 1)


def hang_up(run: Run) -> bool:
    run.process.send_signal(signal.SIGHUP)
    assert run.process.poll() is None
    return True
