"""As the first process of a container, qehost buries what plugins' processes leave behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# Process 1 of its namespace: an orphan is left to it, and a child of its own ends.
PROGRAM = """
import os, subprocess, sys, time
from qehost.supervisor.orphans import bury_orphans

assert os.getpid() == 1
own = subprocess.Popen([sys.executable, "-c", ""])
orphan = "import os, sys; sys.exit() if os.fork() else os._exit(0)"
subprocess.run([sys.executable, "-c", orphan], check=True)

def zombies():
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        state = open(f"/proc/{name}/stat").read().rpartition(")")[2].split()[0]
        found += [int(name)] * (state == "Z")
    return found

deadline = time.monotonic() + 60
while len(zombies()) < 2 and time.monotonic() < deadline:
    time.sleep(0.01)
assert own.pid in zombies() and len(zombies()) == 2, zombies()
while zombies() != [own.pid] and time.monotonic() < deadline:
    bury_orphans([own.pid])
    if zombies()[:1] == [own.pid] and len(zombies()) == 2:
        break  # it hides the other until it is asked for
assert own.wait() == 0
bury_orphans([])
assert zombies() == [], zombies()
bury_orphans([])
print("buried")
"""


def test_process_1_buries_orphans_and_leaves_its_own_children_their_exit_codes() -> None:
    if os.geteuid() or shutil.which("unshare") is None:
        pytest.skip("being process 1 takes root and unshare")
    command = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "unshare failed" in done.stderr or "Operation not permitted" in done.stderr:
        pytest.skip("a namespace of its own is not allowed here")
    assert done.stdout == "buried\n", done.stderr


def test_any_other_process_leaves_them_to_whoever_is_process_1(tmp_path: Path) -> None:
    from qehost.supervisor.orphans import bury_orphans

    child = subprocess.Popen([sys.executable, "-c", "raise SystemExit(7)"], cwd=tmp_path)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    bury_orphans([])
    assert child.wait() == 7
