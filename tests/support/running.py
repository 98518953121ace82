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
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from waiting import PATIENCE, wait_for

__all__ = ["QUICK", "Record", "Run"]

Result = TypeVar("Result")
Record = dict[str, Any]

QEHOST = [sys.executable, "-c", "from qehost.cli import main; main(prog_name='qehost')"]
RECORDER = Path(__file__).with_name("recorder.py")
ESTABLISHED = 1  # as Linux numbers the states of TCP
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
    then soon full.  `before` is Python that runs before the command, in the supervisor alone.
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
        before: str = "",
    ) -> None:
        self.folder = folder
        self._venue = venue
        self.state = state or folder / "state"
        self.log: list[str] = []
        """Every line of standard error so far."""
        self.out: list[str] = []
        """Every line of standard output so far."""
        self.reading = threading.Event()
        """While it is not set, nobody reads what is written."""
        self.reading.set()
        self._records: list[Record] = []
        self._read_to = 0
        self._lock = threading.Lock()
        shutil.copy(RECORDER, folder)
        command = [*QEHOST[:-1], f"{before}\n{QEHOST[-1]}", "run"]
        command += ["--state-dir", str(self.state), "-p", "recorder"]
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
        if "drain_timeout" not in f"{settings}{config}":
            # A busy machine may let a process wait for longer than the ten seconds that there are.
            environment["QEHOST_HOST__DRAIN_TIMEOUT"] = str(2 * PATIENCE / 3)
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
        self.reading.set()
        if self.process.stderr is not None and len(self._readers) < 2:
            self.process.stderr.close()
        for reader in self._readers:
            # The children hold the pipes' other ends: their end of file means that all are gone.
            reader.join(PATIENCE)
        self._wait_for_the_venue()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal to the supervisor alone; the exit code."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """The exit code, once it has ended."""
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"did not end within {PATIENCE:g} s{self.story()}") from None
        for reader in self._readers:
            reader.join(PATIENCE)
        self._wait_for_the_venue()
        return code

    def _wait_for_the_venue(self) -> None:
        """Until it knows that the streams have ended: what it sent over one of them would be lost,
        and the test might wait for it."""
        wait_for(
            lambda: not any(map(_has_ended, getattr(self._venue, "connections", ()))),
            "the venue to notice the end",
        )

    # --- what it does ----------------------------------------------------------------------

    def wait_for(self, condition: Callable[[], Result], what: str = "something") -> Result:
        """The first result that is true.  Fails when it takes too long, or when all has ended."""

        def true_or_ended() -> tuple[Result, bool] | None:
            ended = self.process.poll() is not None
            result = condition()
            return (result, ended) if result or ended else None

        result, _ = wait_for(true_or_ended, what, self.story)
        ended = f"it ended with {self.process.returncode}"
        assert result, f"waiting for {what}: {ended}{self.story()}"
        return result

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

    def wait_for_line(self, pattern: str) -> list[str]:
        """The lines of the log with this pattern, once there is one: a line takes its time from a
        process through its pipe, while other things can be seen to be done already."""
        return self.wait_for(lambda: self.logged(pattern), f"a line with {pattern!r}")

    def wait_for_connections(self, count: int) -> None:
        """Until so many connections were told, by all runs in this folder.  What is told again
        after a death counts once: it may have been told already when its process was killed.

        What happens from then on is later than the opening, also by the run's own measure of the
        venue's clock, which may be ahead by half of a round trip.
        """

        def told() -> dict[tuple[str, int], int]:
            connected = self.records("on_connected")
            return {(r["account"], r["seq"]): r["message"]["up_at"] for r in connected}

        self.wait_for(lambda: len(told()) >= count, f"connection {count}")
        last = max(told().values())
        # One that is further away is by another clock.
        self.wait_for(lambda: not 0 <= last - time.time_ns() < 5 * 10**9, "a later time")

    def story(self) -> str:
        """The end of its log, for a failing test's message."""
        return "\n" + "".join(self.log[-40:])

    # --- its processes ---------------------------------------------------------------------

    def pids(self) -> dict[str, int]:
        """The children that can be told by their open files: `host main`, `connection main`."""
        found: dict[str, int] = {}
        for pid in self.all_pids()[1:]:
            opened = "\n".join(_open_files(pid))
            if host := re.search(r"/hosts/([^/\n]+)/marks", opened):
                found[f"host {host[1]}"] = pid
            elif account := re.search(r"/accounts/([^/\n]+)/journal/last-seq", opened):
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

    def all_gone(self) -> bool:
        """Whether everything has ended: what was killed at the end takes a moment to be gone."""
        return wait_for(lambda: not self.all_pids()[1:], "all processes to end", self.story)

    # --- inside ----------------------------------------------------------------------------

    def _collect(self, stream: Any, lines: list[str]) -> None:
        with stream:
            for line in stream:
                self.reading.wait()
                lines.append(line)

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


def _has_ended(stream: Any) -> bool:
    """Whether the system knows that the client has closed its end."""
    with contextlib.suppress(OSError):
        state = stream._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
        return bool(state[0] != ESTABLISHED)
    return True


def _open_files(pid: int) -> Iterator[str]:
    """It may open and close others meanwhile, and end."""
    with contextlib.suppress(OSError):
        for file in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                yield os.readlink(file)
