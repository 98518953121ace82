"""Plugins that end or hold the host process while they are imported: it is told which."""

from __future__ import annotations

from pathlib import Path

from running import QUICK, Run

from qehost.simulator import Venue


def test_a_plugin_that_kills_the_process_when_imported_is_named(
    tmp_path: Path, venue: Venue
) -> None:
    deadly = "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n"
    with Run(tmp_path, venue=venue, settings=QUICK, plugins={"deadly": deadly}) as run:
        run.wait_for(lambda: run.logged(r"SIGSEGV, in import of plugin deadly"))
        assert run.stop() == 0


def test_a_plugin_whose_constructor_does_not_return_is_named_and_ended(
    tmp_path: Path, venue: Venue
) -> None:
    stuck = "import time\nclass Stuck:\n    def __init__(self): time.sleep(3600)\n"
    settings = {**QUICK, "host.hang_timeout": 3.0}
    options = ("-p", "stuck:Stuck")
    (tmp_path / "stuck.py").write_text(stuck)
    with Run(tmp_path, *options, venue=venue, settings=settings) as run:
        run.wait_for(lambda: run.logged(r"plugin stuck: import did not return within \d+\.\d s"))
        run.wait_for(lambda: run.logged(r"SIGKILL, in import of plugin stuck"))
        assert run.stop() == 0
