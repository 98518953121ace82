"""Whether more is filled than before, by figures of any form."""

from __future__ import annotations

import pytest

from qehost.events.fills import NOTHING_FILLED, CumulativeFill
from qehost.events.growth import figures_of, grow, magnitude
from qehost.events.order_records import ChildRecord, PushedFills
from qehost.events.wire.v2 import V2Order
from qehost.events.wire.values import Unreadable


def grown(
    record: ChildRecord, filled: str, notional: str = "", average: str = "", quantity: str = ""
) -> CumulativeFill | None:
    shape = V2Order(
        filled_quantity=filled, filled_notional=notional, average_price=average, quantity=quantity
    )
    return grow(record, shape, figures_of(shape))


def test_what_was_filled_before_is_told_where_more_is() -> None:
    record = ChildRecord()
    assert grown(record, "1", "10") is NOTHING_FILLED
    assert grown(record, "3", "30") == CumulativeFill("1", "10")
    assert grown(record, "3.0", "30") is None
    assert grown(record, "2", "20") is None
    assert grown(record, "4") == CumulativeFill("3.0", "30")


def test_digits_that_a_float_does_not_have_count() -> None:
    record = ChildRecord()
    grown(record, "123456789.123456789")
    assert grown(record, "123456789.1234567891") == CumulativeFill("123456789.123456789")
    assert grown(record, "123456789.123456789") is None


@pytest.mark.parametrize("nothing", ["", "0", "0.000", "-1"])
def test_what_says_that_nothing_is_filled_is_no_fill(nothing: str) -> None:
    assert grown(ChildRecord(), nothing, quantity="5") is None


def test_a_quantity_may_have_the_sign_of_a_sale() -> None:
    record = ChildRecord()
    assert grown(record, "-1", "-10", quantity="-5") is NOTHING_FILLED
    assert grown(record, "-3", "-30", quantity="-5") == CumulativeFill("-1", "-10")
    assert record.most == 3.0


def test_a_worth_that_comes_later_is_that_of_the_same_quantity() -> None:
    record = ChildRecord()
    grown(record, "1", "0", "0")
    assert grown(record, "1", "10", "10") is None
    assert grown(record, "2", "22", "11") == CumulativeFill("1", "10", "10")


def test_figures_that_can_t_be_read_are_not_noted() -> None:
    record = ChildRecord()
    grown(record, "1", "10")
    for figures in (("much", "1"), ("2", "much"), ("1.2.3", ""), ("1E+500", "1")):
        with pytest.raises(Unreadable):
            grown(record, *figures)
    assert (record.filled, record.top) == (1.0, CumulativeFill("1", "10"))


def test_a_sum_of_v1_s_floats_gets_the_digits_of_v2() -> None:
    record = ChildRecord(pushed_fills=PushedFills([(0.1, 1.0, 1), (0.19999999999999998, 1.0, 2)]))
    assert grown(record, "0.3", "0.3") is None
    assert record.top == CumulativeFill("0.3", "0.3")


def test_a_magnitude_has_no_sign() -> None:
    assert (magnitude("-1.5"), magnitude("1.5"), magnitude(""), magnitude("x")) == (
        1.5,
        1.5,
        None,
        None,
    )
