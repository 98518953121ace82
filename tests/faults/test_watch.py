"""`qehost run --watch`: what is saved is what runs."""

from __future__ import annotations

import os
import py_compile
from pathlib import Path

from reloading import witness, words
from running import QUICK, Run

from qehost.simulator import Venue

# Python keeps bytecode here, as on a user's machine.
BYTECODE = {"PYTHONDONTWRITEBYTECODE": ""}


def test_a_saved_plugin_runs_and_never_its_old_bytecode(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(witness(1))
    before = file.stat()

    def save(version: int) -> None:
        """Of the same size and time, so that old bytecode would count as this file's."""
        # In one step, or it might be read before it has that time, and once more after that.
        new = tmp_path / "mine.new"
        new.write_text(witness(version))
        os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
        new.replace(file)

    def runs(version: int) -> bool:
        return any(each["version"] == version for each in words(tmp_path, "mine", "on_start"))

    py_compile.compile(str(file))
    save(2)
    with (
        Venue(port=0, seed=1) as venue,
        Run(
            tmp_path,
            "--watch",
            "-p",
            "mine.py:Witness",
            venue=venue,
            settings=QUICK,
            env=BYTECODE,
        ) as run,
    ):
        run.wait_for(lambda: runs(2), "the version that was saved last")
        for version in (3, 4):
            save(version)
            run.wait_for(lambda version=version: runs(version), f"version {version}")
        (connected,) = run.records("on_connected")[:1]
        file.write_text("def on_start(:\n")
        run.wait_for(lambda: run.logged(r"not reloaded: \S*mine\.py:1: "), "the mistake")
        assert len(words(tmp_path, "mine", "on_start")) == 3
        save(5)
        run.wait_for(lambda: runs(5), "the version without the mistake")
        assert not runs(1)
        # The stream has stayed up all the time.
        assert not run.records("on_disconnected")
        assert connected
        assert run.stop() == 0
