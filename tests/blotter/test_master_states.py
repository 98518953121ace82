from __future__ import annotations

from decimal import Decimal
from itertools import permutations

from qehost.blotter.entries import FRESH_RANK, MasterEntry
from qehost.blotter.master_states import created_ms, take_figures, take_fill, take_state
from qehost.messages import MasterOrderDetail

D = Decimal


def test_the_last_state_counts_in_any_order() -> None:
    details = [
        MasterOrderDetail(status=status, total_quantity=D(quantity), symbol="BTCUSDT")
        for status, quantity in (("NEW", 1), ("PAUSED", 2), ("PROCESSING", 3))
    ]
    for order in permutations(enumerate(details, 1)):
        entry = MasterEntry("main", "mo-1")
        for seq, detail in order:
            take_state(entry, detail, seq + FRESH_RANK, seq, seq)
        assert (entry.status, entry.target, entry.updated) == ("PROCESSING", 3, 3)


def test_what_a_later_state_does_not_say_is_as_it_was() -> None:
    of_rest = MasterOrderDetail(
        status="PROCESSING",
        base_currency="BTC",
        quote_currency="USDT",
        maker_rate=D("0.4"),
        commission={"USDT": D(1)},
        worst_price=D(90),
        execution_duration_seconds=60,
    )
    of_v1 = MasterOrderDetail(status="PAUSED", total_quantity=D(5))
    for order in permutations([(of_rest, 1), (of_v1, 2)]):
        entry = MasterEntry("main", "mo-1")
        for detail, seq in order:
            take_state(entry, detail, seq + FRESH_RANK, 10, 10)
        assert (entry.status, entry.target, entry.quote) == ("PAUSED", 5, "USDT")
        assert (entry.maker_rate, entry.fees, entry.duration) == (D("0.4"), {"USDT": 1}, 60.0)


def test_no_price_limit_is_none() -> None:
    entry = MasterEntry("main", "mo-1")
    take_state(entry, MasterOrderDetail(worst_price=D(90)), 1, 1, 1)
    assert entry.worst_price == 90
    take_state(entry, MasterOrderDetail(worst_price=D(-1)), 2, 2, 2)
    assert entry.worst_price is None


def test_an_order_starts_when_it_says_or_when_it_was_made() -> None:
    for fields, due in (
        ({"start_time_ms": 500, "created_at": "2026-01-01T00:00:00Z"}, 500),
        ({"created_at": "2026-01-01T00:00:00Z"}, 1_767_225_600_000),
        ({}, 7),
    ):
        entry = MasterEntry("main", "mo-1")
        take_state(entry, MasterOrderDetail(status="NEW", **fields), 1, 7, 9)  # type: ignore[arg-type]
        assert entry.started == due


def test_the_most_that_was_reported_counts_in_any_order() -> None:
    details = [
        MasterOrderDetail(cum_filled_qty=D(filled), cum_filled_notional=notional)
        for filled, notional in ((1, D(10)), (2, D(22)), (2, None))
    ]
    for order in permutations(enumerate(details)):
        entry = MasterEntry("main", "mo-1")
        for seq, detail in order:
            take_figures(entry, detail, seq)
        assert (entry.reported, entry.reported_notional) == (2, 22)


def test_the_first_fill_is_the_one_with_the_least_number() -> None:
    entry = MasterEntry("main", "mo-1")
    for seq in (5, 3, 8):
        take_fill(entry, seq, seq * 10, D(seq))
    assert (entry.fills, entry.first_fill, entry.first_price) == (3, 30, 3)


def test_a_time_that_can_not_be_read_is_none() -> None:
    assert created_ms("soon") == created_ms("") == 0
