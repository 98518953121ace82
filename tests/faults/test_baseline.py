"""What was filled before the stream was listened to is no fill, through the whole program."""

from __future__ import annotations

from pathlib import Path

import pytest
from old_order import Order
from running import QUICK, Run

from qehost.simulator import Venue


def fills(run: Run, order: str) -> list[tuple[float, bool]]:
    """Of each fill the quantity, and whether it is marked."""
    return [
        (record["message"]["filled_qty"], record["redelivered"])
        for record in run.records("on_fill")
        if record["message"]["order_id"] == order
    ]


def states(run: Run, order: str) -> list[tuple[str, float]]:
    return [
        (record["origin"], record["message"]["cum_filled_qty"])
        for record in run.records("on_order")
        if record["message"]["order_id"] == order
    ]


def test_60_of_100_are_filled_before_the_first_start_and_then_5_at_a_time(tmp_path: Path) -> None:
    """Over a restart, too: pushed, missed and pushed, 15 in all."""
    with Venue(seed=3) as venue:
        old = Order(venue, "old")
        old.fill(60)
        with Run(tmp_path, venue=venue, settings=QUICK) as run:
            run.wait_for_connections(1)
            told = [record["hook"] for record in run.records() if record["hook"] != "on_start"]
            assert told[:3] == ["on_master_order", "on_order", "on_connected"]
            assert states(run, "old") == [("baseline", 60)]
            venue.wait_connected()
            old.fill(65)
            run.wait_for(lambda: fills(run, "old") == [(5, False)], "a fill")
            assert run.stop() == 0
        old.fill(70, push=False)
        missed = Order(venue, "missed", age=0.0)
        missed.fill(8, push=False)
        with Run(tmp_path, venue=venue, settings=QUICK) as run:
            run.wait_for(lambda: fills(run, "missed") == [(8, False)], "the new order's fill")
            run.wait_for(lambda: len(fills(run, "old")) == 2, "a second fill")
            venue.wait_connected()
            old.fill(75)
            run.wait_for(lambda: len(fills(run, "old")) == 3, "a third fill")
            assert fills(run, "old") == [(5, False)] * 3
            assert states(run, "old") == [
                *(("baseline", 60), ("stream", 65), ("catch_up", 70), ("stream", 75))
            ]
            assert run.errors() == []
            assert run.stop() == 0


def test_an_old_order_that_an_earlier_run_did_not_know_is_a_state_and_a_gap_that_names_it(
    tmp_path: Path,
) -> None:
    with Venue(seed=3) as venue:
        with Run(tmp_path, venue=venue, settings=QUICK) as run:
            run.wait_for_connections(1)
            assert run.stop() == 0
        unknown = Order(venue, "unknown", age=3600.0)
        unknown.fill(60, push=False)
        with Run(tmp_path, venue=venue, settings=QUICK) as run:
            run.wait_for(lambda: states(run, "unknown") == [("baseline", 60)], "its state")
            [told] = run.wait_for(lambda: run.errors("GapError"), "a gap")
            assert "unknown" in told
            venue.wait_connected()
            unknown.fill(65)
            run.wait_for(lambda: fills(run, "unknown") == [(5, False)], "a fill")
            assert run.stop() == 0


@pytest.mark.parametrize("times", [1, 2])
def test_without_credentials_one_fill_stands_for_all_that_was_filled_in_a_gap(
    tmp_path: Path, times: int
) -> None:
    with Venue(seed=3) as venue:
        old = Order(venue, "old")
        keys = {"QEHOST_API_KEY": "", "QEHOST_API_SECRET": ""}
        with Run(
            tmp_path,
            venue=venue,
            settings=QUICK,
            env=keys | {"QEHOST_LISTEN_KEY": venue.new_listen_key()},
        ) as run:
            run.wait_for_connections(1)
            venue.wait_connected()
            old.fill(60)
            run.wait_for(lambda: states(run, "old") == [("stream", 60)])
            assert "old" in run.wait_for(lambda: run.errors("GapError"))[0]
            for filled in range(70, 70 + 10 * times, 10):
                count = len(run.records("on_connected"))
                venue.drop()
                run.wait_for(lambda n=count: len(run.records("on_connected")) > n)  # type: ignore[misc]
                venue.wait_connected()
                old.fill(filled - 5, push=False)
                old.fill(filled)
                run.wait_for(lambda n=filled: ("stream", n) in states(run, "old"))  # type: ignore[misc]
            assert fills(run, "old") == [(10, False)] * times
            gaps = run.errors("GapError")
            assert sum("without credentials it can't be read again" in each for each in gaps) == (
                times
            )
            assert run.stop() == 0
