"""A full disk and a damaged journal: events go on, and what is missing is told."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from promise import Numbers, check, cursor, delivered_numbers, last_seq
from running import QUICK, Run
from small_disk import fill, small_disk

from qehost.simulator import Venue
from qehost.storage.journal.layout import segments
from qehost.storage.state_folder import StateFolder
from qehost.storage.status import read_status

MIB = 1 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path, "160m") as disk:
        yield disk


def protected(run: Run) -> bool:
    status = read_status(run.state / "status.json")
    return status is not None and status.connections[0].protected


def test_events_flow_over_a_full_disk_loudly_and_the_journal_comes_back(
    tmp_path: Path, venue: Venue, disk: Path
) -> None:
    state = disk / "state"
    ballast = disk / "ballast"
    with Run(tmp_path, venue=venue, settings=QUICK, state=state) as run:
        run.wait_for(lambda: run.records("on_connected"))
        numbers = Numbers(venue, rate=1, padding=10_000)
        numbers.push(20)
        numbers.wait_for_all(run)
        free = os.statvfs(disk)
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_bsize - MIB)
        numbers.push(300)
        numbers.wait_for_all(run)
        run.wait_for(lambda: run.logged("NOT PROTECTED"), "a loud word")
        ballast.unlink()

        def comes_back() -> bool:
            numbers.push(1)
            return bool(run.logged("the journal can be written again"))

        run.wait_for(comes_back, "the journal")
        run.wait_for(lambda: protected(run), "the status")
        numbers.wait_for_all(run)
        # And from here on everything is kept again.
        os.kill(run.pids()["host main"], signal.SIGKILL)
        numbers.push(5)
        numbers.wait_for_all(run)
        assert run.stop() == 0
        check(run)


def test_a_host_that_dies_on_a_full_disk_misses_nothing_and_brings_nothing_twice(
    tmp_path: Path, venue: Venue, disk: Path
) -> None:
    slow, hold = tmp_path / "slow", tmp_path / "hold"
    slow.write_text("0.02")
    hold.write_text("300")
    state = disk / "state"
    with Run(tmp_path, venue=venue, settings=QUICK, state=state) as run:
        run.wait_for(lambda: run.records("on_connected"))
        numbers = Numbers(venue, rate=1)
        numbers.push(400)
        run.wait_for(lambda: last_seq(run) == 401, "the journal")
        ballast = fill(disk)
        assert cursor(run) < 300
        os.kill(run.pids()["host main"], signal.SIGKILL)
        run.wait_for(lambda: len(run.records("on_start")) >= 2, "a new host process")
        slow.unlink()
        hold.unlink()
        numbers.push(5)
        numbers.wait_for_all(run)
        assert run.stop() == 0
        check(run)
        assert not run.errors("GapError")
    ballast.unlink()
    with Run(tmp_path, venue=venue, settings=QUICK, state=state) as again:
        again.wait_for_connections(2)
        assert again.stop() == 0
        check(again)


def damage(run: Run, how: str) -> None:
    """Spoil the newest file of the journal, in its middle."""
    target = segments(StateFolder(run.state).journal("main"))[-1]
    data = bytearray(target.read_bytes())
    if how == "cut off":
        target.write_bytes(data[: len(data) // 2])
        return
    for place in range(len(data) // 2, len(data) // 2 + 20_000, 997):
        data[place] ^= 0x10
    target.write_bytes(data)


@pytest.mark.parametrize("how", ["cut off", "bits flipped"])
def test_what_a_damaged_journal_does_not_give_back_is_a_declared_gap(
    tmp_path: Path, venue: Venue, how: str
) -> None:
    with Run(tmp_path, venue=venue, settings=QUICK) as run:
        run.wait_for(lambda: run.records("on_connected"))
        os.kill(run.pids()["host main"], signal.SIGSTOP)
        numbers = Numbers(venue, rate=1, padding=1_000)
        for _ in range(10):
            numbers.push(20)
            run.wait_for(lambda: last_seq(run) == numbers.sent + 1, "the journal")
        run.kill()
    damage(run, how)
    with Run(tmp_path, venue=venue, settings=QUICK) as again:
        again.wait_for_connections(2)
        assert again.errors("GapError")
        again.wait_for(lambda: again.logged("can't be delivered"), "the log")
        assert delivered_numbers(again)
        assert again.stop() == 0
        check(again)


def delivered(tmp_path: Path, venue: Venue, count: int) -> tuple[Run, Numbers]:
    """A run that has ended, and what it has delivered."""
    with Run(tmp_path, venue=venue, settings=QUICK) as run:
        run.wait_for(lambda: run.records("on_connected"))
        numbers = Numbers(venue, rate=1)
        numbers.push(count)
        numbers.wait_for_all(run)
        assert run.stop() == 0
    return run, numbers


def test_a_journal_that_was_deleted_takes_no_new_events_with_it(
    tmp_path: Path, venue: Venue
) -> None:
    run, numbers = delivered(tmp_path, venue, 20)
    shutil.rmtree(StateFolder(run.state).journal("main"))
    with Run(tmp_path, venue=venue, settings=QUICK) as again:
        again.wait_for_connections(2)
        numbers.push(3)
        numbers.wait_for_all(again)
        again.wait_for_line("new events are numbered from")
        assert not again.records(redelivered=True)
        assert again.stop() == 0


def test_cursors_that_were_damaged_bring_everything_again_and_marked(
    tmp_path: Path, venue: Venue
) -> None:
    """Where no status says how far they had come."""
    run, _ = delivered(tmp_path, venue, 5)
    StateFolder(run.state).progress_file("main").write_bytes(b"rubbish")
    StateFolder(run.state).status_file.unlink()
    with Run(tmp_path, venue=venue, settings=QUICK) as again:
        again.wait_for(lambda: len(again.records("on_status", redelivered=True)) == 5, "them again")
        again.wait_for(lambda: len(again.records("on_connected", redelivered=False)) >= 2, "more")
        assert again.stop() == 0
        check(again)
