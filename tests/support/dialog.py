"""A command on a terminal of its own, which a test reads from and types into.

::

    with Dialog(["run", "--debug-plugin", "mine"], cwd) as dialog:
        dialog.wait_for("(Pdb) ")
        dialog.type("q\\n")
        assert dialog.end() == 0
"""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from running import QEHOST
from waiting import PATIENCE

__all__ = ["CTRL_C", "Dialog"]

CTRL_C = "\x03"

# The first terminal that the leader of a session opens is the session's.
TAKE_TERMINAL = (
    "import os, sys; os.close(os.open(os.ttyname(0), os.O_RDWR)); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)


class Dialog:
    """The terminal is the command's controlling one: Ctrl-C reaches all of its processes."""

    def __init__(
        self, arguments: Sequence[str], cwd: Path, variables: Mapping[str, str] | None = None
    ) -> None:
        self._terminal, theirs = pty.openpty()
        environment = {**os.environ, "TERM": "dumb", **(variables or {})}
        environment.pop("PYTHONBREAKPOINT", None)
        self._process = subprocess.Popen(
            [sys.executable, "-c", TAKE_TERMINAL, *QEHOST, *arguments],
            cwd=cwd,
            env=environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.written = ""

    def __enter__(self) -> Dialog:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._terminal)

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def wait_for(self, text: str) -> str:
        """What it writes from now on up to this text.  Raises AssertionError if it never does."""
        began = len(self.written)
        deadline = time.monotonic() + PATIENCE
        while text not in self.written[began:]:
            assert time.monotonic() < deadline, f"no {text!r} in {self.written}"
            assert self._read(), f"it ended without {text!r}: {self.written}"
        return self.written[began:]

    def shows(self, text: str) -> bool:
        """Whether it has written this, at any time up to now."""
        self._read()
        return text in self.written

    def end(self) -> int:
        """Wait for its end; the exit code."""
        deadline = time.monotonic() + PATIENCE
        while self._read():
            assert time.monotonic() < deadline, f"it does not end: {self.written}"
        return self._process.wait(PATIENCE)

    def _read(self) -> bool:
        """False: no process has the terminal any more."""
        if not select.select([self._terminal], [], [], 0.1)[0]:
            return True
        try:
            part = os.read(self._terminal, 65_536)
        except OSError:  # so Linux says that all have closed it
            return False
        self.written += part.decode(errors="replace")
        return bool(part)
