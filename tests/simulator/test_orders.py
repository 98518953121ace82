"""A master order at work: every update follows from those before it, and its sums are exact."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from qehost.messages import MasterOrderDetail, OrderDetail
from qehost.simulator.market import Market
from qehost.simulator.orders import FINISHED, OrderUpdate
from qehost.simulator.refusal import RestRefusal

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

    def see(self, update: OrderUpdate) -> None:
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

    def see_child(self, now: OrderDetail, update: OrderUpdate) -> None:
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
        except RestRefusal as refused:
            assert refused.status in (400, 404)  # noqa: PT017 - either is legal
        for update in market.drain():
            auditor.see(update)
        for number in range(data.draw(st.integers(0, 60))):
            auditor.see(market.step(now + number))
