"""The programs that are compared, each started as its users start it."""

from __future__ import annotations

import contextlib
import importlib.metadata
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

import processes
from blast import Broken

from qehost.storage.status import read_status

__all__ = ["HERE", "SLEEP", "Peer", "Program", "Qehost", "qehost_command"]

HERE = Path(__file__).parent
SLEEP = 0.05
"""Seconds that each call of the slow plugin, or of the peer's slow handlers, takes."""
PATIENCE = 30.0
TRIVIAL = """
def on_master_order(message): pass
def on_order(message): pass
def on_fill(message): pass
"""


def qehost_command() -> str:
    """The `qehost` of the running environment."""
    return str(Path(sysconfig.get_path("scripts"), "qehost"))


class Program:
    """A program that receives the stream at `url`, with the recorder at its end."""

    name: str

    def __init__(self, url: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="qehost-benchmark-")
        self.folder = Path(self._folder.name)
        self._noted = self.folder / "noted"
        self._noted.mkdir()
        self._log = self.folder / "log"
        command = self._command(url)
        paths = os.pathsep.join((str(HERE), str(self.folder)))
        with self._log.open("wb") as log:
            self.started_at = time.time_ns()
            """Epoch ns."""
            self.process = subprocess.Popen(
                command,
                env=os.environ
                | {"PYTHONPATH": paths, "NO_PROXY": "127.0.0.1"}
                | self._environment(),
                stdin=subprocess.DEVNULL,
                # Nobody writes to it: it is at its end when all processes have gone.
                stdout=subprocess.PIPE,
                stderr=log,
                # So that Ctrl-C is for the benchmark alone, and that all can be ended together.
                start_new_session=True,
            )

    def _command(self, url: str) -> list[str]:
        raise NotImplementedError

    def _environment(self) -> dict[str, str]:
        return {}

    def roles(self) -> dict[int, str]:
        """All its processes, and what each one is."""
        return dict.fromkeys(processes.family(self.process.pid), "")

    def check(self) -> None:
        """Raises Broken with what it wrote, if it has ended."""
        if self.process.poll() is not None:
            raise Broken(f"{self.name} has ended with {self.process.returncode}:\n{self._told()}")

    def arrived(self, end: str, timeout: float = 60.0) -> array[int]:
        """When each message before the status `end` reached its hook, in epoch ns.  Waits."""
        file = self._noted / end
        deadline = time.monotonic() + timeout
        while not file.exists():
            self.check()
            if time.monotonic() > deadline:
                raise Broken(f"{self.name}: no {end} within {timeout:g} s:\n{self._told()}")
            time.sleep(0.005)
        times = array("q")
        times.frombytes(file.read_bytes())
        file.unlink()
        return times

    def _told(self) -> str:
        return self._log.read_text(errors="replace")[-4000:]

    def __enter__(self) -> Program:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        assert self.process.stdout is not None
        with self.process.stdout:
            self.process.stdout.read()
        self.process.wait()
        self._folder.cleanup()


class Qehost(Program):
    """`qehost run` with the journal on and every setting at its default.

    `accounts` is the number of its accounts.  Beside the recorder there may be `trivial` plugins
    whose hooks do nothing, and one that sleeps in each call, in a process of its own (`slow`).
    With `spin` the host process does not sleep while it waits.
    """

    name = "qehost"

    def __init__(
        self,
        url: str,
        *,
        accounts: int = 1,
        trivial: int = 0,
        slow: bool = False,
        spin: bool = False,
    ) -> None:
        self._accounts = accounts
        self._trivial = trivial
        self._slow = slow
        self._spin = spin
        super().__init__(url)

    @property
    def state_dir(self) -> Path:
        return self.folder / "state"

    def roles(self) -> dict[int, str]:
        """`supervisor`, `connection`, `host`; `other` is any that should not be there."""
        hosts = 2 if self._slow else 1
        deadline = time.monotonic() + PATIENCE
        while True:
            status = read_status(self.state_dir / "status.json")
            if status is not None:
                roles = {each.pid: "connection" for each in status.connections if each.pid}
                roles |= {each.pid: "host" for each in status.hosts if each.pid}
                if len(roles) == self._accounts + hosts:
                    break
            self.check()
            if time.monotonic() > deadline:
                raise Broken(f"not all processes of {self.name} run:\n{self._told()}")
            time.sleep(0.02)
        roles[self.process.pid] = "supervisor"
        return dict.fromkeys(processes.family(self.process.pid), "other") | roles

    def _command(self, url: str) -> list[str]:
        settings = [
            f'[accounts.a{number}]\nws_url = "{url}"\nlisten_key = {{ env = "BENCHMARK_KEY" }}\n'
            for number in range(self._accounts)
        ]
        settings.append(f'[plugins.recorder]\nfolder = "{self._noted}"\n')
        specs = ["recorder:Recorder"]
        if self._spin:
            settings.append("[host]\nspin = true\n")
        if self._slow:
            settings.append('[plugins.sleeper]\nprocess = "slow"\n')
            specs.append("sleeper")
        for number in range(self._trivial):
            (self.folder / f"trivial{number}.py").write_text(TRIVIAL)
            specs.append(f"trivial{number}")
        # What else is installed in this environment is not what is measured.
        installed = importlib.metadata.entry_points(group="qehost")
        specs += [f"no:{name}" for name in sorted(installed.names)]
        file = self.folder / "qehost.toml"
        file.write_text("\n".join(settings), encoding="utf-8")
        command = [qehost_command(), "run", "-c", str(file), "--state-dir", str(self.state_dir)]
        return [*command, *(word for spec in specs for word in ("-p", spec))]

    def _environment(self) -> dict[str, str]:
        return {"BENCHMARK_KEY": "benchmark"}


class Peer(Program):
    """The peer with its defaults, in one process.  `slow`: its handlers sleep in each call."""

    name = "qe-connector"

    def __init__(self, url: str, *, slow: bool = False) -> None:
        self._slow = slow
        super().__init__(url)

    def _command(self, url: str) -> list[str]:
        sleep = str(SLEEP if self._slow else 0.0)
        return [sys.executable, str(HERE / "peer.py"), url, str(self._noted), sleep]
