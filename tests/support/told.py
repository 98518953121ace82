"""What plugins were told of orders, against what the venue knows: everything, and nothing twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, NamedTuple

from qehost.messages import Event
from qehost.simulator import Venue
from qehost.times import epoch_ms

__all__ = ["check_once", "missing", "record_of", "unfilled"]

Record = dict[str, Any]


def record_of(event: Event) -> Record:
    """An event as the recorder would write it."""
    message = event.message
    return {
        "kind": event.kind,
        "seq": event.seq,
        "account": event.account,
        "message_id": event.message_id,
        "origin": event.origin,
        "message": message.as_dict() if hasattr(message, "as_dict") else message,
    }


def missing(venue: Venue, records: Iterable[Record], account: int = 0) -> list[str]:
    """The orders whose last state, as REST knows it, was not told."""
    told: dict[str, set[tuple[str, int]]] = defaultdict(set)
    for record in records:
        message = record.get("message")
        if record.get("kind") == "order":
            told[message["order_id"]].add((message["status"], message["timestamp"]))
        elif record.get("kind") == "master_order":
            told[message["master_order_id"]].add((message["status"], message["timestamp"]))
    history = venue.accounts[account].history
    orders = history.order_fills({}, None, None)
    masters = history.master_orders({}, None, None)
    wanted = [(each.order_id, each.status, epoch_ms(each.updated_at)) for each in orders]
    wanted += [(each.master_order_id, each.status, epoch_ms(each.updated_at)) for each in masters]
    return [
        f"{order_id} {status} {updated}, told: {told[order_id]}"
        for order_id, status, updated in wanted
        if (status, updated) not in told[order_id]
    ]


def check_once(records: Iterable[Record]) -> None:
    """One account's events: numbered without a gap, no message and no state of an order twice, and
    fills that add up to what was filled, to the last digit."""
    records = [record for record in records if record.get("seq")]
    assert [record["seq"] for record in records] == list(range(1, len(records) + 1))
    ids: set[str] = set()
    states: set[tuple[Any, ...]] = set()
    for record in records:
        message = record["message"]
        if record["origin"] == "stream" and record["message_id"]:
            assert record["message_id"] not in ids, f"a message came twice: {record}"
            ids.add(record["message_id"])
        if record["kind"] == "order":
            key = message["order_id"]
            state = (key, message["timestamp"], message["status"], message["cum_filled_qty"])
            assert state not in states, f"a state came twice: {record}"
            states.add(state)
    wrong = {
        order_id: each for order_id, each in _filled(records).items() if each.fills != each.order
    }
    assert not wrong, f"fills that don't add up: {wrong}"


def unfilled(records: Iterable[Record]) -> list[str]:
    """The orders of which more is filled than their fills say: V1 pushes those after the order."""
    return [order_id for order_id, each in _filled(records).items() if each.fills < each.order]


class _Filled(NamedTuple):
    """What is filled of an order: by its own messages, and by its fills."""

    order: Decimal = Decimal(0)
    fills: Decimal = Decimal(0)


def _filled(records: Iterable[Record]) -> dict[str, _Filled]:
    found: dict[str, _Filled] = defaultdict(_Filled)
    for record in records:
        message = record.get("message")
        if record.get("kind") == "order":
            order, fills = found[message["order_id"]]
            told = Decimal(repr(message["cum_filled_qty"]))
            found[message["order_id"]] = _Filled(max(order, told), fills)
        elif record.get("kind") == "fill":
            order, fills = found[message["order_id"]]
            told = Decimal(repr(message["filled_qty"]))
            found[message["order_id"]] = _Filled(order, fills + told)
    return found
