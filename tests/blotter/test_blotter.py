"""The state that a `Blotter` gives of what was added."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from qehost.blotter import Blotter
from qehost.errors import GapError
from qehost.events.codec import expand
from qehost.events.pipeline import Pipeline
from qehost.messages import AnyEvent
from qehost.simulator.encode import MessageVersion, pushes
from qehost.simulator.market import Market
from qehost.testing import Events, detail

OPENED = 1_767_323_045_000


def market(form: MessageVersion, updates: int = 1500, seed: int = 1) -> list[AnyEvent]:
    """What is told of a market of the simulator."""
    trading, pipeline = Market(seed, OPENED), Pipeline("main")
    events: list[AnyEvent] = []
    for number in range(updates):
        at = OPENED + number * 20
        texts = pushes(trading.step(at), f"m-{number}", "user", form)
        events += expand(pipeline.feed([text.decode() for _, text in texts], at * 10**6))
    return events


@pytest.fixture
def events() -> Events:
    return Events()


def add_all(blotter: Blotter, *events: AnyEvent) -> Blotter:
    blotter.add_all(events)
    return blotter


# --- sums -------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["v2", "v1"])
def test_a_master_order_sums_up_its_child_orders(form: MessageVersion) -> None:
    told = market(form)
    filled: dict[tuple[str, str], Decimal] = {}
    worth: dict[tuple[str, str], Decimal] = {}
    fills: dict[str, int] = {}
    for event in told:
        exact = detail(event)  # type: ignore[call-overload]
        if event.kind == "order":
            key = exact.master_order_id, exact.order_id
            filled[key] = exact.filled_quantity or Decimal()
        if event.kind == "fill":
            key = exact.master_order_id, exact.order_id
            notional = exact.notional or exact.quantity * exact.price
            worth[key] = worth.get(key, Decimal()) + notional
            fills[exact.master_order_id] = fills.get(exact.master_order_id, 0) + 1
    blotter = add_all(Blotter(), *told)
    masters = [each for each in blotter.masters() if each.children.open + each.children.filled]
    assert len(masters) > 10
    for master in masters:
        due = sum((q for (id_, _), q in filled.items() if id_ == master.id), Decimal())
        assert master.filled == max(due, master.reported_filled or 0)
        assert master.fills == fills.get(master.id, 0)
        if master.filled == due:
            due = sum((w for (id_, _), w in worth.items() if id_ == master.id), Decimal())
            assert master.notional == due
        assert master.complete
    assert {child.id: child.filled for child in blotter.children()} == {
        blotter.child("main", order_id).id: quantity  # type: ignore[union-attr]
        for (_, order_id), quantity in filled.items()
    }


def test_what_the_venue_reports_counts_where_it_is_more(events: Events) -> None:
    blotter = add_all(
        Blotter(),
        events.master_order(total_quantity="10", cum_filled_qty="2", avg_filled_price="100"),
        events.order(filled_quantity="3", average_price="110", quantity="5"),
    )
    master = blotter.master("main", "mo-1")
    assert master is not None
    assert (master.filled, master.average, master.share) == (3, 110, 0.3)
    assert (master.reported_filled, master.remaining) == (2, 7)
    master = blotter.add(
        events.master_order(total_quantity="10", cum_filled_qty="5", avg_filled_price="104")
    ).master
    assert master is not None
    assert (master.filled, master.average, master.notional) == (5, 104, 520)


def test_an_order_for_an_amount_of_money_is_measured_in_money(events: Events) -> None:
    order = events.master_order(
        total_quantity=None, order_notional="5000", cum_filled_notional="1250"
    )
    master = Blotter().add(order).master
    assert master is not None
    assert master.target_in_quote
    assert (master.target, master.share, master.remaining) == (5000, 0.25, 3750)


def test_what_is_not_known_is_none_and_not_zero(events: Events) -> None:
    blotter = add_all(Blotter(), events.master_order(total_quantity=None, cum_filled_qty=None))
    master = blotter.master("main", "mo-1")
    assert master is not None
    assert (master.target, master.share, master.average, master.first_price) == (None,) * 4


def test_contracts_have_the_average_price_of_their_orders(events: Events) -> None:
    """The notional of 3 contracts of 100 USD is 300, whatever they cost."""
    blotter = add_all(
        Blotter(),
        events.master_order(cum_filled_qty=None),
        events.order(quantity="3", filled_quantity="3", filled_notional="300", average_price="50"),
    )
    master = blotter.master("main", "mo-1")
    assert master is not None
    assert (master.notional, master.average) == (300, 50)


@given(st.lists(st.decimals("1E-18", "1E+18", places=18), min_size=1, max_size=30))
def test_sums_lose_no_digit(quantities: Sequence[Decimal]) -> None:
    events, blotter = Events(), Blotter()
    for number, quantity in enumerate(quantities):
        blotter.add(events.order(id=str(number), order_id=f"o{number}", filled_quantity=quantity))
    master = blotter.master("main", "mo-1")
    assert master is not None
    assert master.filled is not None
    assert sum(map(Fraction, quantities)) == Fraction(master.filled)


def test_figures_that_no_sum_can_hold_make_the_master_order_uncertain(events: Events) -> None:
    blotter = add_all(Blotter(), events.order(id="1", order_id="a", filled_quantity="1E+200"))
    change = blotter.add(events.order(id="2", order_id="b", filled_quantity="1E-300"))
    assert change.kind == "uncertain"
    assert change.uncertain
    master = blotter.master("main", "mo-1")
    assert master is not None
    assert not master.complete


def test_sales_have_no_sign(events: Events) -> None:
    change = Blotter().add(events.order(side="sell", quantity="-2", filled_quantity="-1"))
    assert change.child is not None
    assert (change.child.side, change.child.filled) == ("sell", 1)


# --- a baseline, a gap ------------------------------------------------------------------------


def test_a_baseline_is_a_state_and_its_quantity_no_fill(events: Events) -> None:
    blotter = add_all(
        Blotter(),
        events.master_order(origin="baseline", cum_filled_qty="60"),
        events.order(origin="baseline", quantity="100", filled_quantity="60"),
    )
    assert list(blotter.fills()) == []
    master = blotter.master("main", "mo-1")
    assert master is not None
    assert (master.fills, master.filled, master.complete) == (0, 60, True)


def test_a_baseline_without_a_figure_does_not_make_an_order_complete(events: Events) -> None:
    """V1 does not report what is filled of a master order."""
    told = events.master_order(
        origin="baseline", cum_filled_qty=None, completed_quantity=None, created_at=""
    )
    master = Blotter().add(told).master
    assert master is not None
    assert not master.complete


def test_a_gap_makes_the_orders_incomplete_that_were_open_then(events: Events) -> None:
    blotter = add_all(
        Blotter(),
        events.master_order(master_order_id="before", status="NEW"),
        events.master_order(master_order_id="before", status="COMPLETED"),
        events.master_order(master_order_id="during", status="NEW"),
        events.error(GapError("who knows")),
        events.master_order(master_order_id="after", status="NEW"),
    )
    complete = {master.id: master.complete for master in blotter.masters()}
    assert complete == {"before": True, "during": False, "after": True}


def test_an_order_that_was_joined_in_the_middle_is_not_complete(events: Events) -> None:
    middle = events.master_order(created_at="2020-01-01T00:00:00Z", status="PROCESSING")
    master = Blotter().add(middle).master
    assert master is not None
    assert not master.complete


# --- accounts, streams, time ------------------------------------------------------------------


def test_one_id_in_two_accounts_is_two_orders(events: Events) -> None:
    blotter = add_all(Blotter(), events.master_order(account="a"), events.master_order(account="b"))
    assert [master.account for master in blotter.masters()] == ["a", "b"]
    assert [master.account for master in blotter.masters("b")] == ["b"]
    assert blotter.seq == {"a": 1, "b": 1}


def test_masters_are_chosen_by_whether_they_are_open(events: Events) -> None:
    blotter = add_all(
        Blotter(),
        events.master_order(master_order_id="a"),
        events.master_order(master_order_id="b", status="COMPLETED"),
        events.order(master_order_id="c"),
    )
    assert [master.id for master in blotter.masters(open=True)] == ["a"]
    assert [master.id for master in blotter.masters(open=False)] == ["b"]
    assert sorted(master.id for master in blotter.masters()) == ["a", "b", "c"]


def test_children_are_chosen_by_their_master_order(events: Events) -> None:
    blotter = add_all(
        Blotter(),
        events.order(id="1", order_id="x", master_order_id="a"),
        events.order(id="2", order_id="y", master_order_id="a", status="FILLED"),
        events.order(id="3", order_id="z", master_order_id="b"),
    )
    assert [child.id for child in blotter.children("main", "a", open=True)] == ["1"]
    assert [child.id for child in blotter.children("main", "a", open=False)] == ["2"]
    assert len(list(blotter.children())) == 3
    master = blotter.master("main", "a")
    assert master is not None
    assert (master.open_children, master.children.filled) == (("1",), 1)


def test_as_of_is_when_the_last_event_was_received(events: Events) -> None:
    blotter = Blotter()
    assert blotter.as_of == 0
    blotter.add(events.status(received_at=1_767_323_045_123_456_789))
    assert blotter.as_of == 1_767_323_045_123


def test_the_last_fills_come_newest_first(events: Events) -> None:
    blotter = Blotter(fills=3)
    for number in range(5):
        blotter.add(events.fill(order_id=f"o{number}", master_order_id=f"m{number % 2}"))
    assert [fill.order_id for fill in blotter.fills()] == ["o4", "o3", "o2"]
    assert [fill.order_id for fill in blotter.fills(1, master="m1")] == ["o3"]
    assert list(blotter.fills(account="other")) == []


def test_a_copy_does_not_change(events: Events) -> None:
    blotter = Blotter()
    first = blotter.add(events.master_order(cum_filled_qty="1")).master
    blotter.add(events.master_order(cum_filled_qty="2"))
    assert first is not None
    assert first.filled == 1
    with pytest.raises(AttributeError):
        first.filled = Decimal(3)  # type: ignore[misc]


# --- bounds -----------------------------------------------------------------------------------


def test_the_bounds_hold_and_the_sums_stay_right(events: Events) -> None:
    blotter = Blotter(masters=3, finished=2, children=4, fills=5)
    for number in range(12):
        update = events.order(
            id=str(number),
            order_id=f"o{number}",
            status="FILLED",
            quantity="1",
            order_created_time=OPENED + number,
        )
        add_all(blotter, update, events.fill_of(update))
        add_all(
            blotter,
            events.master_order(
                master_order_id=f"e{number}",
                status="COMPLETED",
                created_at=f"2026-01-02T03:04:{number:02}Z",
            ),
            events.master_order(master_order_id=f"r{number % 2}"),
        )
    assert len(list(blotter.masters(open=True))) == 2
    assert len(list(blotter.masters(open=False))) == 2
    assert len(list(blotter.children())) == 4
    assert len(list(blotter.fills())) == 5
    master = blotter.master("main", "mo-1")
    assert master is not None
    assert (master.filled, master.children.filled) == (12, 12)
    dropped = blotter.dropped
    assert (dropped.finished, dropped.children, dropped.tombstones) == (10, 8, 10)


def test_of_a_forgotten_child_order_a_repeat_counts_nothing(events: Events) -> None:
    blotter = Blotter(children=2)
    updates = [
        events.order(
            id=str(number),
            order_id=f"o{number}",
            status="FILLED",
            quantity="1",
            order_created_time=OPENED + number,
        )
        for number in range(6)
    ]
    add_all(blotter, *updates)
    kinds = [blotter.add(update).kind for update in updates]
    assert kinds == ["uncertain", "uncertain", "repeat", "repeat", "repeat", "repeat"]
    master = blotter.master("main", "mo-1")
    assert master is not None
    assert (master.filled, master.children.filled, master.complete) == (6, 6, False)


def test_the_open_master_order_goes_that_was_silent_for_the_longest_time(events: Events) -> None:
    blotter = Blotter(masters=2)
    for name in ("a", "b", "a", "c"):
        blotter.add(events.master_order(master_order_id=name))
    assert [master.id for master in blotter.masters()] == ["a", "c"]
    assert blotter.dropped.masters == 1
    change = blotter.add(events.master_order(master_order_id="b", status="PAUSED"))
    assert (change.kind, change.before, change.uncertain) == ("updated", "PROCESSING", True)


def test_a_bound_is_not_negative() -> None:
    with pytest.raises(ValueError, match="negative"):
        Blotter(children=-1)


def test_numbers_that_a_journal_gives_again_are_later_ones(events: Events) -> None:
    """A state folder that was set back: the same numbers under another journal's id."""
    blotter = add_all(
        Blotter(),
        events.order(seq=1),
        events.order(seq=2, status="PAUSED"),
        events.order(seq=3, filled_quantity="0.1"),
    )
    assert blotter.seq == {"main": 3}
    change = blotter.add(replace(events.order(seq=2, status="Cancelack"), journal_id="b" * 16))
    assert (change.kind, change.child and change.child.status) == ("updated", "Cancelack")
    assert blotter.seq == {"main": 2}
    assert blotter.add(events.order(seq=3, status="PAUSED")).kind == "repeat"
