"""`qehost reload`, where nothing runs or it is not known what does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner
from limits import no_room
from msgspec.structs import replace
from running import QEHOST
from waiting import PATIENCE

from qehost.cli import main
from qehost.storage.state_folder import StateFolder
from qehost.storage.status import ReloadState, Status, write_status


def test_where_nothing_runs_there_is_nothing_to_reload(tmp_path: Path) -> None:
    done = subprocess.run(
        [*QEHOST, "reload", "--state-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 3
    assert f"no qehost runs with the state folder {tmp_path}" in done.stderr


def test_a_qehost_whose_id_is_not_known_is_not_taken_for_none(tmp_path: Path) -> None:
    with no_room():
        lock = StateFolder(tmp_path).lock()
    try:
        done = CliRunner().invoke(main, ["reload", "--state-dir", str(tmp_path)])
    finally:
        lock.release()
    assert done.exit_code == 3
    assert "is not known, since the disk was full when it started" in done.stderr


def test_a_process_that_does_not_hold_the_lock_is_never_signalled(tmp_path: Path) -> None:
    """As where qehost runs in another container, whose process ids mean others here."""
    folder = StateFolder(tmp_path)
    lock = folder.lock()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        try:
            (tmp_path / "lock").write_text(f"{stranger.pid}\n")
            done = CliRunner().invoke(main, ["reload", "--state-dir", str(tmp_path)])
        finally:
            lock.release()
        assert done.exit_code == 3
        assert f"runs in another container: there it is process {stranger.pid}" in done.stderr
        assert stranger.stdin is not None
        stranger.stdin.write(b"\n")
        stranger.stdin.flush()
        assert stranger.wait(PATIENCE) == 0


def test_the_status_of_the_run_before_says_nothing_of_a_reload(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    reloads = ReloadState(started=5, ended=5)
    common = Status("1", 0, 0.0, 0.0, "", [], [], reloads)
    before = [replace(common, pid=os.getpid() + 1), replace(common, pid=os.getpid(), ended="done")]

    def reloaded(*_: object) -> None:
        done = ReloadState(started=1, ended=1)
        write_status(folder.status_file, replace(common, pid=os.getpid(), reload=done))

    former = signal.signal(signal.SIGHUP, reloaded)
    lock = folder.lock()
    try:
        for stale in before:
            write_status(folder.status_file, stale)
            done = CliRunner().invoke(
                main, ["reload", "--state-dir", str(tmp_path), "--timeout", "60"]
            )
            assert (done.exit_code, done.output) == (0, "reloaded\n")
    finally:
        lock.release()
        signal.signal(signal.SIGHUP, former)
