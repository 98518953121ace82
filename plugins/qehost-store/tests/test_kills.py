"""Real runs against a local venue at 500 messages a second, and whatever is killed in between.

`QEHOST_TEST_STORE_KILLS` says how many deaths there are for each database (2): 100 take a quarter
of an hour. `QEHOST_TEST_STORE_COMMITS` says the same of those within a COMMIT (2).
`QEHOST_TEST_STORE_SEED` (0) makes them others. `QEHOST_TEST_STORE_FREEZE` says for how
many seconds the server is frozen (4).
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

KILLS = int(os.environ.get("QEHOST_TEST_STORE_KILLS", "2"))
COMMITS = int(os.environ.get("QEHOST_TEST_STORE_COMMITS", "2"))
SEED = int(os.environ.get("QEHOST_TEST_STORE_SEED", "0"))
FREEZE = float(os.environ.get("QEHOST_TEST_STORE_FREEZE", "4"))
RATE = 500
PATIENCE = 300.0
"""Seconds without any progress."""
LONG = 3600.0
"""Seconds for a command that goes over all that was written."""
QEHOST = [sys.executable, "-c", "from qehost.cli import main; main(prog_name='qehost')"]

pytestmark = pytest.mark.timeout(3600 + (KILLS + COMMITS) * 60 + int(FREEZE))


def wait_for(condition: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """What the condition gives once it is true."""
    deadline = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return found


class Run:
    """`qehost run` with the store in a process of its own, and the commands beside it."""

    def __init__(self, folder: Path, url: str, venue: str) -> None:
        self.folder = folder
        self.environment = {**os.environ, **dict(re.findall(r"(QEHOST_API_\w+)=(\S+)", venue))}
        (address,) = set(re.findall(r"--rest-url http://(\S+)", venue))
        (folder / "qehost.toml").write_text(
            f"""
            state_dir = "state"
            [accounts.main]
            ws_url = "ws://{address}"
            rest_url = "http://{address}"
            [connection]
            reconnect_delay = 0.1
            reconnect_max_delay = 0.5
            [plugins.store]
            url = "{url}"
            process = "store"
            """
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

    def host(self) -> int:
        """The process id of the store's process; 0 while there is none."""
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "log.txt").read_text()
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                if entry.name == str(self.process.pid):
                    continue  # it makes the files that its host processes use
                if os.getsid(int(entry.name)) != self.process.pid:
                    continue
                for file in (entry / "fd").iterdir():
                    with contextlib.suppress(OSError):  # closed meanwhile
                        if "/hosts/store/" in os.readlink(file):
                            return int(entry.name)
        return 0

    def kill_host(self) -> None:
        """Wait for the store's process, and kill it."""
        # Not what is seen by another look: 0 would be this program and all that it has started.
        pid = wait_for(self.host, "the store's process does not start")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def kill_all(self) -> None:
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(PATIENCE)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*QEHOST, *arguments, "-c", "qehost.toml"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=LONG,
            check=False,
        )

    def journal(self) -> Iterator[dict[str, Any]]:
        """The events, one by one: there may be a million of them."""
        done = self.command("journal", "export", "--output", "events.jsonl")
        assert done.returncode == 0, done.stderr
        with (self.folder / "events.jsonl").open() as file:
            for line in file:
                yield json.loads(line)


@pytest.fixture
def venue() -> Iterator[str]:
    """What `qehost simulate` says of itself."""
    process = subprocess.Popen(
        [*QEHOST, "simulate", "--rate", str(RATE), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    lines: list[str] = []
    while "--rest-url" not in "".join(lines):
        line = process.stdout.readline()
        assert line, "the venue did not start"
        lines.append(line)
    try:
        yield "".join(lines)
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


@pytest.fixture
def run(tmp_path: Path, stored: Any, venue: str) -> Iterator[Run]:
    running = Run(tmp_path, stored.url, venue)
    running.start()
    try:
        yield running
    finally:
        running.stop()


def grows(stored: Any, transactions: int = 1) -> None:
    """So much more is written than now: all is well again."""

    def written() -> int:
        with contextlib.suppress(Exception):  # the server may be on its way up
            rows = stored.rows("SELECT sum(version) FROM writers")
            return int(rows[0][0] or 0)
        return 0

    before = written()
    wait_for(lambda: written() >= before + transactions, "nothing is written any more")


def compare(run: Run, stored: Any) -> None:
    """All is stopped: the last things that were received are written, and then counted."""
    run.stop()
    # The next start brings what was not delivered; its stream is one that nobody answers.
    settings = run.folder / "qehost.toml"
    settings.write_text(
        re.sub(r"(ws|http)://127\.0\.0\.1:\d+", r"\1://127.0.0.1:9", settings.read_text())
    )
    run.start()

    wait_until_level(run, stored)
    run.stop()
    done = run.command("store", "check")
    assert done.returncode == 0, done.stdout
    told, venue = set(), {}
    for each in run.journal():
        if each["kind"] == "fill":
            told.add((each["journal_id"], each["seq"]))
        elif each["kind"] == "order":
            detail = each["detail"]
            name = f"{detail['master_order_id']}/{detail['id']}"
            filled = Decimal(detail["filled_quantity"] or 0)
            venue[name] = max(filled, venue.get(name, Decimal()))
    rows = stored.rows("SELECT journal_id, seq, source FROM fills")
    written = [(journal_id, seq) for journal_id, seq, source in rows if source == "fill"]
    assert len(written) == len(set(written))
    assert set(written) == told
    assert {name: total for name, (total, _) in stored.sums().items()} == venue


def wait_until_level(run: Run, stored: Any) -> None:
    """However much came in while everything was started again and again: as long as it is being
    written."""
    seen, at = -1, time.monotonic()
    while True:
        if (now := cursor(stored)) != seen:
            seen, at = now, time.monotonic()
        elif last_seq(run) <= now:
            return
        assert time.monotonic() - at < PATIENCE, f"nothing is written any more after {seen}"
        time.sleep(0.2)


def last_seq(run: Run) -> int:
    done = run.command("status", "--json")
    found = re.search(r'"last_seq": (\d+)', done.stdout)
    return int(found[1]) if found else 1 << 62


def cursor(stored: Any) -> int:
    return int(stored.rows("SELECT max(seq) FROM cursors")[0][0])


def test_deaths_at_random_under_load_lose_and_double_nothing(
    run: Run, stored: Any, request: pytest.FixtureRequest
) -> None:
    chance = random.Random(SEED)
    server = None if stored.is_sqlite else request.getfixturevalue("postgres")
    victims = ["host", "run"] if server is None else ["host", "run", "server"]
    wait_for(run.host, "the store's process does not start")
    for number in range(KILLS):
        # By what is written, not by time: on a slow machine it would be dead before it did a thing,
        # over and over, while ever more events wait.
        grows(stored, chance.randrange(1, 10))
        time.sleep(chance.random())  # at any moment: also within a COMMIT
        victim = victims[number % len(victims)] if KILLS < 10 else chance.choice(victims)
        if victim == "host":
            run.kill_host()
        elif victim == "run":
            run.kill_all()
            run.start()
        else:
            server.kill()
            server.start()
    grows(stored)
    compare(run, stored)


def test_deaths_within_a_commit_lose_and_double_nothing(
    run: Run, stored: Any, request: pytest.FixtureRequest
) -> None:
    chance = random.Random(SEED)
    server = None if stored.is_sqlite else request.getfixturevalue("postgres")
    if server is not None:
        with server.connect("postgres") as connection:
            # A commit takes so many microseconds longer, between its record and the disk.
            connection.execute("ALTER ROLE qehost SET commit_delay = 50000")
            connection.execute("ALTER ROLE qehost SET commit_siblings = 0")
    wait_for(run.host, "the store's process does not start")
    try:
        for number in range(COMMITS):
            grows(stored)
            host = wait_for(run.host, "the store's process does not start")
            if server is None:
                wait_for_writing(stored)
                time.sleep(chance.random() * 0.002)
                victim = host
            else:
                backend = wait_for_commit(server)
                time.sleep(chance.random() * 0.06)
                victim = (host, backend, server.pid)[number % 3]
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
            if server is not None and victim == server.pid:
                server.kill()
                server.start()
        grows(stored)
    finally:
        if server is not None:
            with server.connect("postgres") as connection:
                connection.execute("ALTER ROLE qehost RESET ALL")
    compare(run, stored)


def wait_for_commit(server: Any) -> int:
    """Until the store is in a COMMIT; the process id of its server process."""
    query = (
        "SELECT pid FROM pg_stat_activity "
        "WHERE application_name = 'qehost-store' AND state = 'active' AND query = 'COMMIT'"
    )
    deadline = time.monotonic() + PATIENCE
    while True:
        # After a server process was killed, the others are ended, too.
        with contextlib.suppress(Exception), server.connect("postgres") as connection:
            while time.monotonic() < deadline:
                if found := connection.execute(query).fetchone():
                    return int(found[0])
                time.sleep(0.005)
        assert time.monotonic() < deadline, "no COMMIT is seen"
        time.sleep(0.05)


def wait_for_writing(stored: Any) -> None:
    """Until SQLite writes what a COMMIT brings: nothing goes into this file before it."""
    log = Path(f"{stored.file}-wal")
    before = log.stat().st_mtime_ns if log.exists() else 0
    deadline = time.monotonic() + PATIENCE
    while not log.exists() or log.stat().st_mtime_ns == before:
        assert time.monotonic() < deadline, "no COMMIT is seen"
        time.sleep(0.0005)


@pytest.mark.parametrize("stored", ["postgresql"], indirect=True)
def test_a_frozen_server_costs_nothing_and_no_process(run: Run, stored: Any, postgres: Any) -> None:
    wait_for(run.host, "the store's process does not start")
    grows(stored)
    host = run.host()
    postgres.signal(signal.SIGSTOP)
    try:
        time.sleep(FREEZE)
    finally:
        postgres.signal(signal.SIGCONT)
    grows(stored)
    assert run.host() == host
    compare(run, stored)


@pytest.mark.parametrize("stored", ["sqlite"], indirect=True)
def test_a_database_of_an_hour_ago_and_a_restored_state_folder(run: Run, stored: Any) -> None:
    wait_for(run.host, "the store's process does not start")
    grows(stored)
    run.stop()
    aside = run.folder / "aside"
    shutil.copy(stored.file, aside)
    run.start()
    grows(stored)
    run.stop()
    shutil.copy(aside, stored.file)  # the database of an hour ago
    shutil.copytree(run.folder / "state", run.folder / "state-then")
    run.start()
    grows(stored)
    run.stop()
    shutil.rmtree(run.folder / "state")  # the state folder of an hour ago
    shutil.move(run.folder / "state-then", run.folder / "state")
    run.start()
    grows(stored)
    run.stop()
    done = run.command("store", "check")
    assert done.returncode == 0, done.stdout
    assert stored.adds_up()
