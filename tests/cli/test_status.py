"""`qehost status`: what it says, and its exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from running_status import status, write


def test_it_tells_what_runs_how_far_it_has_come_and_what_it_is_at(tmp_path: Path) -> None:
    write(tmp_path)
    result = status(tmp_path)
    assert result.exit_code == 0
    for text in (
        "running for 1 h 1 m",
        "connected 10 m",
        "UNPROTECTED",
        "234 events, 1 m 1 s",
        "main has been in on_order of plugin sluggish with event 1,001 of account main for 12 s",
        "8.0 µs",
        "2.00 s",
    ):
        assert text in result.output


def test_json_has_it_all_with_its_age(tmp_path: Path) -> None:
    write(tmp_path)
    found = json.loads(status(tmp_path, "--json").output)
    assert found["running"] is True
    assert found["age"] < 60
    assert found["connections"][0]["reconnects"] == 3
    assert found["hosts"][0]["call"]["took"] == 12.0
    assert found["hosts"][0]["plugins"][0]["dead_letters"] == 7


def gone() -> int:
    """The id of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({"age": 34.0}, "is stuck"),
        ({"ended": "stopped by SIGTERM"}, "not running: stopped by SIGTERM"),
        ({"pid": "gone"}, "did not end in an orderly way"),
    ],
)
def test_what_does_not_run_is_told_and_is_exit_code_1(
    tmp_path: Path, facts: dict[str, object], text: str
) -> None:
    if facts.get("pid"):
        facts = {"pid": gone()}
    write(tmp_path, **facts)  # type: ignore[arg-type]
    result = status(tmp_path)
    assert result.exit_code == 1
    assert text in result.output
    assert text in json.loads(status(tmp_path, "--json").output)["trouble"]


def test_where_nothing_ever_ran_that_is_told(tmp_path: Path) -> None:
    result = status(tmp_path)
    assert result.exit_code == 1
    assert f"nothing has run in {tmp_path}" in result.output.replace("\n", "")


def test_its_help_and_its_answer_do_not_wait_for_the_journal_to_be_imported() -> None:
    code = (
        "import sys; from qehost.cli import main\n"
        "try: main(['status', '--help'])\n"
        "except SystemExit: pass\n"
        "print([name for name in sys.modules if name.startswith('qehost.storage.journal')])\n"
    )
    told = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert told.splitlines()[-1] == "[]"
