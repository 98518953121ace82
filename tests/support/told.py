"""What plugins were told of orders, against what the venue knows: everything, and nothing twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, NamedTuple

from qehost.events.times import epoch_ms
from qehost.messages import Event
from qehost.simulator import Venue

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
        "redelivered": event.redelivered,
        "message": message.as_dict() if hasattr(message, "as_dict") else message,
    }


def missing(
    venue: Venue, records: Iterable[Record], account: int = 0, *, without_filled: bool = False
) -> list[str]:
    """The orders whose last state, as REST knows it, was not told.

    One that differs from the state before in its time alone, by less than a second, is no news: the
    venue does not say how exact its times are.  `without_filled`: in V1 master orders don't say how
    much of them is filled, so that more of it is no news either, whenever that was.
    """
    told: dict[str, set[tuple[str, int]]] = defaultdict(set)
    last: dict[str, tuple[str, int, float]] = {}
    for record in records:
        message = record.get("message")
        if record.get("kind") == "order":
            told[message["order_id"]].add((message["status"], message["timestamp"]))
            last[message["order_id"]] = _state(message, message["cum_filled_qty"])
        elif record.get("kind") == "master_order":
            told[message["master_order_id"]].add((message["status"], message["timestamp"]))
            last[message["master_order_id"]] = _state(message, 0.0)
    history = venue.accounts[account].history
    orders = history.order_fills({}, None, None)
    masters = history.master_orders({}, None, None)
    wanted = [
        (each.order_id, each.status, epoch_ms(each.updated_at), float(each.filled_quantity or 0))
        for each in orders
    ]
    wanted += [
        (each.master_order_id, each.status, epoch_ms(each.updated_at), 0.0) for each in masters
    ]
    if without_filled:
        for each in masters:
            if last.get(each.master_order_id, ("", 0, 0.0))[0] == each.status:
                told[each.master_order_id].add((each.status, epoch_ms(each.updated_at)))
    return [
        f"{order_id} {status} {updated}, told: {told[order_id]}"
        for order_id, status, updated, filled in wanted
        if (status, updated) not in told[order_id]
        and not _looks_the_same(last.get(order_id), (status, updated, filled))
    ]


def _state(message: Record, filled: float) -> tuple[str, int, float]:
    return message["status"], message["timestamp"], filled


def _looks_the_same(told: tuple[str, int, float] | None, now: tuple[str, int, float]) -> bool:
    return told is not None and told[::2] == now[::2] and 0 <= now[1] - told[1] < 1000


def check_once(records: Iterable[Record]) -> None:
    """One account's events: numbered without a gap, no message twice, no state of an order twice
    without a mark, and fills that add up to what was filled since the baseline, to the last digit:
    those that are marked are repeats, or are not.
    """
    records = [record for record in records if record.get("seq")]
    assert [record["seq"] for record in records] == list(range(1, len(records) + 1))
    ids: set[str] = set()
    states: dict[tuple[Any, ...], Record] = {}  # the events that told them last
    last: dict[str, tuple[Any, ...]] = {}  # by order
    for record in records:
        message = record["message"]
        if record["origin"] == "stream" and record["message_id"]:
            assert record["message_id"] not in ids, f"a message came twice: {record}"
            ids.add(record["message_id"])
        if record["kind"] == "order":
            key = message["order_id"]
            state = (key, message["timestamp"], message["status"], message["cum_filled_qty"])
            # A push is always told, also where REST told its state before: marked, unless REST
            # said something else in one of its other fields, or another push was told since.
            is_push = record["origin"] == "stream"
            before = states.get(state)
            if before and not record.get("redelivered", False):
                is_other = before["origin"] == "catch_up" and before["message"] != message
                is_back = is_push and last[key] != state
                assert is_other or is_back, f"a state came twice: {record}, before: {before}"
            states[state] = record
            last[key] = state
    wrong = {
        order_id: each
        for order_id, each in _filled(records).items()
        if not each.fills <= each.order <= each.fills + each.marked
    }
    assert not wrong, f"fills that don't add up: {wrong}"


def unfilled(records: Iterable[Record]) -> list[str]:
    """The orders of which more is filled than their fills say: V1 pushes those after the order."""
    return [
        order_id
        for order_id, each in _filled(records).items()
        if each.fills + each.marked < each.order
    ]


class _Filled(NamedTuple):
    """What is filled of an order: by its own messages; by its fills and its baseline; and by fills
    that are marked as told before."""

    order: Decimal = Decimal(0)
    fills: Decimal = Decimal(0)
    marked: Decimal = Decimal(0)


def _filled(records: Iterable[Record]) -> dict[str, _Filled]:
    found: dict[str, _Filled] = defaultdict(_Filled)
    for record in records:
        message = record.get("message")
        if record.get("kind") == "order":
            order, fills, marked = found[message["order_id"]]
            told = Decimal(repr(message["cum_filled_qty"]))
            base = told if record["origin"] == "baseline" else Decimal(0)
            found[message["order_id"]] = _Filled(max(order, told), fills + base, marked)
        elif record.get("kind") == "fill":
            order, fills, marked = found[message["order_id"]]
            told = Decimal(repr(message["filled_qty"]))
            if record.get("redelivered"):
                marked += told
            else:
                fills += told
            found[message["order_id"]] = _Filled(order, fills, marked)
    return found
