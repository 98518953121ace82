"""What processes take, by the system's own books: memory, and CPU time to the nanosecond.

Linux has all of it.  Elsewhere memory is the resident size, and CPU time is not known.
"""

from __future__ import annotations

import ctypes
import subprocess
import time
from collections import defaultdict
from pathlib import Path

__all__ = ["MEMORY", "cpu", "family", "memory"]

PROC = Path("/proc")
MEMORY = "PSS" if (PROC / "self" / "smaps_rollup").exists() else "RSS"
"""What `memory` counts: with PSS a page that n processes share counts as 1/n in each, so that the
sum is what they take together; with RSS it counts whole in each."""


def family(pid: int) -> list[int]:
    """The process and everything that it has started."""
    children = defaultdict(list)
    for child, parent in _parents():
        children[parent].append(child)
    found = [pid]
    for each in found:
        found += children[each]
    return found


def memory(pid: int) -> float:
    """MiB of memory."""
    if MEMORY == "PSS":
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    return int(subprocess.check_output(["ps", "-o", "rss=", "-p", str(pid)])) / 1024


def cpu(pid: int) -> float | None:
    """Seconds of CPU so far, of all threads, in the program and in the system on its behalf.  None
    where it can't be known."""
    clock = ctypes.c_int()
    try:
        failed = ctypes.CDLL(None).clock_getcpuclockid(pid, ctypes.byref(clock))
        return None if failed else time.clock_gettime(clock.value)
    except (AttributeError, OSError):
        return None


def _parents() -> list[tuple[int, int]]:
    """Every process with its parent."""
    if not PROC.is_dir():
        printed = subprocess.check_output(["ps", "-A", "-o", "pid=,ppid="], text=True)
        return [(int(pid), int(parent)) for pid, parent in map(str.split, printed.splitlines())]
    found = []
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue  # it has ended
            # After the command's name, which may have any character in it: state, parent.
            found.append((int(entry.name), int(stat.rpartition(")")[2].split()[1])))
    return found
