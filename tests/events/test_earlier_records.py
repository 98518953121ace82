"""Orders that an earlier version wrote down are known."""

from __future__ import annotations

from qehost.events.earlier_records import OpenOrder, known_orders
from qehost.events.fills import CumulativeFill
from qehost.events.order_records import PushedFills

TOP = CumulativeFill("1.5", "15")


def test_an_order_keeps_its_ids_its_state_and_its_figures() -> None:
    before = OpenOrder("V", 5, (("PLACED", 1.0), ("PLACED", 1.5)), top=TOP, most=1.5, filled=1.5)
    (record,) = known_orders([(("M", "X"), before)]).children
    assert (record.key, record.master_id, record.order_id, record.venue_id) == ("v", "M", "X", "V")
    assert record.numbers == (("m", "x"),)
    assert (record.status, record.moment, record.is_known) == ("PLACED", 5, True)
    assert (record.top, record.most, record.filled, record.cumulative) == (TOP, 1.5, 1.5, 1.5)


def test_one_that_had_no_id_of_its_exchange_has_none() -> None:
    (record,) = known_orders([(("M", "V"), OpenOrder("V"))]).children
    assert (record.order_id, record.numbers) == ("", ())


def test_what_v1_pushed_is_kept() -> None:
    before = OpenOrder(pushes=[(0.1, 2.0, 9)], pushed_until=8, announced=0.1)
    (record,) = known_orders([(("M", "X"), before)]).children
    assert record.key == ("m", "x")
    assert record.pushed_fills == PushedFills([(0.1, 2.0, 9)], 8)
    assert record.cumulative == 0.1
