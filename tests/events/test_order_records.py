"""Records are written small, and read again as they were."""

from __future__ import annotations

import msgspec
import pytest

from qehost.events.fills import CumulativeFill
from qehost.events.order_records import ChildRecord, KnownOrders, MasterRecord, PushedFills

CHILD = ChildRecord(key=("m", "x"), status="PLACED", top=CumulativeFill("1", "2"), most=1.0)


def test_what_is_known_can_be_written_and_read() -> None:
    known = KnownOrders([MasterRecord(key="m", status="NEW")], [CHILD])
    data = msgspec.msgpack.encode(known)
    assert msgspec.msgpack.decode(data, type=KnownOrders) == known
    assert len(data) < 160


@pytest.mark.parametrize(
    ("record", "is_open"),
    [
        (CHILD, True),
        (ChildRecord(most=1.0, is_final=True), False),
        (ChildRecord(status="PLACED"), False),
        (ChildRecord(pushed_fills=PushedFills([(0.1, 1.0, 1)])), True),
    ],
)
def test_a_child_order_is_open_while_it_is_filled_in_part(
    record: ChildRecord, is_open: bool
) -> None:
    assert record.is_open() is is_open
