"""`qehost …` on a terminal of a given width."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Sequence
from pathlib import Path

from running import QEHOST

__all__ = ["shown"]


def shown(columns: int, arguments: Sequence[str | Path], cwd: Path) -> list[str]:
    """The lines that it writes to the terminal.  One that goes over its edge is one line here."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": str(columns)}
    process = subprocess.Popen(
        [*QEHOST, *map(str, arguments)],
        cwd=cwd,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    written = b""
    # When the last process has closed its end, reading fails on Linux.
    with contextlib.suppress(OSError):
        while part := os.read(ours, 65_536):
            written += part
    os.close(ours)
    process.wait()
    return re.sub(r"\x1b\[[0-9;]*m", "", written.decode()).splitlines()
