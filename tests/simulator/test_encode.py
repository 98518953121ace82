"""What the venue writes is what PROTOCOL says, and reads back without a loss."""

from __future__ import annotations

import json
from typing import Any

from fed import fed
from hypothesis import given, settings
from hypothesis import strategies as st

from qehost.events import wire
from qehost.events.pipeline import Pipeline
from qehost.messages import (
    FillEvent,
    MasterOrderDetail,
    MasterOrderMessage,
    OrderDetail,
    OrderMessage,
)
from qehost.simulator.encode import MessageVersion, pushes
from qehost.simulator.market import Market
from qehost.simulator.orders import OrderUpdate

NOW = 1_735_372_000_000
MASTER_FIELDS = """
    createdAt updatedAt masterOrderId clientOrderId apiKeyId tradingAccount exchange
    marketType category symbol baseCurrency quoteCurrency side marginType reduceOnly isMargin
    algorithm totalQuantity orderNotional startTimeMs executionDurationSeconds worstPrice
    mustComplete makerRateLimit povLimit povMinLimit upTolerance lowTolerance strictUpBound
    tailOrderProtection enableMake isTargetPosition notes status rejectReason finishedMs
    cumFilledQty cumFilledNotional avgFilledPrice makerRate completedQuantity commission
    triggerPrice triggerPrice1 maxTriggerWaitSecs maxTriggerWaitTimeoutAction
"""
ORDER_FIELDS = """
    id orderCreatedTime masterOrderId exchange category symbol side filledNotional
    filledQuantity averagePrice price status rejectReason baseCurrency quoteCurrency orderType
    orderId quantity createdAt updatedAt
"""
V1_FIELDS = {
    "master_order": """type master_order_id client_id strategy symbol side qty duration_secs
        category action reduce_only status date ticktime_int ticktime_ms reason timestamp""",
    "order": """type master_order_id order_id symbol category side price quantity status
        created_time fill_qty fill_price cum_filled_qty quantity_remaining ack_time last_fill_time
        cancel_time price_type reason timestamp""",
    "fill": """type master_order_id order_id symbol category side fill_price filled_qty fill_time
        timestamp""",
}


def history(seed: int, count: int) -> list[OrderUpdate]:
    market = Market(seed, NOW)
    return [market.step(NOW + 7 * number) for number in range(count)]


def messages(update: OrderUpdate, form: MessageVersion, **options: Any) -> list[dict[str, Any]]:
    return [json.loads(text) for _, text in pushes(update, "m-1", "user-1", form, **options)]


def test_a_v2_object_has_every_documented_field_in_the_documented_order() -> None:
    for update in history(0, 300):
        (message,) = messages(update, "v2")
        inner = json.loads(message["data"])
        master = isinstance(update.subject, MasterOrderDetail)

        assert list(message) == ["type", "messageId", "userId", "data"]
        assert message["type"] == ("master_data" if master else "order_data")
        assert list(inner) == (MASTER_FIELDS if master else ORDER_FIELDS).split()


def test_v2_writes_decimals_and_64_bit_integers_as_strings() -> None:
    masters, orders = [], []
    for update in history(0, 300):
        inner = json.loads(messages(update, "v2")[0]["data"])
        (masters if isinstance(update.subject, MasterOrderDetail) else orders).append(inner)

    for inner in masters:
        assert isinstance(inner["cumFilledQty"], str)
        assert isinstance(inner["startTimeMs"], str)
        assert inner["worstPrice"] == "-1"
        assert all(isinstance(amount, str) for amount in inner["commission"].values())
    for inner in orders:
        assert inner["orderCreatedTime"].isdigit()
        assert "E" not in inner["filledNotional"] + inner["price"] + inner["quantity"]


def test_v1_tells_a_fill_in_a_message_of_its_own() -> None:
    seen = set()
    for update in history(0, 300):
        told = messages(update, "v1")
        inner = [json.loads(message["data"]) for message in told]
        for each in inner:
            assert list(each) == V1_FIELDS[each["type"]].split()
            seen.add(each["type"])
        if update.fill is not None:
            assert [each["type"] for each in inner] == ["order", "fill"]
            assert [message["messageId"] for message in told] == ["m-1", "m-1f"]
            assert inner[1]["filled_qty"] == float(update.fill.quantity or 0)
        else:
            assert len(inner) == 1

    assert seen == {"master_order", "order", "fill"}


def test_data_can_be_the_object_itself() -> None:
    update = history(0, 1)[0]

    (as_text,), (as_object,) = messages(update, "v2"), messages(update, "v2", as_object=True)

    assert json.loads(as_text["data"]) == as_object["data"]


@settings(max_examples=8, deadline=None)
@given(st.integers(), st.booleans())
def test_what_the_venue_writes_in_v2_reads_back_without_a_loss(seed: int, as_object: bool) -> None:
    pipeline = Pipeline("main")
    for number, update in enumerate(history(seed, 200)):
        ((_, text),) = pushes(update, f"m-{number}", "user-1", "v2", as_object=as_object)

        first, *derived = fed(pipeline, [text.decode()], 1)

        assert wire.detail(first) == update.subject
        assert [wire.detail(event) for event in derived] == ([update.fill] if update.fill else [])


@settings(max_examples=8, deadline=None)
@given(st.integers())
def test_what_the_venue_writes_in_v1_reads_back(seed: int) -> None:
    pipeline = Pipeline("main")
    for number, update in enumerate(history(seed, 200)):
        texts = [text.decode() for _, text in pushes(update, f"m-{number}", "user-1", "v1")]

        events = fed(pipeline, texts, 1)

        subject = update.subject
        if isinstance(subject, OrderDetail):
            order = events[0].message
            assert isinstance(order, OrderMessage)
            assert order.cum_filled_qty == float(subject.filled_quantity or 0)
            assert (order.order_id, order.status) == (subject.order_id, subject.status)
            assert [type(event) for event in events[1:]] == ([FillEvent] if update.fill else [])
        else:
            assert isinstance(events[0].message, MasterOrderMessage)
            assert events[0].message.status == subject.status
