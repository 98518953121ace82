"""What follows from what is given."""

from __future__ import annotations

from decimal import Decimal

from qehost.testing import (
    detail,
    fill,
    master_order,
    order,
)


def test_a_float_is_taken_as_it_was_written_and_none_was_not_sent() -> None:
    assert detail(fill(filled_qty=0.1)).quantity == Decimal("0.1")
    event = order(average_price=None, filled_quantity=None)
    assert (detail(event).average_price, event.message.fill_price) == (None, 0.0)


def test_fees_may_be_given_in_any_form() -> None:
    event = master_order(commission={"BNB": "0.00120", "USDT": 0.1})
    assert detail(event).commission == {"BNB": Decimal("0.00120"), "USDT": Decimal("0.1")}


def test_the_filled_figures_follow_from_the_status() -> None:
    done = detail(order(quantity="0.40", price="10", status="FILLED"))
    assert (done.filled_quantity, done.average_price, done.filled_notional) == (
        Decimal("0.40"),
        Decimal("10"),
        Decimal("4.00"),
    )
    completed = detail(master_order(qty="3", status="COMPLETED"))
    assert completed.cum_filled_qty == completed.completed_quantity == 3
    assert completed.finished_ms is not None
