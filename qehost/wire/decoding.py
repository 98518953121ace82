"""Text of the stream → typed messages.  No I/O.

A message is read in two steps: the outer object with its `data`, and the object in `data`.  Each
step has a fast way, in which msgspec fills a struct in C, and a careful way (`lenient`) for what
the fast way refuses.  Both give equal results, so which one was taken can't be seen.

`decode` raises DecodeError and nothing else, whatever the text is.  What it accepts, `detail` and
`push_message` accept, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from qehost.errors import DecodeError
from qehost.messages import (
    AnyEvent,
    ClientPushMessage,
    FillDetail,
    FillEvent,
    FillMessage,
    MasterOrderDetail,
    MasterOrderEvent,
    MasterOrderMessage,
    OrderDetail,
    OrderEvent,
    OrderMessage,
    Origin,
)
from qehost.wire import lenient
from qehost.wire.shapes import (
    Unreadable,
    V1Fill,
    V1MasterOrder,
    V1Order,
    V2MasterOrder,
    V2Order,
    fill_message_v1,
    master_order_message,
    master_order_message_v1,
    order_message,
    order_message_v1,
)

__all__ = [
    "Decoded",
    "Outer",
    "Shape",
    "decode",
    "decode_object",
    "detail",
    "glance",
    "push_message",
    "read_inner",
    "read_outer",
    "unreadable",
]


class Outer(msgspec.Struct, rename={"message_id": "messageId"}, gc=False):
    """The outer message, without what only `push_message` needs."""

    type: str = ""
    message_id: str = ""
    data: str = ""


Shape: TypeAlias = V2MasterOrder | V2Order | V1MasterOrder | V1Order | V1Fill


class Decoded(msgspec.Struct, gc=False):
    """One message.

    `type` and `message_id` are the outer message's.  `message` is a documented message, the text
    of a `status` or an `error`, or None for a type that qehost does not know.  `shape` is the
    inner object that the message was made from, if there was one.
    """

    type: str
    message_id: str
    message: MasterOrderMessage | OrderMessage | FillMessage | str | None
    shape: Shape | None


# What msgspec raises: its own errors, RecursionError for deep nesting, and a UnicodeError for half
# of a surrogate pair in the text.
_REFUSED = (msgspec.MsgspecError, RecursionError, UnicodeError)

_OUTER = msgspec.json.Decoder(Outer)
_V1 = msgspec.json.Decoder(V1MasterOrder | V1Order | V1Fill, strict=False)
_V2: dict[str, Callable[[str], V2MasterOrder | V2Order]] = {
    "master_data": msgspec.json.Decoder(V2MasterOrder, strict=False).decode,
    "order_data": msgspec.json.Decoder(V2Order, strict=False).decode,
}
_V2_SHAPES: dict[str, type[Shape]] = {"master_data": V2MasterOrder, "order_data": V2Order}
_V1_SHAPES: dict[str, type[Shape]] = {
    "master_order": V1MasterOrder,
    "order": V1Order,
    "fill": V1Fill,
}
_MESSAGES: dict[type[Shape], Callable[[Any], MasterOrderMessage | OrderMessage | FillMessage]] = {
    V2MasterOrder: master_order_message,
    V2Order: order_message,
    V1MasterOrder: master_order_message_v1,
    V1Order: order_message_v1,
    V1Fill: fill_message_v1,
}
_TEXT_TYPES = ("status", "error")
_SHOWN = 60  # characters of a value in an error's text


def decode(text: str) -> Decoded | None:
    """One text frame as a message; None for a bare `pong`.  Raises DecodeError."""
    outer = read_outer(text)
    return None if outer is None else read_inner(outer, text)


def read_outer(text: str) -> Outer | None:
    """The outer message; None for a bare `pong`.  Raises DecodeError."""
    try:
        return _OUTER.decode(text)
    except _REFUSED:
        if text.strip() == "pong":
            return None
        fields = _outer_fields(text)
        return lenient.build(Outer, fields)


def read_inner(outer: Outer, text: str) -> Decoded:
    """What the outer message holds; `text` is for the error.  Raises DecodeError."""
    type_ = outer.type
    if type_ in _TEXT_TYPES:
        return Decoded(type_, outer.message_id, outer.data, None)
    try:
        return _read_object(type_, outer.message_id, outer.data)
    except Unreadable as error:
        raise unreadable(error, text) from None
    except ValueError as error:
        if type_ in _V2_SHAPES or type_ == "data":
            raise _no_object(outer.data, str(error), text, "$.data") from None
        return Decoded(type_, outer.message_id, None, None)


def glance(text: str) -> tuple[str, Shape] | None:
    """The message id and the inner object, by the fast way alone, without a message made of it.

    None: that is not enough for this text, `read_outer` and `read_inner` tell what it is.
    """
    try:
        outer = _OUTER.decode(text)
        if outer.type not in _TEXT_TYPES:
            return outer.message_id, _shape(outer.type, outer.data)
    except _REFUSED:
        pass
    return None


def decode_object(type_: str, text: str) -> Decoded:
    """A bare V2 object as REST has it; `type_` is `master_data` or `order_data`.

    Raises DecodeError.
    """
    to_message = _MESSAGES[_V2_SHAPES[type_]]
    try:
        try:
            shape: Shape = _V2[type_](text)
            message = to_message(shape)
        except (*_REFUSED, Unreadable):
            shape = lenient.build(_V2_SHAPES[type_], lenient.fields_of(text))
            message = to_message(shape)
        return Decoded(type_, "", message, shape)
    except Unreadable as error:
        raise unreadable(error, text, "catch_up") from None
    except ValueError as error:
        raise _no_object(text, str(error), text, "$") from None


def detail(event: AnyEvent) -> MasterOrderDetail | OrderDetail | FillDetail | None:
    """Every field of the venue's object, exact; None for an event of another kind.

    It is read from the event's `raw`, so it costs nothing until someone asks for it.  Raises
    DecodeError only if `raw` is not the text that the event was made from.
    """
    if not isinstance(event, MasterOrderEvent | OrderEvent | FillEvent):
        return None
    if isinstance(event, FillEvent) and event.exact is not None:
        return event.exact
    if event.origin == "catch_up":
        data, place = event.raw, "$"
    else:
        outer = read_outer(event.raw)
        data, place = "" if outer is None else outer.data, "$.data"
    try:
        return _detail(event, lenient.fields_of(data))
    except Unreadable as error:
        raise unreadable(error, event.raw, event.origin) from None
    except ValueError as error:
        raise _no_object(data, str(error), event.raw, place) from None


def push_message(text: str) -> ClientPushMessage:
    """The outer message in its documented form, `data` always as text.  Raises DecodeError."""
    fields = _outer_fields(text)
    return ClientPushMessage(*(_field(fields, n) for n in ClientPushMessage.__struct_fields__))


# --- the inner object ---------------------------------------------------------------------------


def _read_object(type_: str, message_id: str, data: str) -> Decoded:
    """Raises Unreadable for a field, and ValueError for what is not a JSON object."""
    try:
        shape = _shape(type_, data)
        return Decoded(type_, message_id, _MESSAGES[type(shape)](shape), shape)
    except (*_REFUSED, Unreadable):
        return _read_carefully(type_, message_id, data)


def _shape(type_: str, data: str) -> Shape:
    """The fast way; raises one of _REFUSED where it is not enough."""
    # A guess at V1 that costs little when it is wrong: then the V2 struct has a `type`.
    if type_ in _V2 and not data.startswith('{"type":'):
        v2 = _V2[type_](data)
        if not v2.type:
            return v2
    v1: Shape = _V1.decode(data)
    return v1


def _read_carefully(type_: str, message_id: str, data: str) -> Decoded:
    fields = lenient.fields_of(data)
    cls = _V1_SHAPES.get(inner := _field(fields, "type"))
    # In an object that has V2's names, a `type` that V1 does not have is one field more.
    if cls is None and (not inner or _field(fields, "masterOrderId")):
        cls = _V2_SHAPES.get(type_)
    if cls is None:
        return Decoded(type_, message_id, None, None)
    shape = lenient.build(cls, fields)
    return Decoded(type_, message_id, _MESSAGES[cls](shape), shape)


# --- details ------------------------------------------------------------------------------------

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


def _detail(
    event: MasterOrderEvent | OrderEvent | FillEvent, fields: lenient.Fields
) -> MasterOrderDetail | OrderDetail | FillDetail:
    v1 = event.origin == "stream" and _field(fields, "type") in _V1_SHAPES
    match event:
        case FillEvent():
            return lenient.build(FillDetail, fields, _V1_FILL_NAMES)
        case OrderEvent():
            return lenient.build(OrderDetail, fields, _V1_ORDER_NAMES if v1 else _V2_ORDER_NAMES)
        case MasterOrderEvent():
            return _master_order_detail_v1(fields) if v1 else _master_order_detail(fields)


def _master_order_detail(fields: lenient.Fields) -> MasterOrderDetail:
    names = _V2_MASTER_ORDER_NAMES
    if not _field(fields, "apiKeyId"):
        names = names | {"api_key_id": "apiKeyUuid"}
    return lenient.build(MasterOrderDetail, fields, names)


def _master_order_detail_v1(fields: lenient.Fields) -> MasterOrderDetail:
    try:
        return lenient.build(MasterOrderDetail, fields, _V1_MASTER_ORDER_NAMES)
    except Unreadable as error:
        # V1 documents it as a float.  Where it is not whole it has no place here, and its message
        # has it.
        if error.field != "duration_secs":
            raise
        whole = {n: name for n, name in _V1_MASTER_ORDER_NAMES.items() if name != "duration_secs"}
        return lenient.build(MasterOrderDetail, fields, whole)


def _field(fields: lenient.Fields, name: str) -> str:
    return lenient.text(fields[name]) if name in fields else ""


# --- errors -------------------------------------------------------------------------------------


def _outer_fields(text: str) -> lenient.Fields:
    try:
        return lenient.fields_of(text)
    except ValueError as error:
        raise _no_object(text, str(error), text, "$") from None


def unreadable(error: Unreadable, text: str, origin: Origin = "stream") -> DecodeError:
    """The error for one field of the inner object that can't be read; `text` is the whole text."""
    path = f"{'$' if origin == 'catch_up' else '$.data'}.{error.field}"
    return DecodeError(f"{path}: {_shown(error.value)} {error.why}", text, path)


def _no_object(data: str, why: str, text: str, path: str) -> DecodeError:
    what = _shown(data) if data else "nothing"
    return DecodeError(f"{path}: a JSON object was expected, not {what} ({why})", text, path)


def _shown(value: str) -> str:
    return repr(value if len(value) <= _SHOWN else value[:_SHOWN] + "…")
