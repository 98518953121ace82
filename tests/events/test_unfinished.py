"""Which orders are asked for after a gap, because they may have changed in it."""

from __future__ import annotations

import json
from typing import Any

from qehost.events.pipeline import Pipeline
from qehost.events.rest_objects import decode_rest
from qehost.events.unfinished import ChildIds, Unfinished

AT = 1_790_000_000 * 10**9


def message(type_: str, number: int, fields: dict[str, Any]) -> str:
    outer = {"type": type_, "messageId": f"{type_}-{number}", "data": json.dumps(fields)}
    return json.dumps(outer)


def child(number: int, status: str, **ids: str) -> str:
    return message("order_data", number, {"masterOrderId": "m1", "status": status, **ids})


def master(number: int, status: str, **ids: str) -> str:
    return message("master_data", number, {"status": status, **ids})


def fed(*texts: str) -> Unfinished:
    pipeline = Pipeline("main")
    pipeline.feed(texts, AT)
    return pipeline.unfinished()


def test_orders_that_have_not_ended_with_the_ids_by_which_rest_can_be_asked() -> None:
    found = fed(
        master(1, "PROCESSING", masterOrderId="m1"),
        master(2, "WAITING", masterOrderId="m2"),
        child(3, "PLACED", id="7", orderId="x7"),
        child(4, "Cancelack", id="8"),
        child(5, "PLACED", orderId="x9"),
    )
    assert found.masters == ["m1", "m2"]
    assert {(each.master_id, each.order_id or each.venue_id) for each in found.children} == {
        ("m1", "x7"),
        ("m1", "8"),
        ("m1", "x9"),
    }


def test_orders_that_have_ended_are_not_among_them() -> None:
    found = fed(
        master(1, "PROCESSING", masterOrderId="m1"),
        child(2, "PLACED", id="7"),
        child(3, "FILLED", id="7"),
        child(4, "CANCELLED", id="8"),
        child(5, "REJECTED", id="9"),
        master(6, "COMPLETED_WITHTAIL", masterOrderId="m1"),
        master(7, "EXPIRED", masterOrderId="m3"),
    )
    assert found == Unfinished([], [])


def test_an_order_of_v1_that_ended_is_among_them_until_its_fills_add_up() -> None:
    ids = {"master_order_id": "m1", "order_id": "x1"}
    order = {"type": "order", **ids, "status": "FILLED", "quantity": 15.5, "cum_filled_qty": 15.5}
    fills = [{"type": "fill", **ids, "filled_qty": each, "fill_price": 1} for each in (14.1, 1.4)]
    pushed = [message("data", number, fields) for number, fields in enumerate([order, *fills])]
    missing = [ChildIds("m1", "x1", "")]
    assert fed(pushed[0]).children == missing
    assert fed(pushed[0], pushed[2]).children == missing
    assert fed(*pushed).children == []
    whole = json.dumps(
        {
            "masterOrderId": "m1",
            "orderId": "x1",
            "status": "FILLED",
            "filledQuantity": "15.5",
            "filledNotional": "15.5",
        }
    )
    pipeline = Pipeline("main")
    pipeline.feed([pushed[0], pushed[2]], AT)
    pipeline.catch_up(decode_rest([], [whole]), AT)
    assert pipeline.unfinished().children == []
