"""The programs that are compared, each started as its users start it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from array import array
from pathlib import Path
from types import TracebackType

__all__ = ["HERE", "Peer", "Program", "Qehost", "qehost_command"]

HERE = Path(__file__).parent


def qehost_command() -> str:
    """The `qehost` of the running environment."""
    return str(Path(sysconfig.get_path("scripts"), "qehost"))


class Program:
    """A program that receives the stream at `url`, with the recorder at its end."""

    name: str

    def __init__(self, url: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="qehost-benchmark-")
        self._noted = Path(self._folder.name, "noted")
        self._noted.mkdir()
        self._log = Path(self._folder.name, "log")
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command(url),
                env=os.environ
                | {"PYTHONPATH": str(HERE), "NO_PROXY": "127.0.0.1"}
                | self._environment(),
                stdout=log,
                stderr=log,
            )

    def _command(self, url: str) -> list[str]:
        raise NotImplementedError

    def _environment(self) -> dict[str, str]:
        return {}

    def check(self) -> None:
        """Raises RuntimeError with what it wrote, if it has ended."""
        if self._process.poll() is not None:
            raise RuntimeError(f"{self.name} has ended:\n{self._log.read_text()}")

    def arrived(self, end: str, timeout: float = 60.0) -> array[int]:
        """When each message before the status `end` reached its hook, in epoch ns.  Waits."""
        file = self._noted / end
        deadline = time.monotonic() + timeout
        while not file.exists():
            self.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.name}: no {end}:\n{self._log.read_text()}")
            time.sleep(0.01)
        times = array("q")
        times.frombytes(file.read_bytes())
        return times

    def __enter__(self) -> Program:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()


class Qehost(Program):
    """`qehost run` with the journal on and every setting at its default."""

    name = "qehost"

    def _command(self, url: str) -> list[str]:
        state = Path(self._folder.name, "state")
        return [
            *(qehost_command(), "run", "--ws-url", url, "--state-dir", str(state)),
            *("-p", "recorder:Recorder"),
        ]

    def _environment(self) -> dict[str, str]:
        return {
            "QEHOST_LISTEN_KEY": "benchmark",
            "QEHOST_PLUGINS__RECORDER__FOLDER": str(self._noted),
        }


class Peer(Program):
    """The peer with its defaults, in one process."""

    name = "qe-connector"

    def _command(self, url: str) -> list[str]:
        return [sys.executable, str(HERE / "peer.py"), url, str(self._noted)]
