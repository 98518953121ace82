"""Text of the stream → typed messages.  No I/O.

A message is read in two steps: the outer object with its `data`, and the object in `data`.  Each
step has a fast way, in which msgspec fills a struct in C, and a careful way (`lenient`) for what
the fast way refuses.  Both give equal results, so which one was taken can't be seen.

A field that can't be read costs that field alone: the message has its default, its `detail` None,
and `Decoded.faults` names it.  `decode` raises DecodeError, and nothing else, where there is no
object at all.  What it accepts, `detail` and `push_message` accept, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from qehost.errors import DecodeError
from qehost.events.wire import lenient
from qehost.events.wire.v1 import NAMES, V1Fill, V1MasterOrder, V1Order
from qehost.events.wire.v1 import decode as decode_v1
from qehost.events.wire.v1 import decode_more as decode_more_v1
from qehost.events.wire.v1 import fill_message as fill_message_v1
from qehost.events.wire.v1 import master_order_message as master_order_message_v1
from qehost.events.wire.v1 import order_message as order_message_v1
from qehost.events.wire.v1 import unchecked_order_message as unchecked_order_message_v1
from qehost.events.wire.v2 import (
    V2MasterOrder,
    V2Order,
    changed_ms,
    master_order_message,
    order_message,
)
from qehost.events.wire.values import Unreadable
from qehost.messages import (
    ClientPushMessage,
    EventKind,
    FillMessage,
    MasterOrderMessage,
    OrderMessage,
    Origin,
)

__all__ = [
    "BARE",
    "LIKE_V1",
    "V2_SHAPES",
    "Decoded",
    "Outer",
    "Shape",
    "decode",
    "decode_object",
    "glance",
    "inner_text",
    "is_in_message",
    "kind_at_sight",
    "push_message",
    "read_carefully",
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
    inner object that the message was made from, if there was one; `faults` are the fields in it
    that can't be read.
    """

    type: str
    message_id: str
    message: MasterOrderMessage | OrderMessage | FillMessage | str | None
    shape: Shape | None
    faults: tuple[Unreadable, ...] = ()


# What msgspec raises: its own errors, RecursionError for deep nesting, and a UnicodeError for half
# of a surrogate pair in the text.
_REFUSED = (msgspec.MsgspecError, RecursionError, UnicodeError)

_decode_outer = msgspec.json.Decoder(Outer).decode
LIKE_V1 = '{"type":'
"""A guess at V1 that costs little when it is wrong: then the V2 struct has a `type`."""
_V2: dict[str, Callable[[str], V2MasterOrder | V2Order]] = {
    "master_data": msgspec.json.Decoder(V2MasterOrder, strict=False).decode,
    "order_data": msgspec.json.Decoder(V2Order, strict=False).decode,
}
V2_SHAPES: dict[str, type[Shape]] = {"master_data": V2MasterOrder, "order_data": V2Order}
_V1_SHAPES: dict[str, type[Shape]] = {
    "master_order": V1MasterOrder,
    "order": V1Order,
    "fill": V1Fill,
}
_Maker: TypeAlias = Callable[[Any], MasterOrderMessage | OrderMessage | FillMessage]
_MESSAGES: dict[type[Shape], _Maker] = {
    V2MasterOrder: master_order_message,
    V2Order: order_message,
    V1MasterOrder: master_order_message_v1,
    V1Order: order_message_v1,
    V1Fill: fill_message_v1,
}
_FAST_MESSAGES = _MESSAGES | {V1Order: unchecked_order_message_v1}
BARE: tuple[Origin, ...] = ("catch_up", "baseline")
"""Origins of events whose text is a bare object."""
_TEXT_TYPES = ("status", "error")
_OBJECT_TYPES = ("data", "master_data", "order_data")
_IN_MESSAGE = frozenset(
    {
        *("createdAt", "updatedAt", "totalQuantity", "executionDurationSeconds", "reduceOnly"),
        *(field.encode_name for field in msgspec.structs.fields(V2Order)),
        *(name for names in NAMES.values() for name in names),
    }
)
"""Names of the fields that a documented message shows, or a fill is derived from."""
_SHOWN = 60  # characters of a value in an error's text


def decode(text: str) -> Decoded | None:
    """One text frame as a message; None for a bare `pong`.  Raises DecodeError."""
    try:
        outer = _decode_outer(text)
        if outer.type not in _TEXT_TYPES:
            shape = _shape(outer.type, outer.data)
            return Decoded(outer.type, outer.message_id, _FAST_MESSAGES[type(shape)](shape), shape)
    except (*_REFUSED, Unreadable):
        return read_carefully(text)
    return Decoded(outer.type, outer.message_id, outer.data, None)


def read_carefully(text: str) -> Decoded | None:
    """As `decode`, for what the fast way refuses."""
    try:
        fields = lenient.fields_of(text)
    except ValueError as error:
        if text.strip() == "pong":
            return None
        raise no_object(text, str(error), text, "$") from None
    type_, message_id, data = (lenient.field(fields, n) for n in ("type", "messageId", "data"))
    if type_ in _TEXT_TYPES:
        return Decoded(type_, message_id, data, None)
    try:
        return _read_object(type_, message_id, lenient.fields_of(data))
    except Unreadable as fault:
        raise unreadable(fault, text) from None
    except ValueError as error:
        # A type that is not known may hold anything, and so may `data`.
        if type_ in V2_SHAPES or (type_ == "data" and data.lstrip().startswith("{")):
            raise no_object(data, str(error), text, "$.data") from None
        return Decoded(type_, message_id, None, None)


def glance(text: str) -> tuple[str, Shape] | None:
    """The message id and the inner object, by the fast way alone, without a message made of it.

    None: that is not enough for this text, `read_carefully` tells what it is.
    """
    try:
        outer = _decode_outer(text)
        decode_v2, data = _V2.get(outer.type), outer.data
        # As `_shape`, in place: each message passes here.
        if decode_v2 is not None:
            if not data.startswith(LIKE_V1):
                v2 = decode_v2(data)
                if v2.master_order_id and not v2.type:
                    return outer.message_id, v2
        elif outer.type in _TEXT_TYPES:
            return None
        try:
            v1 = decode_v1(data)
        except msgspec.ValidationError:
            v1 = decode_more_v1(data)
        if v1.master_order_id:
            return outer.message_id, v1
    except _REFUSED:
        pass
    return None


def inner_text(text: str) -> str:
    """The object in a message of the stream; a bare object of REST is itself."""
    try:
        return _decode_outer(text).data or text
    except _REFUSED:
        pass
    try:
        fields = lenient.fields_of(text)
    except ValueError:
        return text
    return lenient.field(fields, "data") or text


def kind_at_sight(text: str) -> EventKind | None:
    """The kind of the event that `decode` makes of a text of the stream; None: not known without
    decoding it.

    A few looks at the text, for those that are written as the venue writes them: compact, the type
    first, and an object with the names of one form.
    """
    if not text.startswith(_BEGIN):
        return None
    type_ = text[len(_BEGIN) : text.find('"', len(_BEGIN))]
    place = text.find(_V1_BEGIN, len(_BEGIN))
    if place > 0:
        if type_ not in _OBJECT_TYPES or "masterOrderId" in text:
            return None
        place += len(_V1_BEGIN)
        return _V1_AT_SIGHT.get(text[place : text.find("\\", place)])
    if type_ in _V2_AT_SIGHT and 'masterOrderId\\"' in text and 'type\\"' not in text:
        return _V2_AT_SIGHT[type_]
    return None


_BEGIN = '{"type":"'
_V1_BEGIN = '{\\"type\\":\\"'
_V1_AT_SIGHT: dict[str, EventKind] = {
    "master_order": "master_order",
    "order": "order",
    "fill": "fill",
}
_V2_AT_SIGHT: dict[str, EventKind] = {"master_data": "master_order", "order_data": "order"}


def decode_object(type_: str, text: str) -> Decoded:
    """A bare V2 object as REST has it; `type_` is `master_data` or `order_data`.

    Raises DecodeError.
    """
    cls = V2_SHAPES[type_]
    try:
        shape: Shape = _V2[type_](text)
        return Decoded(type_, "", _MESSAGES[cls](shape), shape)
    except (*_REFUSED, Unreadable):
        pass
    try:
        return _built(type_, "", cls, lenient.fields_of(text))
    except Unreadable as fault:
        raise unreadable(fault, text, "catch_up") from None
    except ValueError as error:
        raise no_object(text, str(error), text, "$") from None


def push_message(text: str) -> ClientPushMessage:
    """The outer message in its documented form, `data` always as text.  Raises DecodeError."""
    fields = outer_fields(text)
    return ClientPushMessage(
        *(lenient.field(fields, n) for n in ClientPushMessage.__struct_fields__)
    )


def is_in_message(fault: Unreadable) -> bool:
    """Whether the documented message shows the field, or a fill is derived from it."""
    return fault.field.partition(".")[0] in _IN_MESSAGE


# --- the inner object ---------------------------------------------------------------------------


def _shape(type_: str, data: str) -> Shape:
    """The fast way; raises one of _REFUSED where it is not enough."""
    decode_v2 = _V2.get(type_)
    if decode_v2 is not None and not data.startswith(LIKE_V1):
        v2 = decode_v2(data)
        if v2.master_order_id and not v2.type:
            return v2
    try:
        v1: Shape = decode_v1(data)
    except msgspec.ValidationError:
        v1 = decode_more_v1(data)
    if v1.master_order_id:
        return v1
    raise msgspec.ValidationError("without its id it may be anything")


def _read_object(type_: str, message_id: str, fields: lenient.Fields) -> Decoded:
    cls = shape_of(type_, fields)
    if cls is None:
        return Decoded(type_, message_id, None, None)
    if cls in NAMES and is_v1(fields):
        # As the fast way: other names than V1's, and those that it refuses, come with other ids.
        fields = {name: fields[name] for name in NAMES[cls] if name in fields}
    return _built(type_, message_id, cls, fields)


def _built(type_: str, message_id: str, cls: type[Shape], fields: lenient.Fields) -> Decoded:
    """Raises Unreadable where an id is none: the message can't do without."""
    faults: list[Unreadable] = []
    shape = lenient.build(cls, fields, faults)
    for name in _IDS:
        if getattr(shape, name, "").startswith(("{", "[")):
            field = lenient.camel_case(name) if cls in V2_SHAPES.values() else name
            raise Unreadable(field, getattr(shape, name), "is no id")
    if isinstance(shape, V2MasterOrder | V2Order):
        try:
            changed_ms(shape)
        except Unreadable as error:
            faults.append(error)
            shape.created_at = ""
    if not _has_id(shape):
        field = "masterOrderId" if cls in V2_SHAPES.values() else "master_order_id"
        faults.append(Unreadable(field, "", "is not there, nor is another id"))
    return Decoded(type_, message_id, _MESSAGES[cls](shape), shape, tuple(faults))


_IDS = ("master_order_id", "order_id", "id", "client_order_id", "client_id")


def _has_id(shape: Shape) -> bool:
    return any(getattr(shape, name, "") for name in _IDS)


def shape_of(type_: str, fields: lenient.Fields) -> type[Shape] | None:
    """What an inner object is; None for what qehost does not know.

    Its own `type` says so, but in an object that has V2's names that may be one field more.  Where
    it has none, its fields say so.
    """
    inner = lenient.field(fields, "type")
    is_v2 = _has(fields, _V2_IDS) and not _has(fields, _V1_IDS)
    if not is_v2 and inner in _V1_SHAPES:
        return _V1_SHAPES[inner]
    if is_v2 and inner in _INNER_V2:
        return _INNER_V2[inner]
    if is_v2 and type_ == "data":
        return V2Order if _has(fields, ("orderId", "id")) else V2MasterOrder
    if is_v2 or (not inner and not _has(fields, _V1_IDS)):
        return V2_SHAPES.get(type_)
    if inner or type_ not in _OBJECT_TYPES:
        return None
    if _has(fields, ("filled_qty", "fill_time")) and not _has(fields, ("quantity", "status")):
        return V1Fill
    return V1Order if _has(fields, ("order_id",)) else V1MasterOrder


def is_v1(fields: lenient.Fields) -> bool:
    """Whether an inner object has V1's names and none of V2's."""
    return _has(fields, _V1_IDS) and not _has(fields, _V2_IDS)


_V1_IDS = ("master_order_id", "order_id", "client_id")
_V2_IDS = ("masterOrderId", "orderId", "clientOrderId", "id")
_INNER_V2: dict[str, type[Shape]] = {
    "master_order": V2MasterOrder,
    "order": V2Order,
    "fill": V1Fill,  # V2 has none, so it can only be V1's with other names
}


def _has(fields: lenient.Fields, names: tuple[str, ...]) -> bool:
    return any(lenient.field(fields, name) for name in names)


# --- errors -------------------------------------------------------------------------------------


def outer_fields(text: str) -> lenient.Fields:
    """The outer message's.  Raises DecodeError."""
    try:
        return lenient.fields_of(text)
    except ValueError as error:
        raise no_object(text, str(error), text, "$") from None


def unreadable(error: Unreadable, text: str, origin: Origin = "stream") -> DecodeError:
    """The error for one field of the inner object that can't be read; `text` is the whole text."""
    path = f"{'$' if origin in BARE else '$.data'}.{error.field}"
    return DecodeError(f"{path}: {_shown(error.value)} {error.why}", text, path)


def no_object(data: str, why: str, text: str, path: str) -> DecodeError:
    """The error for what is no object; `text` is the whole text, `data` what stands at `path`."""
    what = _shown(data) if data else "nothing"
    return DecodeError(f"{path}: a JSON object was expected, not {what} ({why})", text, path)


def _shown(value: str) -> str:
    return repr(value if len(value) <= _SHOWN else value[:_SHOWN] + "…")
