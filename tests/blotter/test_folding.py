"""What an event is for the order that it is about: the kinds of a `Change`."""

from __future__ import annotations

from typing import Any

import pytest

from qehost.blotter import Blotter, Change
from qehost.messages import AnyEvent
from qehost.testing import Events


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def blotter() -> Blotter:
    return Blotter()


def kinds(blotter: Blotter, *events: AnyEvent) -> list[tuple[str, str]]:
    changes = [blotter.add(event) for event in events]
    return [(change.kind, change.before) for change in changes]


@pytest.mark.parametrize("make", ["master_order", "order"])
def test_an_order_is_new_then_updated_then_finished(
    make: str, events: Events, blotter: Blotter
) -> None:
    update: Any = getattr(events, make)
    assert kinds(
        blotter, update(status="NEW"), update(status="PROCESSING"), update(status="CANCELLED")
    ) == [("new", ""), ("updated", "NEW"), ("finished", "PROCESSING")]


def test_the_first_of_an_order_may_be_its_end(events: Events, blotter: Blotter) -> None:
    change = blotter.add(events.order(status="REJECTED"))
    assert change.kind == "new"
    assert change.child is not None
    assert not change.child.is_open


@pytest.mark.parametrize("make", ["master_order", "order"])
def test_what_comes_again_is_a_repeat(make: str, events: Events, blotter: Blotter) -> None:
    first = getattr(events, make)()
    second = getattr(events, make)(status="PAUSED")
    assert [kind for kind, _ in kinds(blotter, first, second, first, second)] == [
        "new",
        "updated",
        "repeat",
        "repeat",
    ]


@pytest.mark.parametrize("make", ["master_order", "order"])
def test_a_state_that_the_order_has_left_does_not_open_it_again(
    make: str, events: Events, blotter: Blotter
) -> None:
    update: Any = getattr(events, make)
    told = kinds(blotter, update(status="CANCELLED"), update(status="PAUSED", stale=True))
    assert told[1] == ("stale", "CANCELLED")
    assert kinds(blotter, update(status="PAUSED"))[0][0] == "stale"


def test_a_cumulative_figure_that_shrinks_is_not_booked(events: Events, blotter: Blotter) -> None:
    blotter.add(events.order(filled_quantity="0.4"))
    change = blotter.add(events.order(filled_quantity="0.3", stale=True))
    assert change.kind == "stale"
    assert change.child is not None
    assert str(change.child.filled) == "0.4"


def test_a_fill_is_told_once(events: Events, blotter: Blotter) -> None:
    update = events.order(status="FILLED")
    fill = events.fill_of(update)
    told = [blotter.add(event) for event in (update, fill, update, fill)]
    assert [change.kind for change in told] == ["new", "filled", "repeat", "repeat"]
    assert told[1].fill is not None
    assert told[3].fill is None
    assert told[1].master is not None
    assert told[1].master.fills == 1


def test_of_fills_that_overlap_the_part_is_told_that_is_new(
    events: Events, blotter: Blotter
) -> None:
    fills = [
        events.fill(quantity="5", price="10", cum_quantity="5"),
        events.fill(quantity="5", price="12", cum_quantity="8", redelivered=True),
    ]
    first, second = (blotter.add(fill).fill for fill in fills)
    assert first is not None
    assert second is not None
    assert (first.quantity, first.notional) == (5, 50)
    assert (second.quantity, second.notional, second.cum) == (3, 36, 8)


def test_fills_before_their_order_count_for_it(events: Events, blotter: Blotter) -> None:
    blotter.add(events.fill(quantity="3", price="110"))
    assert [master.status for master in blotter.masters()] == [""]
    change = blotter.add(events.master_order(total_quantity="10", cum_filled_qty=None))
    assert change.kind == "new"
    assert change.master is not None
    assert (change.master.filled, change.master.average) == (3, 110)


def test_fills_that_v1_pushes_count_until_their_order_says_more(
    events: Events, blotter: Blotter
) -> None:
    def filled() -> object:
        master = blotter.master("main", "mo-1")
        return master and master.filled

    for quantity in ("1", "2"):
        fill = events.fill(quantity=quantity, price="10", origin="stream")
        kinds(blotter, fill, fill)
    assert filled() == 3
    blotter.add(events.order(id="", filled_quantity="3", quantity="9"))
    assert filled() == 3
    blotter.add(events.order(id="", filled_quantity="5", quantity="9"))
    assert filled() == 5


def test_an_order_that_was_cancelled_to_be_amended_goes_on(
    events: Events, blotter: Blotter
) -> None:
    told = kinds(
        blotter,
        events.order(order_id="x"),
        events.order(order_id="x", status="CANCELLED", filled_quantity="0.1"),
        events.order(order_id="y", filled_quantity="0.1"),
        events.order(order_id="x", status="CANCELLED", filled_quantity="0.1"),
    )
    assert [kind for kind, _ in told] == ["new", "finished", "reopened", "stale"]
    child = blotter.child("main", "1")
    assert child is not None
    assert (child.order_id, child.is_open) == ("y", True)
    assert blotter.child("main", "x") == child


def test_an_id_that_the_venue_gives_again_is_another_order(
    events: Events, blotter: Blotter
) -> None:
    first = events.order(status="FILLED", quantity="1", order_created_time=1_767_323_045_000)
    again = events.order(quantity="1", order_created_time=1_767_423_045_000)
    assert [kind for kind, _ in kinds(blotter, first, again)] == ["new", "new"]
    master = blotter.master("main", "mo-1")
    assert master is not None
    assert (master.filled, master.children.open, master.children.filled) == (1, 1, 1)
    assert blotter.add(first).kind == "repeat"
    assert [child.filled for child in blotter.children()] == [0]


def test_events_that_are_about_no_order_change_no_order(events: Events, blotter: Blotter) -> None:
    told = kinds(blotter, events.connected(), events.status(), events.unknown(), events.error())
    assert set(told) == {("other", "")}


def test_a_change_can_be_written_as_json(events: Events, blotter: Blotter) -> None:
    update = events.order(status="FILLED")
    blotter.add(update)
    change: Change = blotter.add(events.fill_of(update))
    made = change.as_dict()
    assert made["kind"] == "filled"
    assert made["fill"]["quantity"] == "0.5"
    assert made["master"]["children"]["filled"] == 1


def test_a_fill_is_its_orders_by_the_venues_id_whatever_number_that_had_by_then(
    events: Events, blotter: Blotter
) -> None:
    for number in range(20):
        blotter.add(events.order(id="9071", order_id=f"o-{number}", quantity="5"))
    change = blotter.add(events.fill(id="9071", order_id="o-0", quantity="1", cum_quantity="1"))
    assert (change.kind, change.child and change.child.id) == ("filled", "9071")
    assert [child.id for child in blotter.children()] == ["9071"]
