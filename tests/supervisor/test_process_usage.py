"""What a process takes, as the system tells."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

from qehost.storage.status import ProcessUsage
from qehost.supervisor.process_usage import process_usage


def test_memory_and_open_files_are_those_of_the_process() -> None:
    before = process_usage(os.getpid())
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(7)]
    after = process_usage(os.getpid())
    for fd in held:
        os.close(fd)
    assert after.open_files == before.open_files + 7
    assert 5 << 20 < before.memory < 10 << 30
    assert before.max_files == resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_of_one_that_is_gone_nothing_is_known() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert process_usage(process.pid) == process_usage(0) == ProcessUsage()
