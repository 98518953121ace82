"""Programs as users write them, run in a session of their own, and what is left of them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from waiting import PATIENCE, wait_for

__all__ = ["Script", "status", "wait_for"]


def status(text: str, number: object = 0) -> str:
    """A status message of the venue, whose id is made of both."""
    message = {"type": "status", "messageId": f"{text}-{number}", "userId": "u", "data": text}
    return json.dumps(message)


class Script:
    """`python *arguments` in `folder`, with `stdin` as its input.

    `out` is every line of standard output and standard error so far.
    """

    def __init__(
        self,
        *arguments: str,
        folder: Path,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
    ) -> None:
        self.out: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-u", *arguments],
            cwd=folder,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        if stdin is not None:
            assert self.process.stdin is not None
            self.process.stdin.write(stdin)
            self.process.stdin.close()
        self._reader = threading.Thread(target=self._collect, daemon=True)
        self._reader.start()

    def __enter__(self) -> Script:
        return self

    def __exit__(self, *_: object) -> None:
        for pid in (self.process.pid, *self.others()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self._reader.join(PATIENCE)

    def wait_for(self, text: str, count: int = 1) -> None:
        """Until so many lines with this text have come."""

        def is_there() -> bool:
            over = self.process.poll() is not None and not self._reader.is_alive()
            found = sum(text in line for line in list(self.out)) >= count
            assert found or not over, f"ended without {text!r}:{self.story()}"
            return found

        wait_for(is_there, f"{text!r}", self.story)

    def ctrl_c(self) -> None:
        """As a terminal does: to every process of the group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def wait(self) -> int:
        """The exit code; fails if it does not end."""
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"did not end:{self.story()}") from None

    def others(self) -> list[int]:
        """The processes in its session beside itself."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError, IndexError):
                pid = int(entry.name)
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
                ours = int(stat[3]) == self.process.pid and pid != self.process.pid
                if ours and stat[0] not in "ZX":
                    found.append(pid)
        return found

    def leaves_nothing(self) -> None:
        """Once it has ended, all of its processes end."""
        self.wait()
        wait_for(lambda: not self.others(), "its processes to end")
        self._reader.join(PATIENCE)

    def story(self) -> str:
        """The end of what it has said, for a failing test's message."""
        return "\n" + "".join(self.out[-60:])

    def _collect(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout:
            self.out.extend(self.process.stdout)
