"""What was told of orders is remembered, or is marked when it comes again, whatever was lost."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from running import QUICK, Record, Run
from small_disk import fill, small_disk
from told import missing

from qehost.simulator import Venue
from qehost.storage.journal.layout import segments
from qehost.storage.state_folder import StateFolder

STEPS = 150


@pytest.fixture
def venue() -> Iterator[Venue]:
    """With a market, of which REST knows the last state of every order."""
    with Venue(seed=5) as venue:
        yield venue


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path, "160m") as disk:
        yield disk


def trade(venue: Venue, run: Run, steps: int = STEPS) -> None:
    """Until all of it is told."""
    venue.step(steps)
    run.wait_for(lambda: not missing(venue, run.records()), "all states")


def reads(venue: Venue) -> int:
    """How often REST was read whole."""
    return sum(seen.path.endswith("/order-fills") for seen in venue.requests)


class CaughtUp(Run):
    """A new run, once it has read REST and looked a second time."""

    def __init__(self, venue: Venue, tmp_path: Path, state: Path) -> None:
        # The run before it may have read over REST what the stream then brought later.
        self._from = len((tmp_path / "records.jsonl").read_bytes().splitlines())
        before = reads(venue)
        super().__init__(tmp_path, venue=venue, settings=QUICK, state=state)
        with self:
            self.wait_for(lambda: reads(venue) >= before + 2, "REST to be read twice")
            assert self.stop() == 0

    def told(self, hook: str = "", **fields: object) -> list[Record]:
        """What it told itself, without what the runs before it had told."""
        own = self.records()[self._from :]
        return [each for each in self.records(hook, **fields) if each in own]


def fills(run: Run, **marks: bool) -> dict[str, Decimal]:
    """What was told as filled of each order, by all runs."""
    told: dict[str, Decimal] = defaultdict(Decimal)
    for record in run.records("on_fill", **marks):
        message = record["message"]
        told[message["order_id"]] += Decimal(repr(message["filled_qty"]))
    return told


def check_fills(venue: Venue, run: Run) -> None:
    """Unmarked fills are never more than what was filled, and with the marked ones never less."""
    whole, unmarked = fills(run), fills(run, redelivered=False)
    orders = venue.accounts[0].history.order_fills({}, None, None)
    assert any(order.filled_quantity for order in orders)
    for order in orders:
        filled = order.filled_quantity or Decimal(0)
        assert unmarked[order.order_id] <= filled <= whole[order.order_id], order


def trade_until_full(venue: Venue, run: Run, disk: Path) -> Path:
    """Trade before the disk is full and after it; what takes the room."""
    run.wait_for_connections(1)
    trade(venue, run)
    ballast = fill(disk)
    trade(venue, run)
    run.wait_for(lambda: run.logged("NOT PROTECTED"), "the disk to be full")
    return ballast


def journal(state: Path) -> Path:
    return StateFolder(state).journal("main")


def test_what_was_told_while_the_disk_was_full_is_not_told_again(
    tmp_path: Path, venue: Venue, disk: Path
) -> None:
    state = disk / "state"
    with Run(tmp_path, venue=venue, settings=QUICK, state=state) as run:
        ballast = trade_until_full(venue, run, disk)
        ballast.unlink()

        def comes_back() -> bool:
            trade(venue, run, 1)
            return bool(run.logged("the journal can be written again"))

        run.wait_for(comes_back, "the journal")
        assert run.stop() == 0
    again = CaughtUp(venue, tmp_path, state)
    check_fills(venue, again)
    assert not again.told(redelivered=True)
    assert not again.told(origin="catch_up")
    assert not again.logged("redelivered")


@pytest.mark.parametrize("orderly", [True, False])
def test_after_an_end_on_a_full_disk_nothing_is_told_again(
    tmp_path: Path, venue: Venue, disk: Path, orderly: bool
) -> None:
    state = disk / "state"
    with Run(tmp_path, venue=venue, settings=QUICK, state=state) as run:
        ballast = trade_until_full(venue, run, disk)
        if orderly:
            assert run.stop() == 0
        else:
            run.kill()
    ballast.unlink()
    again = CaughtUp(venue, tmp_path, state)
    check_fills(venue, again)
    if orderly:
        assert not again.told("on_fill", redelivered=True)
        assert not again.told(origin="catch_up")


def flip_a_bit(state: Path) -> None:
    """In a batch that was delivered long ago, with an order that was filled."""
    path = segments(journal(state))[0]
    data = bytearray(path.read_bytes())
    data[data.index(b"FILLED")] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("has_checkpoint", [True, False])
def test_a_flipped_bit_is_told_with_what_follows_and_no_fill_comes_again_unmarked(
    tmp_path: Path, venue: Venue, has_checkpoint: bool
) -> None:
    with Run(tmp_path, venue=venue, settings=QUICK) as run:
        run.wait_for_connections(1)
        trade(venue, run)
        assert run.stop() == 0
    flip_a_bit(run.state)
    if not has_checkpoint:
        for name in ("checkpoint", "checkpoint.2"):
            (journal(run.state) / name).unlink()
    again = CaughtUp(venue, tmp_path, run.state)
    check_fills(venue, again)
    [line] = again.logged("00000001.events: the file is damaged")
    assert "nothing follows" in line if has_checkpoint else "is marked as redelivered" in line
    if has_checkpoint:
        assert not again.told(origin="catch_up")
    else:
        assert again.told("on_fill", redelivered=True)


def test_what_a_restored_state_folder_does_not_know_of_is_marked(
    tmp_path: Path, venue: Venue
) -> None:
    with Run(tmp_path, venue=venue, settings=QUICK) as run:
        run.wait_for_connections(1)
        trade(venue, run)
        assert run.stop() == 0
    shutil.copytree(run.state, copy := tmp_path / "copy")
    with Run(tmp_path, venue=venue, settings=QUICK) as run:
        run.wait_for_connections(2)
        trade(venue, run)
        assert run.stop() == 0
    shutil.rmtree(run.state)
    copy.rename(run.state)
    again = CaughtUp(venue, tmp_path, run.state)
    check_fills(venue, again)
    again.wait_for_line("was copied or restored from a copy")
    assert again.told("on_fill", redelivered=True)
