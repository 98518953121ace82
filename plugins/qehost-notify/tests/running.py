"""A real `qehost run` against a local venue, with the plugin in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace
from qehost import HostState, Status
from qehost.messages import OrderDetail
from qehost.testing import Venue
from receivers import PATIENCE, wait_for

from qehost_notify.post import History

QEHOST = [sys.executable, "-c", "from qehost.cli import main; main(prog_name='qehost')"]


def waiting(folder: Path) -> list[int]:
    """How much each message tells that has not been taken, the oldest first."""
    (file,) = folder.rglob("messages.db")
    with closing(History(file)) as history:
        found = [(state, message) for state, _, _, message in history.last(100)]
    return [each.content.count for state, each in reversed(found) if state in ("new", "sending")]


class Run:
    """`qehost run` in `folder`: `start`, `kill` and `start` again as often as one likes."""

    def __init__(self, folder: Path, venue: Venue, url: str, settings: str) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "QEHOST_API_KEY": venue.api_key,
            "QEHOST_API_SECRET": venue.api_secret,
            "HOOK_URL": url,
        }
        (folder / "qehost.toml").write_text(
            f"""
            state_dir = "state"
            [accounts.main]
            ws_url = "{venue.ws_url}"
            rest_url = "{venue.rest_url}"
            [connection]
            reconnect_delay = 0.1
            reconnect_max_delay = 0.5
            {settings}
            """,
            encoding="utf-8",
        )
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / "log.txt").open("a") as log:
            self.process = subprocess.Popen(
                [*QEHOST, "run", "-c", "qehost.toml"],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def __enter__(self) -> Run:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """SIGKILL for all of its processes."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(PATIENCE)

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(PATIENCE)

    def log(self) -> str:
        return (self.folder / "log.txt").read_text()

    def status(self) -> Status | None:
        """That of this run."""
        assert self.process is not None
        assert self.process.poll() is None, self.log()
        file = self.folder / "state" / "status.json"
        if not file.exists():
            return None
        status = msgspec.json.decode(file.read_bytes(), type=Status)
        return status if status.pid == self.process.pid else None

    def host(self, name: str) -> HostState | None:
        """The host process of this name, once it is there."""
        status = self.status()
        hosts = status.hosts if status is not None else []
        return next((each for each in hosts if each.name == name and each.ready), None)

    def wait_until_ready(self, *hosts: str) -> None:
        """Until the stream is open, and these host processes have started their plugins."""
        wait_for(
            lambda: (
                (status := self.status()) is not None
                and status.connections[0].state == "connected"
                and all(map(self.host, hosts))
            ),
            self.log,
        )

    def journal(self) -> list[dict[str, Any]]:
        done = subprocess.run(
            [*QEHOST, "journal", "export", "-c", "qehost.toml"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
        return [json.loads(line) for line in done.stdout.splitlines()]


class Market:
    """Rejected child orders of a venue, as many as a test wants."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._child = next(
            each
            for _ in range(1000)
            for each in venue.step()
            if isinstance(each.subject, OrderDetail)
        )
        self._count = 0

    def reject(self, count: int = 1) -> None:
        for _ in range(count):
            self._count += 1
            now_ms = self._venue.now_ms()
            stamp = datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="milliseconds")
            subject = replace(
                self._child.subject,
                id=f"9{self._count:07}",
                order_id=f"8{self._count:07}",
                status="REJECTED",
                reject_reason="insufficient balance",
                created_at=stamp,
                updated_at=stamp,
                order_created_time=now_ms,
            )
            self._venue.publish(type(self._child)(subject))
