"""The market is legal at every step, and the same for the same seed."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qehost.messages import MasterOrderDetail, OrderDetail
from qehost.simulator.instruments import INSTRUMENTS
from qehost.simulator.market import Market
from qehost.simulator.orders import FINISHED, Update
from qehost.simulator.refusal import Refused

NOW = 1_735_372_000_000
ZERO = Decimal(0)

MASTER_STEPS = {
    "": {"NEW"},
    "NEW": {"NEW", "REJECTED", "WAITING", "PROCESSING", "PAUSED", "CANCEL"},
    "WAITING": {"WAITING", "EXPIRED", "PROCESSING", "PAUSED", "CANCEL"},
    "PAUSED": {"PAUSED", "PROCESSING", "CANCEL"},
    "PROCESSING": {
        *("PROCESSING", "PAUSED", "CANCEL", "CANCELLED"),
        *("COMPLETED", "COMPLETED_WITHTAIL", "EXPIRED"),
    },
    "CANCEL": {"CANCELLED"},
}
CHILD_STEPS = {
    "": {"PLACED", "REJECTED"},
    "PLACED": {"PLACED", "FILLED", "CANCELLED", "Cancelack", "CANCEL_REJECTED"},
    "Cancelack": {"CANCELLED"},
    "CANCEL_REJECTED": {"PLACED", "FILLED", "CANCELLED", "Cancelack", "CANCEL_REJECTED"},
}


class Auditor:
    """Checks every update against all that came before it."""

    def __init__(self) -> None:
        self.masters: dict[str, MasterOrderDetail] = {}
        self.children: dict[str, OrderDetail] = {}
        self.filled: dict[str, Decimal] = defaultdict(Decimal)
        self.notional: dict[str, Decimal] = defaultdict(Decimal)

    def see(self, update: Update) -> None:
        if isinstance(update.subject, MasterOrderDetail):
            assert update.fill is None
            self.see_master(update.subject)
        else:
            self.see_child(update.subject, update)

    def see_master(self, now: MasterOrderDetail) -> None:
        before = self.masters.get(now.master_order_id)
        assert now.status in MASTER_STEPS[before.status if before else ""]
        assert now.cum_filled_qty == self.filled[now.master_order_id]
        assert now.cum_filled_notional == self.notional[now.master_order_id]
        assert now.cum_filled_qty <= now.total_quantity
        assert (now.status == "COMPLETED") == (now.cum_filled_qty == now.total_quantity)
        assert bool(now.finished_ms) == (now.status in FINISHED)
        assert 0 <= now.maker_rate <= 1
        average(now.avg_filled_price, now.cum_filled_notional, now.cum_filled_qty)
        self.masters[now.master_order_id] = now

    def see_child(self, now: OrderDetail, update: Update) -> None:
        before = self.children.get(now.id)
        assert now.status in CHILD_STEPS[before.status if before else ""]
        assert self.masters[now.master_order_id].status not in FINISHED
        assert ZERO <= now.filled_quantity <= now.quantity
        assert (now.status == "FILLED") == (now.filled_quantity == now.quantity)
        average(now.average_price, now.filled_notional, now.filled_quantity)
        grown = now.filled_quantity - (before.filled_quantity if before else ZERO)
        paid = now.filled_notional - (before.filled_notional if before else ZERO)
        assert (update.fill.quantity if update.fill else ZERO) == grown
        assert (update.fill.notional if update.fill else ZERO) == paid
        if update.fill:
            assert update.fill.price * update.fill.quantity == update.fill.notional
        self.filled[now.master_order_id] += grown
        self.notional[now.master_order_id] += paid
        self.children[now.id] = now


def average(price: Decimal, notional: Decimal, quantity: Decimal) -> None:
    if quantity:
        assert abs(price - notional / quantity) <= Decimal("0.000000005")
    else:
        assert price == notional == ZERO


@settings(max_examples=25, deadline=None)
@given(st.integers(), st.integers(1, 1500))
def test_every_update_follows_from_those_before_it(seed: int, count: int) -> None:
    market, auditor = Market(seed, NOW), Auditor()

    for number in range(count):
        auditor.see(market.step(NOW + number))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.data())
def test_what_the_owner_does_is_legal_too(seed: int, data: st.DataObject) -> None:
    market, auditor = Market(seed, NOW), Auditor()
    for number in range(data.draw(st.integers(1, 300))):
        auditor.see(market.step(NOW + number))

    for _ in range(data.draw(st.integers(1, 12))):
        chosen = data.draw(st.sampled_from(sorted(auditor.masters)))
        now = NOW + 1000
        try:
            match data.draw(st.sampled_from(["pause", "resume", "cancel", "update"])):
                case "pause":
                    market.pause(chosen, now, "a break")
                case "resume":
                    market.resume(chosen, now)
                case "cancel":
                    market.cancel(chosen, now, "enough")
                case "update":
                    market.update(
                        chosen,
                        now,
                        {"total_quantity": auditor.masters[chosen].total_quantity / 2},
                    )
        except Refused as refused:
            assert refused.status in (400, 404)  # noqa: PT017 - either is legal
        for update in market.drain():
            auditor.see(update)
        for number in range(data.draw(st.integers(0, 60))):
            auditor.see(market.step(now + number))


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
