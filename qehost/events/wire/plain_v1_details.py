"""The fast way to the exact figures of V1's objects, as the venue documents them.

Numbers are numbers there, whose digits are kept, and times are epoch milliseconds.  Whatever is
otherwise is left to the careful way (`lenient`), and both give equal results.  No I/O.
"""

from __future__ import annotations

import re
from decimal import Decimal, DecimalException
from typing import Any, TypeVar

import msgspec

from qehost.events.times import MILLISECONDS_FROM, MILLISECONDS_TO, epoch_ms
from qehost.events.wire.aliases import refusing_aliases
from qehost.events.wire.plain_details import has_empty
from qehost.messages import FillDetail, MasterOrderDetail, OrderDetail

__all__ = ["fill_detail", "master_order_detail", "order_detail"]

T = TypeVar("T", bound=msgspec.Struct)

_OTHER_NAMES = ("masterOrderId", "orderId", "clientOrderId", "id")
"""What an object has that may be one of V2's."""
_MINUS_ZERO = re.compile(r"-0\s*[,}]")
_MOST, _LEAST = Decimal("1E+308"), Decimal("-1E+308")
"""What is between them is within the range of a float."""
_EXACT_WHOLE = 2**53
"""Up to here whole floats are exact."""


# Numbers that the detail has are of any type: of a whole one msgspec makes an int, of all others
# what it is told to make, a Decimal.  What the detail does not have is read as its documented type.
class _ExactV1MasterOrder(msgspec.Struct, tag_field="type", tag="master_order", gc=False):
    master_order_id: str = ""
    client_id: str = ""
    strategy: str = ""
    symbol: str = ""
    side: str = ""
    qty: Any = None
    duration_secs: Any = None
    category: str = ""
    action: str = ""
    reduce_only: bool | None = None
    status: str = ""
    date: float = 0.0
    ticktime_int: int = 0
    ticktime_ms: int = 0
    reason: str = ""
    timestamp: int | None = None


class _ExactV1Order(msgspec.Struct, tag_field="type", tag="order", gc=False):
    master_order_id: str = ""
    order_id: str = ""
    symbol: str = ""
    category: str = ""
    side: str = ""
    price: Any = None
    quantity: Any = None
    status: str = ""
    created_time: int | None = None
    fill_qty: float = 0.0
    fill_price: Any = None
    cum_filled_qty: Any = None
    quantity_remaining: float = 0.0
    ack_time: int = 0
    last_fill_time: int = 0
    cancel_time: int = 0
    price_type: str = ""
    reason: str = ""
    timestamp: int | None = None


class _ExactV1Fill(msgspec.Struct, tag_field="type", tag="fill", gc=False):
    master_order_id: str = ""
    order_id: str = ""
    symbol: str = ""
    category: str = ""
    side: str = ""
    fill_price: Any = None
    filled_qty: Any = None
    fill_time: int | None = None
    timestamp: int | None = None


def _decoder(cls: type[T]) -> msgspec.json.Decoder[T]:
    return msgspec.json.Decoder(refusing_aliases(cls, *_OTHER_NAMES), float_hook=Decimal)


_decode_master_order = _decoder(_ExactV1MasterOrder).decode
_decode_order = _decoder(_ExactV1Order).decode
_decode_fill = _decoder(_ExactV1Fill).decode
_REFUSED = (msgspec.MsgspecError, RecursionError, UnicodeError, ValueError, DecimalException)


def master_order_detail(text: str) -> MasterOrderDetail | None:
    """The detail of an inner object; None where that is for the careful way."""
    try:
        order = _decode_master_order(text)
        if not order.master_order_id or _is_odd(text):
            return None
        return MasterOrderDetail(
            updated_at=_written(order.timestamp),
            master_order_id=order.master_order_id,
            client_order_id=order.client_id,
            category=order.category,
            symbol=order.symbol,
            side=order.side,
            reduce_only=order.reduce_only,
            algorithm=order.strategy,
            total_quantity=_exact(order.qty),
            execution_duration_seconds=_whole(order.duration_secs),
            status=order.status,
            reject_reason=order.reason,
        )
    except _REFUSED:
        return None


def order_detail(text: str) -> OrderDetail | None:
    """The detail of an inner object; None where that is for the careful way."""
    try:
        order = _decode_order(text)
        # Without a cumulative figure it is what V1 may say in another field.
        if not order.master_order_id or order.cum_filled_qty is None or _is_odd(text):
            return None
        created = order.created_time
        return OrderDetail(
            "",
            None if created is None else epoch_ms(str(created)),
            order.master_order_id,
            "",
            order.category,
            order.symbol,
            order.side,
            None,
            _exact(order.cum_filled_qty),
            _exact(order.fill_price),
            _exact(order.price),
            order.status,
            order.reason,
            "",
            "",
            order.price_type,
            order.order_id,
            _exact(order.quantity),
            "",
            _written(order.timestamp),
        )
    except _REFUSED:
        return None


def fill_detail(text: str) -> FillDetail | None:
    """The detail of an inner object; None where that is for the careful way."""
    try:
        fill = _decode_fill(text)
        if not fill.master_order_id or _is_odd(text):
            return None
        at = fill.fill_time
        return FillDetail(
            fill.master_order_id,
            fill.order_id,
            fill.symbol,
            fill.category,
            fill.side,
            _exact(fill.fill_price),
            _exact(fill.filled_qty),
            None,
            None,
            None if at is None else epoch_ms(str(at)),
        )
    except _REFUSED:
        return None


def _is_odd(text: str) -> bool:
    """Whether it holds what is not seen in the values that msgspec makes of it."""
    return has_empty(text) or ("-0" in text and _MINUS_ZERO.search(text) is not None)


def _exact(value: Any) -> Decimal | None:
    """Raises ValueError for all but numbers within the range of a float."""
    if type(value) is not Decimal:
        if value is None:
            return None
        if type(value) is not int:
            raise ValueError(value)
        value = Decimal(value)
    if not _LEAST < value < _MOST:
        raise ValueError(value)
    exact: Decimal = value
    return exact


def _whole(value: Any) -> int | None:
    """Raises ValueError for all but whole numbers, which may be written as floats."""
    exact = _exact(value)
    if exact is None:
        return None
    if not -_EXACT_WHOLE <= exact <= _EXACT_WHOLE or exact != (whole := int(exact)):
        raise ValueError(value)
    return whole


def _written(moment: int | None) -> str:
    """A time as the venue wrote it.  Raises ValueError for all but epoch milliseconds."""
    if moment is None:
        return ""
    if not MILLISECONDS_FROM <= moment < MILLISECONDS_TO:
        raise ValueError(moment)
    return str(moment)
