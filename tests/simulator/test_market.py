"""The market is legal at every step, and the same for the same seed."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qehost.messages import MasterOrderDetail, OrderDetail
from qehost.simulator.instruments import INSTRUMENTS
from qehost.simulator.market import Market

NOW = 1_735_372_000_000


@given(st.integers())
@settings(max_examples=10, deadline=None)
def test_the_same_seed_and_clock_give_the_same_updates(seed: int) -> None:
    one, two = Market(seed, NOW), Market(seed, NOW)

    assert [one.step(NOW + n) for n in range(300)] == [two.step(NOW + n) for n in range(300)]


def test_a_later_run_with_the_same_seed_tells_the_same_story_under_other_ids() -> None:
    one, two = Market(1, NOW), Market(1, NOW + 60_000)

    for _ in range(300):
        first, second = one.step(NOW).subject, two.step(NOW + 60_000).subject
        assert first.master_order_id != second.master_order_id
        if isinstance(first, OrderDetail):
            assert isinstance(second, OrderDetail)
            assert (first.quantity, first.price, first.status) == (
                *(second.quantity, second.price, second.status),
            )
            assert {first.id, first.order_id}.isdisjoint({second.id, second.order_id})


def test_an_amended_child_order_keeps_its_id_and_what_is_filled() -> None:
    market = Market(3, NOW)
    amended: dict[str, list[OrderDetail]] = {}
    for number in range(2000):
        if number % 10 == 9:
            market.amend(NOW + number)
        subject = market.step(NOW + number).subject
        if isinstance(subject, OrderDetail):
            states = amended.setdefault(subject.id, [])
            if states and states[-1].order_id != subject.order_id:
                assert subject.status == states[-1].status == "PLACED"
                assert subject.filled_quantity == states[-1].filled_quantity
                assert subject.price != states[-1].price
            states.append(subject)
    several = [states for states in amended.values() if len({s.order_id for s in states}) > 1]
    assert len(several) > 20
    assert any(states[-1].status == "FILLED" for states in several)


def test_child_orders_rest_for_as_long_as_they_are_told_to() -> None:
    market = Market(3, NOW)
    market.resting_ms = 3_600_000
    placed: dict[str, int] = {}
    changed: dict[str, int] = {}
    for number in range(3000):
        now_ms = NOW + number * 5000  # four hours
        subject = market.step(now_ms).subject
        if isinstance(subject, OrderDetail):
            if subject.id in placed:
                changed.setdefault(subject.id, now_ms)
            placed.setdefault(subject.id, now_ms)
    ages = [changed[each] - placed[each] for each in changed]
    rested = [age for age in ages if age >= 3_600_000]
    assert len(rested) > 10
    assert len(ages) > 3 * len(rested)


def test_users_have_markets_and_ids_of_their_own() -> None:
    one, two = Market(1, NOW, 0), Market(1, NOW, 1)

    ids = [{market.step(NOW).subject.master_order_id for _ in range(500)} for market in (one, two)]

    assert ids[0].isdisjoint(ids[1])


@pytest.mark.parametrize("seed", range(10))
def test_the_first_master_order_works_from_new_to_completed_within_360_updates(seed: int) -> None:
    market = Market(seed, NOW)
    updates = [market.step(NOW + n * 33).subject for n in range(360)]
    first = updates[0]
    assert isinstance(first, MasterOrderDetail)

    mine = [each for each in updates if each.master_order_id == first.master_order_id]
    masters = [each for each in mine if isinstance(each, MasterOrderDetail)]

    assert (first.algorithm, first.symbol, first.status) == ("TWAP", "BTCUSDT", "NEW")
    assert masters[-1].status == "COMPLETED"
    assert len(masters) > 20
    assert len({each.symbol for each in updates}) >= 3


def test_everything_happens_that_happens_at_a_venue() -> None:
    market = Market(0, NOW)
    updates = [market.step(NOW + n).subject for n in range(20_000)]

    masters = [each for each in updates if isinstance(each, MasterOrderDetail)]
    children = [each for each in updates if isinstance(each, OrderDetail)]

    assert {each.status for each in masters} >= {
        *("NEW", "WAITING", "PROCESSING", "PAUSED"),
        *("CANCELLED", "COMPLETED", "COMPLETED_WITHTAIL", "REJECTED", "EXPIRED"),
    }
    assert {each.status for each in children} == {
        *("PLACED", "FILLED", "CANCELLED", "REJECTED", "Cancelack", "CANCEL_REJECTED"),
    }
    assert {each.algorithm for each in masters} == {"TWAP", "VWAP", "POV"}
    assert {(each.symbol, each.category) for each in masters} == {
        (each.symbol, each.category) for each in INSTRUMENTS
    }


def test_a_paused_master_order_stands_still_until_its_owner_resumes_it() -> None:
    market = Market(0, NOW)
    first = market.step(NOW).subject.master_order_id

    market.pause(first, NOW)
    market.drain()
    others = {market.step(NOW).subject.master_order_id for _ in range(500)}
    market.resume(first, NOW)
    after = {market.step(NOW).subject.master_order_id for _ in range(500)}

    assert first not in others
    assert first in after


def test_a_master_order_of_the_users_own_is_worked_to_its_end() -> None:
    market = Market(3, NOW)
    fields = {"side": "buy", "algorithm": "TWAP", "order_notional": Decimal(50_000)}

    detail = market.create(NOW, INSTRUMENTS[0], fields, None)
    statuses = []
    while "COMPLETED" not in statuses:
        subject = market.step(NOW).subject
        if subject.master_order_id == detail.master_order_id:
            statuses.append(subject.status)

    assert detail.total_quantity * 90_000 < 50_000 < detail.total_quantity * 105_000
