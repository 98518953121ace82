"""Rows made of events.  No I/O."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from operator import attrgetter
from typing import Any, TypeAlias

from qehost.messages import (
    AnyEvent,
    ConnectedEvent,
    DisconnectedEvent,
    ErrorEvent,
    MasterOrderDetail,
    MasterOrderEvent,
    OrderDetail,
    OrderEvent,
    StatusEvent,
    UnknownEvent,
)

from qehost_store.tables import MASTER_ORDER_FIELDS, ORDER_FIELDS

__all__ = [
    "Row",
    "clean",
    "commission_rows",
    "connection_row",
    "magnitude",
    "master_order_row",
    "moment_of_ms",
    "order_row",
    "problem_row",
    "received",
]

Row: TypeAlias = dict[str, Any]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_MS = 253_402_300_799_999
"""The end of the year 9999."""
_MASTER_NAMES = tuple(MASTER_ORDER_FIELDS)
_MASTER_VALUES = attrgetter(*_MASTER_NAMES)
_ORDER_NAMES = tuple(ORDER_FIELDS)
_ORDER_VALUES = attrgetter(*_ORDER_NAMES)
# PostgreSQL's text has no NUL.  In the text of an event it is written so.
_NUL = "\\u0000"


def moment_of_ms(milliseconds: int | None) -> datetime | None:
    """None for a time that is not known, or beyond the year 9999."""
    if not milliseconds or not 0 < milliseconds <= LAST_MS:
        return None
    return EPOCH + timedelta(milliseconds=milliseconds)


def magnitude(value: Decimal | None) -> Decimal | None:
    """Without its sign; None where it is no number."""
    if value is None or not value.is_finite():
        return None
    return value.copy_abs()


def received(event: AnyEvent) -> Row:
    at = event.received_at
    return {"received_at": EPOCH + timedelta(microseconds=at // 1000), "received_at_ns": at}


def clean(row: Row, raw: str) -> Row:
    """Without the one character that PostgreSQL can't store in a text."""
    if _NUL not in raw and "\0" not in raw:
        return row
    return {
        name: value.replace("\0", "�") if isinstance(value, str) else value
        for name, value in row.items()
    }


def _state(event: MasterOrderEvent | OrderEvent, first_seq: int) -> Row:
    changed = event.message.timestamp
    return {
        "account": event.account,
        "changed_ms": changed or None,
        "changed_at": moment_of_ms(changed),
        "first_seq": first_seq,
        "last_seq": event.seq,
        "journal_id": event.journal_id,
        "origin": event.origin,
        **received(event),
    }


def master_order_row(event: MasterOrderEvent, detail: MasterOrderDetail, first_seq: int) -> Row:
    row = dict(zip(_MASTER_NAMES, _MASTER_VALUES(detail), strict=True))
    row.update(_state(event, first_seq))
    return clean(row, event.raw)


def commission_rows(event: MasterOrderEvent, detail: MasterOrderDetail) -> list[Row]:
    key = {"account": event.account, "master_order_id": detail.master_order_id}
    return [
        clean({**key, "currency": currency, "amount": amount}, event.raw)
        for currency, amount in detail.commission.items()
    ]


def order_row(event: OrderEvent, detail: OrderDetail, id_: str, first_seq: int) -> Row:
    row = dict(zip(_ORDER_NAMES, _ORDER_VALUES(detail), strict=True))
    row.update(_state(event, first_seq))
    row["id"] = id_
    return clean(row, event.raw)


def connection_row(event: ConnectedEvent | DisconnectedEvent | StatusEvent) -> Row:
    row: Row = {
        "account": event.account,
        "journal_id": event.journal_id,
        "seq": event.seq,
        "kind": event.kind,
        **dict.fromkeys(
            "url attempt reason code down_since up_at up_since last_heard".split()  # noqa: SIM905
        ),
        **received(event),
    }
    if isinstance(event, StatusEvent):
        row["reason"] = event.message
    else:
        row.update(event.message.as_dict())
    return clean(row, event.raw)


def problem_row(event: ErrorEvent | UnknownEvent) -> Row:
    row: Row = {
        "account": event.account,
        "journal_id": event.journal_id,
        "seq": event.seq,
        "code": "unknown",
        "text": event.raw,
        "facts": None,
        **received(event),
    }
    if isinstance(event, ErrorEvent):
        problem = event.message
        row.update(code=problem.code, text=problem.text, facts=json.dumps(problem.facts))
    return clean(row, event.raw)
