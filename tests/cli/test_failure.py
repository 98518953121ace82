"""What every command does where its output fails: a full disk, an encoding without a character."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest
from running import QEHOST

from qehost.events.codec import encode_events
from qehost.messages import StatusEvent
from qehost.storage.journal import Journal
from qehost.storage.state_folder import StateFolder
from qehost.storage.status import Status, write_status


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The state folder of a qehost that runs, with one event."""
    folder = StateFolder(tmp_path / "state")
    event = StatusEvent(1, "main", "id", 10**18, "stream", False, "raw", "合约 ✓")
    with Journal(folder.journal("main")) as journal:
        journal.append(encode_events([event]), 1, 1, event.received_at, event.received_at)
    now = time.time()
    # However long the machine takes for a command, this is not old.
    later = now + 3600
    write_status(folder.status_file, Status("0.1", os.getpid(), now, later, "", [], []))
    return folder.path


COMMANDS = [
    ["status"],
    ["status", "--json"],
    ["journal", "list"],
    ["journal", "list", "--json"],
    ["journal", "export"],
    ["journal", "dead-letters"],
    ["tail", "--json"],
    ["check", "--protocol", "v2", "--rest-url", "http://127.0.0.1:1"],
]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("command", [*COMMANDS, ["config", "show"], ["plugins"]], ids=" ".join)
def test_a_full_disk_is_one_clear_line(folder: Path, command: list[str]) -> None:
    state = [] if command[0] in ("config", "plugins") else ["--state-dir", str(folder)]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*QEHOST, *command, *state],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 3
    assert "qehost: No space left on device\n" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "gbk", "cp1252"])
@pytest.mark.parametrize(
    "command", [c for c in COMMANDS if c[0] not in ("tail", "check")], ids=" ".join
)
def test_an_encoding_without_the_characters_is_no_failure(
    folder: Path, command: list[str], encoding: str
) -> None:
    done = subprocess.run(
        [*QEHOST, *command, "--state-dir", str(folder)],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
    if "--json" in command or "export" in command:
        json.loads(done.stdout.decode("utf-8"))
