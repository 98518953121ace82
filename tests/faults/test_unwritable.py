"""A state folder that can't be written for a while, under load: nobody dies, and all comes back."""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from promise import Numbers, check, cursor, last_seq
from running import QUICK, Run
from unwritable import unwritable

from qehost.simulator import Venue
from qehost.storage.cursor_doubt import forget_doubt
from qehost.storage.state_folder import StateFolder
from qehost.storage.status import read_status

DEATH = r"process .*(ended|died|was killed)|starting it again"


def is_protected(run: Run) -> bool:
    status = read_status(run.state / "status.json")
    return status is not None and status.connections[0].protected


def test_a_folder_that_turns_unwritable_ends_no_process_and_everything_comes_back(
    tmp_path: Path, venue: Venue
) -> None:
    with Run(tmp_path, venue=venue, settings=QUICK) as run:
        run.wait_for(lambda: run.records("on_connected"))
        pids = run.pids()
        with Numbers(venue, rate=300) as numbers:
            run.wait_for(lambda: numbers.sent > 300)
            with unwritable(run.state):
                began = numbers.sent
                run.wait_for(lambda: run.logged("NOT PROTECTED"), "the journal's complaint")
                run.wait_for(lambda: run.logged("marks: .*comes again after a crash"), "the host's")
                run.wait_for(lambda: numbers.sent > began + 600)
            run.wait_for(lambda: run.logged("the journal can be written again"), "the journal")
            run.wait_for(lambda: run.logged("the cursors are on the disk again"), "the cursors")
            run.wait_for(lambda: is_protected(run), "the status")
        numbers.wait_for_all(run)
        assert run.pids() == pids
        assert not run.logged(DEATH)
        assert len(run.records("on_connected")) == 1
        # And from here on everything is kept again.
        os.kill(pids["host main"], signal.SIGKILL)
        run.wait_for(lambda: len(run.records("on_start")) >= 2, "a new host process")
        numbers.push(5)
        numbers.wait_for_all(run)
        assert run.stop() == 0
        check(run)
    with Run(tmp_path, venue=venue, settings=QUICK) as again:
        again.wait_for_connections(2)
        assert again.stop() == 0
        check(again)


def test_a_host_that_dies_while_the_folder_is_unwritable_goes_on_where_it_was(
    tmp_path: Path, venue: Venue
) -> None:
    with Run(tmp_path, venue=venue, settings=QUICK) as run:
        run.wait_for(lambda: run.records("on_connected"))
        numbers = Numbers(venue, rate=1)
        numbers.push(100)
        numbers.wait_for_all(run)
        # What is in the journal and not delivered yet.
        (tmp_path / "slow").write_text("0.02")
        hold = tmp_path / "hold"
        hold.write_text("200")
        numbers.push(300)
        run.wait_for(lambda: last_seq(run) == 401, "the journal")
        host = run.pids()["host main"]
        with unwritable(run.state):
            on_disk = cursor(run)
            hold.unlink()
            run.wait_for(lambda: len(run.records("on_status")) > on_disk + 100, "some more")
            os.kill(host, signal.SIGKILL)
            (tmp_path / "slow").unlink()
            run.wait_for(lambda: len(run.records("on_start")) >= 2, "a new host process")
            numbers.push(5)
            numbers.wait_for_all(run)
        assert run.stop() == 0
        check(run)
        assert len(run.records(redelivered=True)) <= 64
        assert not run.errors("GapError")


def test_what_was_delivered_without_a_cursor_on_the_disk_comes_again_marked_when_all_are_killed(
    tmp_path: Path, venue: Venue
) -> None:
    with Run(tmp_path, venue=venue, settings=QUICK) as run:
        run.wait_for(lambda: run.records("on_connected"))
        numbers = Numbers(venue, rate=1)
        numbers.push(10)
        numbers.wait_for_all(run)
        # The recorder's note comes before the cursor moves.
        run.wait_for(lambda: cursor(run) == 11, "the cursor")
        # The journal takes what the cursors' file does not.
        with unwritable(run.state / "hosts"):
            numbers.push(10)
            numbers.wait_for_all(run)
            run.kill()
    with Run(tmp_path, venue=venue, settings=QUICK) as again:
        numbers.push(5)
        numbers.wait_for_all(again)
        assert again.stop() == 0
        check(again)
        assert len(again.records("on_status", redelivered=True)) == 10
    with Run(tmp_path, venue=venue, settings=QUICK) as third:
        # It is on the disk again, so nothing is in doubt any more.
        third.wait_for_connections(3)
        numbers.push(5)
        numbers.wait_for_all(third)
        assert third.stop() == 0
        check(third)
        assert len(third.records("on_status", redelivered=True)) == 10


@contextmanager
def failing_disk(folder: Path) -> Iterator[tuple[Path, int]]:
    """A file system of its own on a loop device, and a descriptor by which it can be made fail."""
    image, disk = folder / "image", folder / "disk"
    disk.mkdir()
    with image.open("wb") as file:
        file.truncate(200 << 20)
    steps = (["mkfs.ext4", "-q", str(image)], ["mount", "-o", "loop", str(image), str(disk)])
    try:
        done = all(subprocess.run(step, capture_output=True).returncode == 0 for step in steps)
    except FileNotFoundError:
        done = False
    if not done:
        pytest.skip("mounting a file system on a loop device takes root and a loop device")
    fd = os.open(disk, os.O_RDONLY)
    try:
        yield disk, fd
    finally:
        os.close(fd)
        subprocess.run(["umount", "-l", str(disk)], check=True)
        # It was noted in the memory of the machine, for a next start that never comes.
        forget_doubt(StateFolder(disk / "state").progress_file("main"))


def fail(fd: int) -> None:
    """From now on every access is an input/output error, as from a disk that was pulled out."""
    shutdown = 0x8004587D  # EXT4_IOC_SHUTDOWN, _IOR('X', 125, __u32)
    fcntl.ioctl(fd, shutdown, struct.pack("I", 2))  # without writing anything more


def test_a_disk_that_fails_for_good_ends_no_process(tmp_path: Path, venue: Venue) -> None:
    with (
        failing_disk(tmp_path) as (disk, fd),
        Run(tmp_path, venue=venue, settings=QUICK, state=disk / "state") as run,
    ):
        run.wait_for(lambda: run.records("on_connected"))
        pids = run.pids()
        numbers = Numbers(venue, rate=1)
        numbers.push(50)
        numbers.wait_for_all(run)
        os.sync()
        fail(fd)
        numbers.push(200)
        numbers.wait_for_all(run)
        run.wait_for(lambda: run.logged("NOT PROTECTED"), "a loud word")
        deadline = time.monotonic() + 3  # looks of host and supervisor
        while time.monotonic() < deadline:
            numbers.push(1)
            time.sleep(0.1)
        numbers.wait_for_all(run)
        assert set(pids.values()) <= set(run.all_pids())
        assert not run.logged(DEATH)
        assert run.stop() == 0
