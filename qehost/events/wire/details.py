"""Every field of the venue's object, exact, for whoever asks for it.  No I/O."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeAlias

from qehost.errors import DecodeError
from qehost.events.wire import lenient, plain_details, plain_v1_details
from qehost.events.wire.decoding import (
    BARE,
    LIKE_V1,
    V2_SHAPES,
    Shape,
    inner_text,
    is_v1,
    no_object,
    outer_fields,
    shape_of,
)
from qehost.events.wire.v1 import V1Fill, V1MasterOrder, V1Order
from qehost.events.wire.v2 import V2MasterOrder, V2Order
from qehost.messages import (
    AnyEvent,
    EventKind,
    FillDetail,
    FillEvent,
    MasterOrderDetail,
    MasterOrderEvent,
    OrderDetail,
    OrderEvent,
)

__all__ = ["detail", "detail_of", "detail_or_none", "object_detail"]

log = logging.getLogger("qehost.events")


def detail(event: AnyEvent) -> MasterOrderDetail | OrderDetail | FillDetail | None:
    """Every field of the venue's object, exact; None for an event of another kind.

    It is read from the event's `raw`, so it costs nothing until someone asks for it.  A field that
    can't be read is None.  Raises DecodeError only if `raw` is not the text that the event was made
    from.
    """
    if not isinstance(event, _WITH_DETAIL):
        return None
    if isinstance(event, FillEvent) and event.exact is not None:
        return event.exact
    is_bare = event.origin in BARE
    text = event.raw if is_bare else inner_text(event.raw)
    for plain in _PLAIN[text.startswith(LIKE_V1)][event.kind]:
        if (made := plain(text)) is not None:
            return made
    data = event.raw if is_bare else lenient.field(outer_fields(event.raw), "data")
    try:
        fields = lenient.fields_of(data)
    except ValueError as error:
        raise no_object(data, str(error), event.raw, "$" if is_bare else "$.data") from None
    type_ = "master_data" if isinstance(event, MasterOrderEvent) else "order_data"
    # REST's objects are V2's, whatever else stands in them; a baseline may be what V1 pushed.
    shape = None if is_bare and not is_v1(fields) else shape_of(type_, fields)
    return detail_of(shape or V2_SHAPES[type_], fields)


def detail_or_none(event: AnyEvent) -> MasterOrderDetail | OrderDetail | FillDetail | None:
    """As `detail`, for `event.detail` and the argument of hooks: it does not raise.

    None for an event without a text, which only tests make."""
    try:
        return detail(event)
    except DecodeError as error:
        if not event.raw:
            return None
        # Only if `raw` is another text than the one that the event was made from.  The message
        # itself is right, and a plugin that gets None as its detail fails visibly.
        log.error("account %s, event %d: no detail: %s", event.account, event.seq, error)
        return None


def object_detail(type_: str, text: str) -> MasterOrderDetail | OrderDetail | FillDetail:
    """The detail of a bare V2 object as REST has it; `type_` is `master_data` or `order_data`.

    Raises DecodeError.
    """
    try:
        return detail_of(V2_SHAPES[type_], lenient.fields_of(text))
    except ValueError as error:
        raise no_object(text, str(error), text, "$") from None


def detail_of(
    shape: type[Shape], fields: lenient.Fields, faults: list[Any] | None = None
) -> MasterOrderDetail | OrderDetail | FillDetail:
    """The detail of an inner object of this shape; what can't be read is added to `faults`."""
    cls, names = _DETAILS[shape]
    made: MasterOrderDetail | OrderDetail | FillDetail = lenient.build(cls, fields, faults, names)
    return made


_WITH_DETAIL = (MasterOrderEvent, OrderEvent, FillEvent)
_Plain: TypeAlias = Callable[[str], MasterOrderDetail | OrderDetail | FillDetail | None]
_PLAIN: tuple[dict[EventKind, tuple[_Plain, ...]], ...] = (
    {
        "master_order": (plain_details.master_order_detail,),
        "order": (plain_details.order_detail,),
        "fill": (),
    },
    {
        "master_order": (plain_v1_details.master_order_detail, plain_details.master_order_detail),
        "order": (plain_v1_details.order_detail, plain_details.order_detail),
        "fill": (plain_v1_details.fill_detail,),
    },
)
"""The fast ways, the likely one first: for what looks like V2's, and for what looks like V1's."""

_V2_MASTER_ORDER_NAMES = {n: lenient.camel_case(n) for n in MasterOrderDetail.__struct_fields__}
_V2_ORDER_NAMES = {n: lenient.camel_case(n) for n in OrderDetail.__struct_fields__}

# Attribute of the detail → name in V1.
_V1_MASTER_ORDER_NAMES = {
    "updated_at": "timestamp",
    "master_order_id": "master_order_id",
    "client_order_id": "client_id",
    "category": "category",
    "symbol": "symbol",
    "side": "side",
    "reduce_only": "reduce_only",
    "algorithm": "strategy",
    "total_quantity": "qty",
    "execution_duration_seconds": "duration_secs",
    "status": "status",
    "reject_reason": "reason",
}
_V1_ORDER_NAMES = {
    "order_created_time": "created_time",
    "master_order_id": "master_order_id",
    "category": "category",
    "symbol": "symbol",
    "side": "side",
    "filled_quantity": "cum_filled_qty",
    "average_price": "fill_price",
    "price": "price",
    "status": "status",
    "reject_reason": "reason",
    "order_type": "price_type",
    "order_id": "order_id",
    "quantity": "quantity",
    "updated_at": "timestamp",
}
_V1_FILL_NAMES = {
    "master_order_id": "master_order_id",
    "order_id": "order_id",
    "symbol": "symbol",
    "category": "category",
    "side": "side",
    "price": "fill_price",
    "quantity": "filled_qty",
    "fill_time": "fill_time",
}

_DETAILS: dict[type[Shape], tuple[Any, dict[str, str]]] = {
    V2MasterOrder: (MasterOrderDetail, _V2_MASTER_ORDER_NAMES),
    V2Order: (OrderDetail, _V2_ORDER_NAMES),
    V1MasterOrder: (MasterOrderDetail, _V1_MASTER_ORDER_NAMES),
    V1Order: (OrderDetail, _V1_ORDER_NAMES),
    V1Fill: (FillDetail, _V1_FILL_NAMES),
}
