"""What plugins need is tried by themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
from checking import check

from qehost.storage.status import Status, write_status

pytestmark = pytest.mark.usefixtures("ready_to_run")

PLUGIN = """
import sys
import msgspec
from qehost import Error
from qehost.secret import Secret

class Plugin:
    class Config(msgspec.Struct, frozen=True):
        url: str = ""
        password: Secret = Secret("open sesame")

        def check(self, context):
            WHAT

    def on_fill(self): ...
"""


def tried(what: str) -> list[tuple[str, str]]:
    Path("needy.py").write_text(PLUGIN.replace("WHAT", what))
    checked = check("-p", "needy.py")
    lines = checked.found["plugin needy"]
    assert checked.code == (0 if all(state == "ok" for state, _ in lines) else 1)
    return lines[1:]


def test_what_it_finds_is_a_line_of_its_own() -> None:
    what = 'return f"{context.plugin} of {context.accounts[0]} in {context.settings_dir}"'
    assert tried(what) == [("ok", f"needy of main in {Path.cwd()}")]


def test_it_has_the_status_of_the_last_run() -> None:
    what = "return str(context.status() and context.status().pid)"
    assert tried(what) == [("ok", "None")]
    Path("state").mkdir(exist_ok=True)
    write_status(Path("state/status.json"), Status("1", 77, 0.0, 0.0, "", connections=[], hosts=[]))
    assert tried(what) == [("ok", "77")]


def test_what_it_raises_is_a_failure_without_secrets() -> None:
    what = 'raise Error(f"no database with {self.password.reveal()}")'
    ((state, text),) = tried(what)
    assert state == "failed"
    assert text.startswith("no database with ")
    assert "sesame" not in text
    assert tried("sys.exit(7)") == [("failed", "SystemExit: 7")]


def test_one_that_ends_its_process_is_told() -> None:
    ((state, text),) = tried("import os; os._exit(7)")
    assert state == "failed"
    assert text.startswith("what it needs could not be tried: it ended the process")
