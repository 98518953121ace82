"""V1's fills are summed up, and one that was derived is recognised."""

from __future__ import annotations

from qehost.events.fills import CumulativeFill
from qehost.events.order_records import NO_TIME, ChildRecord
from qehost.events.v1_fills import add_push, add_up, equals_rounded

AT = 1_783_072_000_123


def test_pushes_add_up_exactly_with_their_prices() -> None:
    record = ChildRecord()
    for quantity, price in ((0.1, 10.0), (0.2, 20.0)):
        assert add_push(record, (quantity, price, AT))
    add_up(record)
    assert record.top == CumulativeFill("0.3", "5.00")
    assert record.most == 0.3


def test_sales_that_are_written_as_negative_add_up_to_what_v2_says_of_them() -> None:
    record = ChildRecord(top=CumulativeFill("-14", "-1400", "100"), most=14.0)
    add_push(record, (-3.0, 90.0, AT))
    add_up(record)
    assert (record.top, record.most) == (CumulativeFill("17.0", "1670.00"), 17.0)


def test_a_push_without_a_price_leaves_the_notional_open() -> None:
    record = ChildRecord()
    add_push(record, (0.1, 0.0, AT))
    add_up(record)
    assert record.top == CumulativeFill("0.1")


def test_many_pushes_are_kept_as_their_sum() -> None:
    record = ChildRecord()
    for _ in range(1000):
        add_push(record, (0.1, 1.0, AT))
    assert record.pushed_fills is not None
    assert len(record.pushed_fills.pushes) < 16
    add_up(record)
    assert record.top == CumulativeFill("100.0", "100.00")


def test_a_push_of_a_time_that_was_derived_is_no_other_fill() -> None:
    record = ChildRecord(derived_until=AT, top=CumulativeFill("1"), most=1.0, cumulative=1.0)
    assert not add_push(record, (1.0, 1.0, AT))
    # REST's time may be less exact, and a little earlier than the stream's.
    assert not add_push(record, (1.0, 1.0, AT + 999))
    assert not add_push(record, (1.0, 1.0, 0))
    assert add_push(record, (1.0, 1.0, AT + 1_000))
    # By what its order said, more is filled than was derived.
    record = ChildRecord(derived_until=AT, top=CumulativeFill("1"), most=1.0, cumulative=2.0)
    assert add_push(record, (1.0, 1.0, AT))


def test_a_push_is_no_other_fill_where_rest_does_not_say_when_it_was_filled() -> None:
    record = ChildRecord(derived_until=NO_TIME, top=CumulativeFill("1"), most=1.0, cumulative=1.0)
    assert not add_push(record, (1.0, 1.0, AT))
    record.cumulative = 2.0
    assert add_push(record, (1.0, 1.0, AT))


def test_a_sum_of_floats_is_compared_within_their_rounding() -> None:
    assert equals_rounded(0.3, 0.1 + 0.2)
    assert not equals_rounded(0.3, 0.301)
