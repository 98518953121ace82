"""Updates as the venue writes them: V2 and V1 inner objects in the outer message.  Pure.

Each function gives JSON texts as bytes, ready for a frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, TypeAlias

import msgspec

from qehost.messages import FillDetail, MasterOrderDetail, OrderDetail
from qehost.simulator.orders import OrderUpdate

__all__ = ["MessageVersion", "outer", "pushes", "v1_objects", "v2_object"]

MessageVersion: TypeAlias = Literal["v1", "v2"]

_encoder = msgspec.json.Encoder(decimal_format="string")


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


# The durations are 32 bits wide and stay numbers; what is 64 bits wide goes as a string.
_AS_STRING = frozenset({"start_time_ms", "finished_ms", "order_created_time"})
_V2_NAMES = {
    kind: [(name, _camel(name), name in _AS_STRING) for name in kind.__struct_fields__]
    for kind in (MasterOrderDetail, OrderDetail)
}


def _plain(number: Decimal) -> str:
    """Without an exponent, every digit kept."""
    return format(number, "f")


def v2_object(subject: MasterOrderDetail | OrderDetail) -> dict[str, Any]:
    """The V2 object, every documented field in the documented order.

    A missing number is `""`.
    """
    result: dict[str, Any] = {}
    for name, camel, as_string in _V2_NAMES[type(subject)]:
        value = getattr(subject, name)
        if isinstance(value, Decimal):
            value = _plain(value)
        elif value is None:
            value = ""
        elif as_string:
            value = str(value)
        elif name == "max_trigger_wait_timeout_action" and value:
            value = int(value)  # a code that the venue writes as a number
        elif name == "commission":
            value = {currency: _plain(amount) for currency, amount in value.items()}
        result[camel] = value
    return result


def _epoch_ms(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1000)


def v1_objects(update: OrderUpdate) -> Iterator[dict[str, Any]]:
    """The V1 objects: a master order, or a child order and the fill that changed it."""
    if isinstance(update.subject, MasterOrderDetail):
        yield _v1_master_order(update.subject)
    else:
        yield _v1_order(update.subject, update.fill)
        if update.fill is not None:
            yield _v1_fill(update.fill)


def _v1_master_order(detail: MasterOrderDetail) -> dict[str, Any]:
    updated = _epoch_ms(detail.updated_at)
    return {
        "type": "master_order",
        "master_order_id": detail.master_order_id,
        "client_id": detail.client_order_id,
        "strategy": detail.algorithm,
        "symbol": detail.symbol,
        "side": detail.side,
        "qty": _number(detail.total_quantity),
        "duration_secs": float(detail.execution_duration_seconds or 0),
        "category": detail.category,
        "action": "",
        "reduce_only": bool(detail.reduce_only),
        "status": detail.status,
        "date": updated / 1000,
        "ticktime_int": updated // 1000,
        "ticktime_ms": updated,
        "reason": detail.reject_reason,
        "timestamp": updated,
    }


def _v1_order(detail: OrderDetail, fill: FillDetail | None) -> dict[str, Any]:
    updated = _epoch_ms(detail.updated_at)
    quantity, filled = detail.quantity or Decimal(0), detail.filled_quantity or Decimal(0)
    return {
        "type": "order",
        "master_order_id": detail.master_order_id,
        "order_id": detail.order_id,
        "symbol": detail.symbol,
        "category": detail.category,
        "side": detail.side,
        "price": _number(detail.price),
        "quantity": _number(quantity),
        "status": detail.status,
        "created_time": detail.order_created_time,
        "fill_qty": _number(fill.quantity if fill else None),
        "fill_price": _number(fill.price if fill else None),
        "cum_filled_qty": _number(filled),
        "quantity_remaining": _number(quantity - filled),
        "ack_time": detail.order_created_time,
        "last_fill_time": fill.fill_time if fill else 0,
        "cancel_time": updated if detail.status == "CANCELLED" else 0,
        "price_type": detail.order_type,
        "reason": detail.reject_reason,
        "timestamp": updated,
    }


def _v1_fill(fill: FillDetail) -> dict[str, Any]:
    return {
        "type": "fill",
        "master_order_id": fill.master_order_id,
        "order_id": fill.order_id,
        "symbol": fill.symbol,
        "category": fill.category,
        "side": fill.side,
        "fill_price": _number(fill.price),
        "filled_qty": _number(fill.quantity),
        "fill_time": fill.fill_time,
        "timestamp": fill.fill_time,
    }


def _number(value: Decimal | None) -> float:
    return float(value or 0)


def outer(
    kind: str, message_id: str, user_id: str, data: str | dict[str, Any], *, as_object: bool = False
) -> bytes:
    """The outer message; an object in `data` is serialised into a string unless `as_object`."""
    if not isinstance(data, str) and not as_object:
        data = _encoder.encode(data).decode()
    return _encoder.encode({"type": kind, "messageId": message_id, "userId": user_id, "data": data})


def pushes(
    update: OrderUpdate,
    message_id: str,
    user_id: str,
    form: MessageVersion,
    *,
    as_object: bool = False,
) -> list[tuple[str, bytes]]:
    """The messages of one update, each with its message id.

    In V1 a child order and its fill are two messages, and the fill's id is the order's followed by
    `f`; every other update is one message.
    """
    kind = "master_data" if isinstance(update.subject, MasterOrderDetail) else "order_data"
    objects = [v2_object(update.subject)] if form == "v2" else list(v1_objects(update))
    ids = (message_id, message_id + "f")
    return [
        (each, outer(kind, each, user_id, data, as_object=as_object))
        for each, data in zip(ids, objects, strict=False)
    ]
