"""What a process takes of the machine: memory and open files, as Linux tells."""

from __future__ import annotations

import os
import re
from pathlib import Path

from qehost.storage.status import ProcessUsage

__all__ = ["process_usage"]

PROC = Path("/proc")
PAGE = os.sysconf("SC_PAGE_SIZE")
LIMIT = re.compile(r"^Max open files\s+(\d+)", re.MULTILINE)


def process_usage(pid: int) -> ProcessUsage:
    """All 0 for process 0, for one that has ended, and where there is no `/proc`."""
    folder = PROC / str(pid)
    if not pid:
        return ProcessUsage()
    try:
        pages = int((folder / "statm").read_text("ascii").split()[1])
        limit = LIMIT.search((folder / "limits").read_text("ascii"))
        open_files = len(os.listdir(folder / "fd"))
    except (OSError, IndexError):
        return ProcessUsage()
    return ProcessUsage(pages * PAGE, open_files, int(limit[1]) if limit else 0)
