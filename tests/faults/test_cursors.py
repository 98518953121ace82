"""Cursors that are deleted or damaged: nothing is lost, and what may come twice says so."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest
from promise import Numbers, check, cursor, last_seq
from running import QUICK, Run

from qehost.simulator import Venue
from qehost.storage.state_folder import StateFolder
from qehost.storage.status import read_status

SLOW = 0.005


def spoil(path: Path, how: str) -> None:
    if how == "deleted":
        path.unlink()
    elif how == "folder deleted":
        # At once: what is taken away piece by piece is put back meanwhile.
        shutil.rmtree(path.parent.rename(path.parent.with_name("deleted")))
    elif how == "one bit":
        content = bytearray(path.read_bytes())
        content[128 + 1] ^= 1 << 3  # 2,048 events further on
        path.write_bytes(content)
    else:
        path.write_bytes({"emptied": b"", "rubbish": b"\xff" * 500}[how])


HOWS = ["deleted", "folder deleted", "one bit", "emptied", "rubbish"]


@pytest.mark.parametrize("how", HOWS)
def test_a_cursor_that_is_lost_while_qehost_runs_costs_nothing(
    tmp_path: Path, venue: Venue, how: str
) -> None:
    (tmp_path / "slow").write_text(str(SLOW))
    with Run(tmp_path, venue=venue, settings=QUICK) as run:
        run.wait_for(lambda: run.records("on_connected"))
        numbers = Numbers(venue, rate=1)
        numbers.push(300)
        run.wait_for(lambda: last_seq(run) == 301, "the journal")
        host = run.pids()["host main"]
        # So that it can't put the file right before it dies.
        os.kill(host, signal.SIGSTOP)
        spoil(StateFolder(run.state).progress_file("main"), how)
        os.kill(host, signal.SIGKILL)
        (tmp_path / "slow").unlink()
        numbers.push(5)
        numbers.wait_for_all(run)
        assert run.stop() == 0
        check(run)
        # At most the slice that it died in comes again.
        assert len(run.records(redelivered=True)) <= 64
        assert not run.errors("GapError")


@pytest.mark.parametrize("how", HOWS)
def test_a_living_process_puts_its_file_right_and_says_so(
    tmp_path: Path, venue: Venue, how: str
) -> None:
    with Run(tmp_path, venue=venue, settings=QUICK) as run:
        run.wait_for(lambda: run.records("on_connected"))
        numbers = Numbers(venue, rate=1)
        numbers.push(5)
        numbers.wait_for_all(run)
        run.wait_for(lambda: cursor(run) == 6, "the cursor")
        path = StateFolder(run.state).progress_file("main")
        whole = path.read_bytes()
        spoil(path, how)
        run.wait_for(lambda: run.logged("marks was deleted or changed while it was in use"))
        run.wait_for(lambda: path.exists() and path.read_bytes() == whole, "the file")
        run.kill()
    with Run(tmp_path, venue=venue, settings=QUICK) as again:
        again.wait_for_connections(2)
        assert again.stop() == 0
        check(again)
        assert not again.records(redelivered=True)


@pytest.mark.parametrize("how", ["deleted", "emptied", "rubbish"])
def test_a_cursor_that_is_lost_when_everything_dies_is_told_and_placed_by_the_last_status(
    tmp_path: Path, venue: Venue, how: str
) -> None:
    (tmp_path / "slow").write_text(str(SLOW))
    # However late it is killed, it has not come to the end.
    (tmp_path / "hold").write_text("500")
    with Run(tmp_path, venue=venue, settings=QUICK) as run:
        run.wait_for(lambda: run.records("on_connected"))
        numbers = Numbers(venue, rate=1)
        numbers.push(600)
        run.wait_for(lambda: last_seq(run) == 601, "the journal")

        def reported() -> int:
            status = read_status(run.state / "status.json")
            assert status is not None
            (host,) = status.hosts
            return sum(each.seq for each in host.cursors)

        run.wait_for(lambda: reported() > 50, "a status")
        run.kill()
        was = reported()
        assert was < 601
    spoil(StateFolder(run.state).progress_file("main"), how)
    (tmp_path / "slow").unlink()
    (tmp_path / "hold").unlink()
    with Run(tmp_path, venue=venue, settings=QUICK) as again:
        numbers.push(5)
        numbers.wait_for_all(again)
        assert again.stop() == 0
        again.wait_for_line(rf"after event {was}\b")
        check(again)
        assert min(record["seq"] for record in again.records(redelivered=True)) == was + 1


def test_cursors_that_are_deleted_while_qehost_is_stopped_begin_at_the_end_and_that_is_told(
    tmp_path: Path, venue: Venue
) -> None:
    (tmp_path / "hold").write_text("50")
    with Run(tmp_path, venue=venue, settings={**QUICK, "host.drain_timeout": 1}) as run:
        run.wait_for(lambda: run.records("on_connected"))
        numbers = Numbers(venue, rate=1)
        numbers.push(300)
        run.wait_for(lambda: last_seq(run) == 301, "the journal")
        assert run.stop() == 0
    came_to = cursor(run)
    end = last_seq(run)
    assert came_to < end
    StateFolder(run.state).progress_file("main").unlink()
    (tmp_path / "hold").unlink()
    with Run(tmp_path, venue=venue, settings=QUICK) as again:
        again.wait_for_connections(2)
        assert again.stop() == 0
        again.wait_for_line(f"events {came_to + 1} to {end} of account main were not delivered")
