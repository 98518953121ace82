"""SIGKILL at any moment: no half file, no event twice, none lost.

QEHOST_TEST_ARCHIVE_KILLS says how many times each is killed (3).
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from archives import files_in, stored
from qehost.testing import Events

from qehost_archive.dataset import Dataset
from qehost_archive.layout import KINDS, Partition

KILLS = int(os.environ.get("QEHOST_TEST_ARCHIVE_KILLS", "3"))
QEHOST = Path(sys.executable).with_name("qehost")
SUPPORT = Path(__file__).parent / "support"
OPTIONS = "-c", "qehost.toml", "--state-dir", "state"
DEADLINE = 1200.0
# A run that ends in good order writes all that it has received, however long that takes.
SETTINGS = """
[host]
drain_timeout = 1000.0
[plugins.archive]
folder = "archive"
flush_rows = 25
flush_minutes = 0.02
process = "archive"
start = "beginning"
"""


def wait_for(is_so: Callable[[], bool], program: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not is_so():
        assert program.poll() is None, "it has ended"
        assert time.monotonic() < deadline, "too late"
        time.sleep(0.02)


@pytest.mark.timeout(DEADLINE * (KILLS + 2))
def test_a_killed_writer_or_merger_leaves_whole_files_and_every_order_once(
    tmp_path: Path,
) -> None:
    folder, moment = tmp_path / "archive", random.Random(7)
    written = 0
    for _ in range(KILLS):
        with subprocess.Popen(
            [sys.executable, SUPPORT / "adding_and_merging.py", folder, str(written + 1)],
            stdout=subprocess.PIPE,
        ) as program:
            assert program.stdout is not None
            for _ in range(moment.randrange(5, 30)):
                written = int(program.stdout.readline())
            time.sleep(moment.random() * 0.05)
            program.kill()
            written = int((program.stdout.read().split() or [str(written).encode()])[-1])
        # Before anything is started again; what was added last need not have been told.
        numbers = sorted(row["seq"] for row in stored(folder, "order"))
        assert numbers in (list(range(1, written + 1)), list(range(1, written + 2)))
        written = numbers[-1]


@pytest.fixture(scope="module")
def killed_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was killed some times, and stopped in good order at last."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "qehost.toml").write_text(SETTINGS)
    moment = random.Random(7)
    for number in range(KILLS + 1):
        before = len(files_in(folder / "archive"))
        if number == KILLS:
            # What waits by then is written in few parts, also on a machine that needs seconds for
            # one: a run that is stopped waits for that, and not for ever.
            few_parts = SETTINGS.replace("flush_rows = 25", "flush_rows = 5000")
            (folder / "qehost.toml").write_text(few_parts)
        program = subprocess.Popen(
            [QEHOST, "run", "--simulate", *OPTIONS],
            cwd=folder,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
        )
        try:
            wait_for(
                lambda before=before: len(files_in(folder / "archive")) > before + 6,  # type: ignore[misc]
                program,
            )
            if number == KILLS:
                program.send_signal(signal.SIGTERM)
                program.wait(DEADLINE)
            time.sleep(moment.random() * 0.1)
        finally:
            if program.poll() is None:
                os.killpg(program.pid, signal.SIGKILL)
                program.wait()
    return folder


def qehost(folder: Path, *arguments: str) -> str:
    return subprocess.check_output([QEHOST, *arguments], cwd=folder, text=True)


def archived(folder: Path) -> Counter[tuple[Any, ...]]:
    return Counter(
        (kind, row["account"], row["journal_id"], row["seq"])
        for kind in KINDS
        for row in stored(folder / "archive", kind)
    )


@pytest.mark.timeout(DEADLINE * (KILLS + 2))
def test_a_killed_run_leaves_every_event_of_the_journal_once(killed_run: Path) -> None:
    export = qehost(killed_run, "journal", "export", "--state-dir", "state")
    events = map(json.loads, export.splitlines())
    expected: Counter[tuple[Any, ...]] = Counter(
        (event["kind"], event["account"], event["journal_id"], event["seq"]) for event in events
    )
    found = archived(killed_run)
    assert found - expected == Counter(), "twice, or never received"
    assert expected - found == Counter(), "lost"
    assert files_in(killed_run / "archive" / ".qehost") == ["lock"]


@pytest.mark.timeout(DEADLINE * (KILLS + 2))
def test_an_archive_that_was_set_back_is_filled_up_from_the_journal(killed_run: Path) -> None:
    whole = archived(killed_run)
    assert "no event is there twice" in qehost(killed_run, "archive", "check", *OPTIONS)
    parts = sorted((killed_run / "archive" / "kind=fill").rglob("*.parquet"))
    for part in parts[1::2]:
        part.unlink()
    lost = len(whole) - len(archived(killed_run))
    assert lost
    told = qehost(killed_run, "archive", "backfill", "--dry-run", *OPTIONS)
    assert f"{lost} events are missing" in told
    told = qehost(killed_run, "archive", "backfill", "--days", "1", *OPTIONS)
    assert f"{lost} events added" in told
    assert archived(killed_run) == whole


def test_an_event_that_is_there_twice_and_a_damaged_file_are_told(
    dataset: Dataset, events: Events, tmp_path: Path
) -> None:
    dataset.add([events.order()])
    dataset.add([events.fill()])
    (part,) = dataset.parts(Partition("order", "2026-01-01"))
    shutil.copy(part, part.with_name("copy.parquet"))
    (damaged,) = dataset.parts(Partition("fill", "2026-01-01"))
    damaged.write_bytes(b"PAR1")
    (tmp_path / "qehost.toml").write_text(SETTINGS)
    program = subprocess.run(
        [QEHOST, "archive", "check", *OPTIONS], cwd=tmp_path, capture_output=True, text=True
    )
    assert program.returncode == 1
    assert "kind=order/date=2026-01-01: 1 rows are there twice" in program.stderr
    assert f"{damaged} can't be read" in program.stderr
