"""Events with sensible values, made as the product makes them."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from fed import fed
from hypothesis import given
from hypothesis import strategies as st

from qehost.errors import (
    ConnectError,
    DecodeError,
)
from qehost.events.pipeline import Pipeline
from qehost.events.rest_objects import decode_rest
from qehost.messages import (
    AnyEvent,
    FillEvent,
)
from qehost.testing import (
    Events,
    PluginHost,
    Recorder,
    detail,
    fill,
    fill_of,
    master_order,
    order,
)

AMOUNTS = st.decimals("1E-12", "1E+12", allow_nan=False, allow_infinity=False)
KINDS = ("master_order", "order", "fill", "status", "error", "connected", "disconnected", "unknown")


# --- events ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_of_each_kind_needs_no_argument(kind: str) -> None:
    event: AnyEvent = getattr(Events(), kind)()
    assert event.kind == kind
    assert (event.seq, event.account, event.redelivered) == (1, "main", False)


def test_events_are_numbered_for_each_account_and_come_one_after_the_other() -> None:
    events = Events(step_ms=250)
    made = [events.order(), events.fill(account="second"), events.fill(), events.status()]
    assert [event.seq for event in made] == [1, 1, 2, 3]
    times = [event.received_at for event in made]
    assert {later - earlier for earlier, later in pairwise(times)} == {250_000_000}


def test_number_time_and_id_can_be_pinned() -> None:
    events = Events()
    event = events.fill(seq=7, received_at=1_700_000_000_123_000_000, message_id="x")
    assert (event.seq, event.received_at, event.message_id) == (7, 1_700_000_000_123_000_000, "x")
    assert event.message.timestamp == detail(event).fill_time == 1_700_000_000_123
    assert events.fill().seq == 8


@pytest.mark.parametrize("origin", ["stream", "catch_up", "baseline"])
def test_a_message_is_what_the_product_makes_of_the_raw_text(origin: Any) -> None:
    events = Events()
    made: list[AnyEvent] = [
        events.master_order(origin=origin, qty="2.50", strategy="VWAP"),
        events.order(origin=origin, status="FILLED", price="0.10"),
    ]
    pipeline = Pipeline("main")
    if origin == "stream":
        told = [e for event in made for e in fed(pipeline, [event.raw], event.received_at)]
    else:
        found = decode_rest([made[0].raw], [made[1].raw])
        asked = pipeline.reading(is_baseline=origin == "baseline")
        told = pipeline.catch_up(found, made[0].received_at, asked)
    assert {event.origin for event in told[:2]} == {origin}
    assert [event.message for event in told[:2]] == [event.message for event in made]
    assert [event.message_id for event in told[:2]] == [event.message_id for event in made]


def test_a_state_may_be_stale() -> None:
    late = order(stale=True, status="PLACED")
    assert late.stale
    assert late.as_dict()["stale"] is True
    assert master_order(stale=True).stale
    assert not order().stale
    assert not fill().stale


@given(quantity=AMOUNTS, price=AMOUNTS)
def test_no_digit_of_what_was_asked_for_is_lost(quantity: Decimal, price: Decimal) -> None:
    filled = detail(fill(quantity=quantity, price=price))
    assert (str(filled.quantity), str(filled.price)) == (str(quantity), str(price))
    assert filled.notional is not None
    assert Fraction(filled.notional) == Fraction(quantity) * Fraction(price)
    child = detail(order(quantity=str(quantity), price=str(price), status="FILLED"))
    assert (child.quantity, child.filled_quantity, child.price) == (quantity, quantity, price)
    master = detail(master_order(total_quantity=quantity, worst_price=price))
    assert (master.total_quantity, master.worst_price) == (quantity, price)


def test_a_derived_fill_has_the_text_of_its_child_order() -> None:
    partial = fill(quantity="0.10", price="5.0", cum_quantity="0.30")
    told, derived = fed(Pipeline("main"), [partial.raw], partial.received_at)
    assert told.kind == "order"
    assert isinstance(derived, FillEvent)
    assert detail(derived).quantity == Decimal("0.30")
    whole = fill(quantity="0.10000000", price="61234.50")
    _, derived = fed(Pipeline("main"), [whole.raw], whole.received_at)
    assert isinstance(derived, FillEvent)
    assert str(detail(derived)) == str(detail(whole))
    assert derived.message == whole.message


def test_the_id_of_the_order_joins_a_fill_to_it() -> None:
    update = order(id="9071", order_id="x-1", filled_quantity="0.2")
    assert fill_of(update).detail.id == update.detail.id == "9071"
    alone = fill(id="9072")
    _, derived = fed(Pipeline("main"), [alone.raw], alone.received_at)
    assert derived.detail == alone.detail
    assert alone.detail.id == "9072"


def test_a_pushed_fill_has_no_id_of_the_order() -> None:
    assert fill(origin="stream").detail.id == ""
    with pytest.raises(TypeError, match="id: a fill that V1 pushes has none"):
        fill(origin="stream", id="9071")


def test_a_pushed_fill_is_read_from_its_own_text() -> None:
    event = fill(origin="stream", quantity="0.10000000000000000001", price=5)
    (told,) = fed(Pipeline("main"), [event.raw], event.received_at)
    assert told.message == event.message
    assert str(detail(event).quantity) == "0.10000000000000000001"


def test_errors_reach_on_error_as_they_were_given(recorder: Recorder) -> None:
    events = Events()
    decode = DecodeError("price: no number", '{"price": "x"}', "$.data.price")
    with PluginHost(recorder) as host:
        host.deliver(events.error("no margin"), events.error(ConnectError("refused", "wss://x")))
        host.deliver(events.error(decode))
    venue, connect, unread = [call.arguments["error"] for call in recorder.of("on_error")]
    assert (type(venue).__name__, str(venue)) == ("VenueError", "no margin")
    assert (type(connect), connect.address) == (ConnectError, "wss://x")
    assert (type(unread), unread.raw, unread.path) == (DecodeError, decode.raw, decode.path)
