"""The venue's V1 objects as structs: the documented messages themselves, as objects.

Almost all have these fields and no others, which takes less time to read than to look for other
names as well.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TypeAlias

import msgspec

from qehost.events.times import MILLISECONDS_FROM
from qehost.events.wire.aliases import refusing
from qehost.events.wire.values import (
    Float,
    FractionalSeconds,
    Millis,
    MillisOrZero,
    Seconds,
    Unreadable,
)
from qehost.messages import FillMessage, MasterOrderMessage, OrderMessage

__all__ = [
    "NAMES",
    "V1Fill",
    "V1MasterOrder",
    "V1Order",
    "V1Shape",
    "decode",
    "decode_more",
    "fill_message",
    "master_order_message",
    "order_message",
    "unchecked_order_message",
]


class V1MasterOrder(
    msgspec.Struct, forbid_unknown_fields=True, tag_field="type", tag="master_order", gc=False
):
    master_order_id: str = ""
    client_id: str = ""
    strategy: str = ""
    symbol: str = ""
    side: str = ""
    qty: Float = 0.0
    duration_secs: Float = 0.0
    category: str = ""
    action: str = ""
    reduce_only: bool = False
    status: str = ""
    date: FractionalSeconds = 0.0
    ticktime_int: Seconds = 0
    ticktime_ms: Millis = 0
    reason: str = ""
    timestamp: Millis = 0


class V1Order(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", tag="order", gc=False):
    master_order_id: str = ""
    order_id: str = ""
    symbol: str = ""
    category: str = ""
    side: str = ""
    price: Float = 0.0
    quantity: Float = 0.0
    status: str = ""
    created_time: Millis = 0
    fill_qty: Float = 0.0
    fill_price: Float = 0.0
    cum_filled_qty: Float = 0.0
    quantity_remaining: Float = 0.0
    ack_time: MillisOrZero = 0
    last_fill_time: MillisOrZero = 0
    cancel_time: MillisOrZero = 0
    price_type: str = ""
    reason: str = ""
    timestamp: Millis = 0


class V1Fill(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", tag="fill", gc=False):
    master_order_id: str = ""
    order_id: str = ""
    symbol: str = ""
    category: str = ""
    side: str = ""
    fill_price: Float = 0.0
    filled_qty: Float = 0.0
    fill_time: Millis = 0
    timestamp: Millis = 0


V1Shape: TypeAlias = V1MasterOrder | V1Order | V1Fill


_WITH_OTHER_NAMES: dict[type[V1Shape], type[V1Shape]] = {
    V1MasterOrder: refusing("clientId", "totalQuantity", "algorithm", "durationSecs", "reduceOnly")(
        V1MasterOrder
    ),
    V1Order: refusing(
        *("fillQty", "cumFilledQty", "fillPrice", "avgPrice", "createdTime", "ackTime"),
        "priceType",
    )(V1Order),
    V1Fill: refusing("filledQty", "fillPrice", "fillTime")(V1Fill),
}
NAMES = {cls: other.__struct_encode_fields__ for cls, other in _WITH_OTHER_NAMES.items()}
"""Of each the names of its fields, and those that the fast way refuses."""
_PLAIN = {other: cls for cls, other in _WITH_OTHER_NAMES.items()}
_decode_other = msgspec.json.Decoder(reduce(or_, _PLAIN), strict=False).decode

decode = msgspec.json.Decoder(V1Shape, strict=False).decode
"""The fast way for an object that has no other fields.  Raises what msgspec raises."""


def decode_more(data: str) -> V1Shape:
    """The fast way for an object that has further fields, unless they are other names of these.
    Raises what msgspec raises."""
    shape: V1Shape = _decode_other(data)
    cls = _PLAIN[type(shape)]
    return cls(*msgspec.structs.astuple(shape)[: len(cls.__struct_fields__)])


def master_order_message(order: V1MasterOrder) -> MasterOrderMessage:
    return MasterOrderMessage("master_order", *msgspec.structs.astuple(order))


def order_message(order: V1Order) -> OrderMessage:
    if order.fill_qty and not order.cum_filled_qty:
        order.cum_filled_qty = order.fill_qty
    return OrderMessage("order", *msgspec.structs.astuple(order))


def unchecked_order_message(order: V1Order) -> OrderMessage:
    """Of an order that the fast way has filled.

    Raises Unreadable where a time is so small that it must be in seconds.
    """
    if (
        (order.ack_time < MILLISECONDS_FROM and order.ack_time)
        or (order.last_fill_time < MILLISECONDS_FROM and order.last_fill_time)
        or (order.cancel_time < MILLISECONDS_FROM and order.cancel_time)
    ):
        raise Unreadable("timestamp", str(order.timestamp), "is not in the unit of the others")
    if order.fill_qty and not order.cum_filled_qty:
        order.cum_filled_qty = order.fill_qty
    return OrderMessage("order", *msgspec.structs.astuple(order))


def fill_message(fill: V1Fill) -> FillMessage:
    return FillMessage("fill", *msgspec.structs.astuple(fill))
