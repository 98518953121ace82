"""`qehost check`: a line for each thing that a run needs, and what to do where one is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from checking import check
from click.testing import CliRunner

from qehost.cli import main

pytestmark = pytest.mark.usefixtures("ready_to_run")


def test_where_a_run_would_work_every_line_is_good_and_nothing_is_written() -> None:
    checked = check("-p", "sink")
    assert checked.code == 0
    assert list(checked.found) == [
        "settings",
        "plugin sink",
        "state folder",
        "disk",
        "journal main",
        "REST main",
        "clock main",
        "credentials main",
        "stream main",
    ]
    assert {state for lines in checked.found.values() for state, _ in lines} == {"ok"}
    assert not Path("state").exists()


def test_a_line_for_each_when_piped() -> None:
    result = CliRunner().invoke(main, ["check", "-p", "sink"])
    assert result.exit_code == 0
    assert "ok       plugin sink: sink: 1 hook\n" in result.stdout
    assert "noise" not in result.stdout
