"""A PostgreSQL server of the tests' own, from Debian's package or wherever its programs are."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

__all__ = ["HOW_TO_GET_IT", "Server", "programs"]

HOW_TO_GET_IT = "PostgreSQL's server is not here: apt-get install postgresql"
DEADLINE = 300.0


def programs() -> Path | None:
    """The folder of the newest server's programs: Debian has none of them on the PATH."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3])
    )
    on_path = shutil.which("postgres")
    if found:
        return found[-1].parent
    return Path(on_path).resolve().parent if on_path else None


class Server:
    """It is this process's own child: one started by pg_ctl would stay a zombie after a kill, and
    the next start would find its lock file."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        # PostgreSQL refuses root, whose own temporary folders it can't enter. A short path: that of
        # its socket is limited.
        self.folder = Path(tempfile.mkdtemp(prefix="qe-pg-"))
        self._user: dict[str, Any] = {}
        if os.geteuid() == 0:
            entry = pwd.getpwnam("postgres")
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
            self._user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        subprocess.run(
            [
                *(programs / "initdb", "-D", self.folder / "data", "-U", "qehost", "-A", "trust"),
                *("-E", "UTF8", "--locale=C.UTF-8", "--no-sync"),
            ],
            check=True,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **self._user,
        )
        self.start()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def url(self, database: str) -> str:
        return f"postgresql://qehost@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Until a connection opens. What was killed may hold its memory for a while."""
        deadline = time.monotonic() + DEADLINE
        while True:
            if self._process is None or self._process.poll() is not None:
                self._process = subprocess.Popen(
                    [
                        *(
                            self._programs / "postgres",
                            "-D",
                            self.folder / "data",
                            "-k",
                            self.folder,
                        ),
                        *("-c", "listen_addresses=127.0.0.1", "-p", str(self.port)),
                    ],
                    cwd=self.folder,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    **self._user,
                )
            try:
                self.connect("postgres").close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def connect(self, database: str) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url(database), autocommit=True, connect_timeout=5)

    def create(self, database: str) -> str:
        """The URL of a new database."""
        with self.connect("postgres") as connection:
            connection.execute(f'CREATE DATABASE "{database}"')
        return self.url(database)

    def signal(self, number: int) -> None:
        """To the server and all its processes."""
        assert self._process is not None
        os.kill(self._process.pid, number)
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        for child in children.read_text().split():
            with contextlib.suppress(ProcessLookupError):  # a worker that has ended meanwhile
                os.kill(int(child), number)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def remove(self) -> None:
        if self._process is not None and self._process.poll() is None:
            # At once: a checkpoint would write file by file what is removed then.
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(DEADLINE)
        shutil.rmtree(self.folder, ignore_errors=True)
