"""`qehost …` on a terminal of a given width."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path

from running import QEHOST

__all__ = ["ACCOUNT", "PLUGIN", "PROCESS", "WIDTHS", "shown", "watched", "written"]

WIDTHS = (60, 80, 100, 120, 200)
# As long as names may be.
ACCOUNT = "desk-hong-kong-derivatives-00001"
PLUGIN = "large-fills-of-the-whole-desk-01"
PROCESS = "slow-archive-process-00000000001"


def shown(columns: int, arguments: Sequence[str | Path], cwd: Path) -> list[str]:
    """The lines that it writes to the terminal.  One that goes over its edge is one line here."""
    # Where the machine is slow, also how long it has been at it.
    text = re.sub(r"\r\x1b\[K(… \d+ s\r)?", "", written(columns, arguments, cwd))
    return re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()


def written(columns: int, arguments: Sequence[str | Path], cwd: Path) -> str:
    """What it writes to the terminal, to the letter."""
    return _run((24, columns), arguments, cwd, {"COLUMNS": str(columns)})[1].decode()


def watched(columns: int, arguments: Sequence[str | Path], cwd: Path, until: str) -> str:
    """What a command has written to the terminal when `until` stands there and Ctrl-C has ended it.

    Raises AssertionError where it does not end with 0.
    """
    code, written = _run((40, columns), arguments, cwd, {}, until.encode())
    assert code == 0, written.decode()
    return written.decode()


def _run(
    size: tuple[int, int],
    arguments: Sequence[str | Path],
    cwd: Path,
    variables: Mapping[str, str],
    until: bytes = b"",
) -> tuple[int, bytes]:
    """Its exit code, and what it has written; `size` is in rows and columns.

    Ctrl-C comes when `until` stands there, if it is not empty.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    process = subprocess.Popen(
        [*QEHOST, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "TERM": "xterm", **variables},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    written = b""
    # When the last process has closed its end, reading fails on Linux.
    with contextlib.suppress(OSError):
        while part := os.read(ours, 65_536):
            before, written = written, written + part
            if until and until in written and until not in before:
                process.send_signal(signal.SIGINT)
    os.close(ours)
    return process.wait(), written
