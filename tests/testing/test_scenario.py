"""A master order from its start to its end."""

from __future__ import annotations

from decimal import Decimal

import pytest
from fed import fed
from hypothesis import given
from hypothesis import strategies as st

from qehost.events.pipeline import Pipeline
from qehost.messages import (
    FillEvent,
    MasterOrderEvent,
)
from qehost.testing import (
    Events,
    detail,
    worked_master_order,
)

# --- a master order's life ------------------------------------------------------------------------


@given(
    quantity=st.decimals("0.0001", "1E+6", places=4),
    children=st.integers(1, 7),
    status=st.sampled_from(["COMPLETED", "CANCELLED", "EXPIRED"]),
)
def test_a_worked_master_order_adds_up_exactly(
    quantity: Decimal, children: int, status: str
) -> None:
    events = worked_master_order(
        children=children, qty=quantity, status=status, price="3.07", events=Events()
    )
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    fills = [detail(event) for event in events if isinstance(event, FillEvent)]
    last = events[-1]
    assert isinstance(last, MasterOrderEvent)
    end = detail(last)
    assert end.status == status
    assert sum((each.quantity or Decimal(0) for each in fills), Decimal(0)) == end.cum_filled_qty
    if status == "COMPLETED":
        assert end.cum_filled_qty == quantity
        assert sum(each.notional or 0 for each in fills) == end.cum_filled_notional


def test_the_products_pipeline_makes_the_same_events_of_the_same_texts() -> None:
    # Only what a process writes has an id.
    events = Events(journal_id="")
    made = worked_master_order(
        children=3, qty="0.7", side="sell", status="CANCELLED", events=events
    )
    pipeline = Pipeline("main", made[0].seq)
    told = [
        event
        for each in made
        if each.origin == "stream"
        for event in fed(pipeline, [each.raw], each.received_at)
    ]
    assert told == made


def test_a_worked_master_order_without_a_quantity_is_refused() -> None:
    with pytest.raises(ValueError, match="has a quantity"):
        worked_master_order(qty=None)
