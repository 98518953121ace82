"""`qehost run` in processes of its own, for tests: what it logs, what its plugins get, its end.

::

    with Run(tmp_path, venue=venue, settings=QUICK) as run:
        run.wait_for(lambda: run.records("on_connected"))

Nothing that was started is left when the block ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

__all__ = ["QUICK", "Record", "Run"]

Result = TypeVar("Result")
Record = dict[str, Any]

QEHOST = [sys.executable, "-c", "from qehost.cli import main; main(prog_name='qehost')"]
RECORDER = Path(__file__).with_name("recorder.py")
PATIENCE = 30.0
"""Seconds; only a test that fails waits so long."""
POLL = 0.02
QUICK = {"connection.reconnect_delay": 0.1, "connection.reconnect_max_delay": 0.5}
"""Settings with which a test need not wait for a reconnect."""


class Addresses(Protocol):
    """What a run needs of a venue: `qehost.simulator.Venue` has it."""

    @property
    def ws_url(self) -> str: ...
    @property
    def rest_url(self) -> str: ...
    @property
    def api_key(self) -> str: ...
    @property
    def api_secret(self) -> str: ...


class Run:
    """One `qehost run` with the plugin `recorder`, in `folder`, which is its working folder.

    `venue` gives the addresses and, by the environment, the credentials of the account `main`.
    `settings` go into the environment, too: `connection.ping_interval` becomes
    `QEHOST_CONNECTION__PING_INTERVAL`.  `config` is the text of a settings' file.  `plugins` are
    more plugins: a module's name and its source.  `deaf`: nobody reads standard error, which is
    then soon full.
    """

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        venue: Addresses | None = None,
        settings: Mapping[str, object] | None = None,
        config: str = "",
        env: Mapping[str, str] | None = None,
        plugins: Mapping[str, str] | None = None,
        state: Path | None = None,
        deaf: bool = False,
    ) -> None:
        self.folder = folder
        self.state = state or folder / "state"
        self.log: list[str] = []
        """Every line of standard error so far."""
        self.out: list[str] = []
        """Every line of standard output so far."""
        self._records: list[Record] = []
        self._read_to = 0
        self._lock = threading.Lock()
        shutil.copy(RECORDER, folder)
        command = [*QEHOST, "run", "--state-dir", str(self.state), "-p", "recorder"]
        for name, source in (plugins or {}).items():
            (folder / f"{name}.py").write_text(source, encoding="utf-8")
            command += ["-p", name]
        if config:
            (folder / "qehost.toml").write_text(config, encoding="utf-8")
            command += ["-c", "qehost.toml"]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        if venue is not None:
            command += ["--ws-url", venue.ws_url, "--rest-url", venue.rest_url]
            environment["QEHOST_API_KEY"] = venue.api_key
            environment["QEHOST_API_SECRET"] = venue.api_secret
        for path, value in (settings or {}).items():
            environment[f"QEHOST_{path.replace('.', '__').upper()}"] = str(value)
        self.process = subprocess.Popen(
            [*command, *arguments],
            cwd=folder,
            env={**environment, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            # So that all of it can be ended, and Ctrl-C sent as a terminal does.
            start_new_session=True,
        )
        self._readers = [
            threading.Thread(target=self._collect, args=(stream, lines), daemon=True)
            for stream, lines in ((self.process.stderr, self.log), (self.process.stdout, self.out))
            if not (deaf and lines is self.log)
        ]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """End it and all its children at once, and wait until they are gone."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self.process.stderr is not None and len(self._readers) < 2:
            self.process.stderr.close()
        for reader in self._readers:
            # The children hold the pipes' other ends: their end of file means that all are gone.
            reader.join(PATIENCE)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal to the supervisor alone; the exit code."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self, timeout: float = PATIENCE) -> int:
        """The exit code, once it has ended."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"did not end within {timeout:g} s{self.story()}") from None
        for reader in self._readers:
            reader.join(PATIENCE)
        return code

    # --- what it does ----------------------------------------------------------------------

    def wait_for(
        self, condition: Callable[[], Result], what: str = "", timeout: float = PATIENCE
    ) -> Result:
        """The first result that is true.  Fails after `timeout` seconds, or when all has ended."""
        deadline = time.monotonic() + timeout
        while True:
            ended = self.process.poll() is not None
            result = condition()
            if result:
                return result
            if ended:
                why = f"it ended with {self.process.returncode}"
            elif time.monotonic() > deadline:
                why = f"not within {timeout:g} s"
            else:
                time.sleep(POLL)
                continue
            raise AssertionError(f"waiting for {what or 'something'}: {why}{self.story()}")

    def records(self, hook: str = "", **fields: object) -> list[Record]:
        """The recorder's calls so far: of this hook, and with these values."""
        with self._lock:
            self._read_records()
            return [
                record
                for record in self._records
                if (not hook or record["hook"] == hook)
                and all(record.get(name) == value for name, value in fields.items())
            ]

    def errors(self, name: str = "") -> list[str]:
        """The texts of the errors that reached `on_error`, of this class or of all."""
        found = self.records("on_error", **({"error": name} if name else {}))
        return [record["text"] for record in found]

    def logged(self, pattern: str) -> list[str]:
        """The lines of the log in which this regular expression is found."""
        return [line for line in list(self.log) if re.search(pattern, line)]

    def story(self) -> str:
        """The end of its log, for a failing test's message."""
        return "\n" + "".join(self.log[-40:])

    # --- its processes ---------------------------------------------------------------------

    def pids(self) -> dict[str, int]:
        """The children that can be told by their open files: `host main`, `connection main`."""
        found: dict[str, int] = {}
        for pid in self.all_pids()[1:]:
            with contextlib.suppress(OSError):
                maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace")
                if host := re.search(r"/hosts/([^/\n]+)/marks", maps):
                    found[f"host {host[1]}"] = pid
                elif account := re.search(r"/accounts/([^/\n]+)/journal/last-seq", maps):
                    found[f"connection {account[1]}"] = pid
        return found

    def all_pids(self) -> list[int]:
        """The supervisor, and everything that runs in its session."""
        pids = [self.process.pid]
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                pid = int(entry.name)
                if pid == self.process.pid or os.getsid(pid) != self.process.pid:
                    continue
                # One that has ended and was not waited for yet does not run.
                if (entry / "stat").read_text().rpartition(")")[2].split()[0] != "Z":
                    pids.append(pid)
        return pids

    def all_gone(self, timeout: float = PATIENCE) -> bool:
        """Whether everything has ended: what was killed at the end takes a moment to be gone."""
        deadline = time.monotonic() + timeout
        while left := self.all_pids()[1:]:
            if time.monotonic() > deadline:
                raise AssertionError(f"still running after {timeout:g} s: {left}")
            time.sleep(0.01)
        return True

    # --- inside ----------------------------------------------------------------------------

    @staticmethod
    def _collect(stream: Any, lines: list[str]) -> None:
        with stream:
            lines.extend(stream)

    def _read_records(self) -> None:
        try:
            with (self.folder / "records.jsonl").open("rb") as file:
                file.seek(self._read_to)
                data = file.read()
        except FileNotFoundError:
            return
        whole = data[: data.rfind(b"\n") + 1]
        self._read_to += len(whole)
        self._records += [json.loads(line) for line in whole.splitlines()]
