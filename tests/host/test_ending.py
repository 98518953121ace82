"""What is left running holds no process up, and is named."""

from __future__ import annotations

import subprocess
import sys

import pytest
from waiting import PATIENCE

PROGRAM = """
import logging, sys, threading, time
from qehost.host.ending import end_soon
logging.basicConfig()
{leave}
end_soon(3)
sys.exit(3)
"""
THREAD = "threading.Thread(target=time.sleep, args=(1000,), name='left').start()"
HANDLER = "import atexit; atexit.register(time.sleep, 1000)"


@pytest.mark.parametrize(
    ("leave", "named"),
    [("", ""), (THREAD, "the threads left"), (HANDLER, "a pool or an exit handler")],
)
def test_a_process_ends_although_something_was_left_running(leave: str, named: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(leave=leave)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == 3
    assert named in ended.stderr
    assert bool(named) == ("does not end" in ended.stderr)
