from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from qehost.blotter.inputs import fill_detail, master_order_detail, order_detail, size
from qehost.testing import Events, detail


@pytest.fixture
def events() -> Events:
    return Events()


def test_the_figures_are_those_of_the_text(events: Events) -> None:
    order = events.order(filled_quantity="0.123456789012345678901", quantity="1")
    assert order_detail(order).filled_quantity == Decimal("0.123456789012345678901")
    master, fill = events.master_order(), events.fill()
    assert (master_order_detail(master), fill_detail(fill)) == (detail(master), detail(fill))


def test_without_a_text_they_are_those_of_the_message(events: Events) -> None:
    order = order_detail(replace(events.order(filled_quantity="0.1", quantity="0.3"), raw=""))
    assert (order.filled_quantity, order.quantity) == (Decimal("0.1"), Decimal("0.3"))
    assert order.order_id == "o-1"
    master = master_order_detail(replace(events.master_order(total_quantity="1.5"), raw=""))
    assert (master.total_quantity, master.status) == (Decimal("1.5"), "PROCESSING")
    fill = fill_detail(replace(events.fill(quantity="0.7"), raw="", exact=None))
    assert (fill.quantity, fill.price) == (Decimal("0.7"), Decimal("97000.1"))


@pytest.mark.parametrize(("value", "due"), [(None, None), ("-1.50", "1.50"), ("2", "2")])
def test_a_size_has_no_sign(value: str | None, due: str | None) -> None:
    made = size(None if value is None else Decimal(value))
    assert (None if made is None else str(made)) == due
