"""The venue's inner objects as structs, and how each becomes a documented message.

The structs are what the fast way of decoding aims at: msgspec fills them in C, and refuses what is
not well formed.  The careful way (`lenient`) fills the same structs, field by field, from what was
refused, so both make their messages here, in one place.

Numbers become floats on the way, as the documented messages have them.  Only the figures that fills
are derived from stay text, so that no digit of them is lost.  The fields that no message needs
stand here too if they are numbers or booleans: a message is refused as a whole, or its
exact `detail` can be had later without an error.

Missing fields have the default, `""` stands for itself, so that the venue's way of leaving a number
empty stays on the fast way; `or 0.0` makes it the documented default.
"""

from __future__ import annotations

from decimal import (
    MAX_EMAX,
    MIN_EMIN,
    Context,
    Decimal,
    DecimalException,
    FloatOperation,
    Inexact,
    InvalidOperation,
)
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from qehost.messages import FillMessage, MasterOrderMessage, OrderMessage
from qehost.times import created_ms, epoch_ms

__all__ = [
    "EXACT",
    "Digits",
    "Flag",
    "Float",
    "Integer",
    "Number",
    "Running",
    "Unreadable",
    "V1Fill",
    "V1MasterOrder",
    "V1Order",
    "V2MasterOrder",
    "V2Order",
    "Whole",
    "changed_ms",
    "fill_message_v1",
    "master_order_message",
    "master_order_message_v1",
    "number",
    "order_message",
    "order_message_v1",
]

# The bounds refuse NaN and the infinities, which msgspec reads from strings.
Float: TypeAlias = Annotated[float, Meta(ge=-1.7976931348623157e308, le=1.7976931348623157e308)]
Integer: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Empty: TypeAlias = Literal[""]
Number: TypeAlias = Float | Empty
Whole: TypeAlias = Integer | Empty
Flag: TypeAlias = bool | Empty
Digits: TypeAlias = Annotated[str, Meta(title="a number that keeps its digits")]

EXACT = Context(
    prec=400,
    Emin=MIN_EMIN,
    Emax=MAX_EMAX,
    traps=[Inexact, InvalidOperation, FloatOperation],
)
"""For sums, differences and products: nothing is rounded.  A result that would need more than 400
digits raises `decimal.Inexact`, where it could otherwise need all memory there is (1E+99999999)."""


class Unreadable(ValueError):
    """One field that can't be read: its name in the object, what it held, and why not."""

    def __init__(self, field: str, value: str, why: str) -> None:
        super().__init__(field, value, why)
        self.field = field
        self.value = value
        self.why = why


# --- V2 ---------------------------------------------------------------------------------------


class V2MasterOrder(msgspec.Struct, rename="camel", gc=False):
    type: str = ""
    created_at: str = ""
    updated_at: str = ""
    master_order_id: str = ""
    client_order_id: str = ""
    market_type: str = ""
    category: str = ""
    symbol: str = ""
    side: str = ""
    reduce_only: Flag = ""
    is_margin: Flag = ""
    algorithm: str = ""
    total_quantity: Number = ""
    order_notional: Number = ""
    start_time_ms: Whole = ""
    execution_duration_seconds: Whole = ""
    worst_price: Number = ""
    must_complete: Flag = ""
    maker_rate_limit: Number = ""
    pov_limit: Number = ""
    pov_min_limit: Number = ""
    up_tolerance: Number = ""
    low_tolerance: Number = ""
    strict_up_bound: Flag = ""
    tail_order_protection: Flag = ""
    enable_make: Flag = ""
    is_target_position: Flag = ""
    status: str = ""
    reject_reason: str = ""
    finished_ms: Whole = ""
    cum_filled_qty: Number = ""
    cum_filled_notional: Number = ""
    avg_filled_price: Number = ""
    maker_rate: Number = ""
    completed_quantity: Number = ""
    commission: dict[str, Float] = {}
    trigger_price: Number = ""
    trigger_price1: Number = ""
    max_trigger_wait_secs: Whole = ""


class Running(msgspec.Struct, rename="camel", gc=False):
    """The running fill of a V2 child order, every digit as it came; `""` is what was not sent."""

    id: str = ""
    filled_quantity: Digits = ""
    filled_notional: Digits = ""
    average_price: Digits = ""


class V2Order(Running, rename="camel", gc=False):
    type: str = ""
    order_created_time: str = ""
    master_order_id: str = ""
    market_type: str = ""
    category: str = ""
    symbol: str = ""
    side: str = ""
    price: Number = ""
    status: str = ""
    reject_reason: str = ""
    order_type: str = ""
    order_id: str = ""
    quantity: Digits = ""
    created_at: str = ""
    updated_at: str = ""


def master_order_message(order: V2MasterOrder) -> MasterOrderMessage:
    """Raises Unreadable where a time can't be read."""
    moment = changed_ms(order)
    return MasterOrderMessage(
        "master_order",
        order.master_order_id,
        order.client_order_id,
        order.algorithm,
        order.symbol,
        order.side,
        order.total_quantity or 0.0,
        float(order.execution_duration_seconds or 0),
        order.category or order.market_type,
        "",
        order.reduce_only or False,
        order.status,
        moment / 1000,
        moment // 1000,
        moment,
        order.reject_reason,
        moment,
    )


def order_message(order: V2Order) -> OrderMessage:
    """Raises Unreadable where a time or a figure of the running fill can't be read."""
    filled_text = order.filled_quantity
    quantity_text = order.quantity
    try:
        created_time = created_ms(order.order_created_time)
        quantity = _float(quantity_text)
        filled = _float(filled_text)
        average = _float(order.average_price)
        _float(order.filled_notional)
    except ValueError:
        raise _first_unreadable(order) from None
    moment = changed_ms(order)
    if not filled:
        remaining = quantity
    elif filled_text == quantity_text:
        remaining = 0.0
    else:
        remaining = _difference(quantity_text, filled_text)
    return OrderMessage(
        "order",
        order.master_order_id,
        order.order_id or order.id,
        order.symbol,
        order.category or order.market_type,
        order.side,
        order.price or 0.0,
        quantity,
        order.status,
        created_time,
        filled,
        average,
        filled,
        remaining,
        0,
        moment if filled else 0,
        0,
        order.order_type,
        order.reject_reason,
        moment,
    )


def changed_ms(order: V2MasterOrder | V2Order) -> int:
    """When the order changed last, epoch ms; 0 where the venue does not say.

    Raises Unreadable where the time can't be read.
    """
    try:
        return epoch_ms(order.updated_at or order.created_at)
    except ValueError:
        field = "updatedAt" if order.updated_at else "createdAt"
        raise Unreadable(field, order.updated_at or order.created_at, "is no time") from None


def number(text: str) -> float:
    """The float nearest to a number in plain ASCII.  Raises ValueError for all else.

    `nan` and `inf` are no numbers, nor is one beyond the range of a float.
    """
    if text.isascii() and "_" not in text:
        value = float(text)
        if value - value == 0.0:
            return value
    raise ValueError(text)


def _float(text: str) -> float:
    # Anew each time: a dictionary of texts seen before costs more, as most figures come only once.
    return number(text) if text else 0.0


def _difference(quantity: str, filled: str) -> float:
    # Exact, then rounded once: 0.3 − 0.1 is 0.2, and not 0.19999999999999998.
    try:
        return float(EXACT.subtract(Decimal(quantity or "0"), Decimal(filled)))
    except (DecimalException, OverflowError):
        raise Unreadable("filledQuantity", filled, f"can't be subtracted from {quantity}") from None


def _first_unreadable(order: V2Order) -> Unreadable:
    """The field that made `order_message` fail."""
    for field, text in (
        ("quantity", order.quantity),
        ("filledQuantity", order.filled_quantity),
        ("averagePrice", order.average_price),
        ("filledNotional", order.filled_notional),
    ):
        try:
            _float(text)
        except ValueError:
            return Unreadable(field, text, "is no number")
    return Unreadable("orderCreatedTime", order.order_created_time, "is no time")


# --- V1: the documented messages themselves, as objects -----------------------------------------


class V1MasterOrder(msgspec.Struct, tag_field="type", tag="master_order", gc=False):
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
    date: Float = 0.0
    ticktime_int: Integer = 0
    ticktime_ms: Integer = 0
    reason: str = ""
    timestamp: Integer = 0


class V1Order(msgspec.Struct, tag_field="type", tag="order", gc=False):
    master_order_id: str = ""
    order_id: str = ""
    symbol: str = ""
    category: str = ""
    side: str = ""
    price: Float = 0.0
    quantity: Float = 0.0
    status: str = ""
    created_time: Integer = 0
    fill_qty: Float = 0.0
    fill_price: Float = 0.0
    cum_filled_qty: Float = 0.0
    quantity_remaining: Float = 0.0
    ack_time: Integer = 0
    last_fill_time: Integer = 0
    cancel_time: Integer = 0
    price_type: str = ""
    reason: str = ""
    timestamp: Integer = 0


class V1Fill(msgspec.Struct, tag_field="type", tag="fill", gc=False):
    master_order_id: str = ""
    order_id: str = ""
    symbol: str = ""
    category: str = ""
    side: str = ""
    fill_price: Float = 0.0
    filled_qty: Float = 0.0
    fill_time: Integer = 0
    timestamp: Integer = 0


def master_order_message_v1(order: V1MasterOrder) -> MasterOrderMessage:
    return MasterOrderMessage("master_order", *msgspec.structs.astuple(order))


def order_message_v1(order: V1Order) -> OrderMessage:
    return OrderMessage("order", *msgspec.structs.astuple(order))


def fill_message_v1(fill: V1Fill) -> FillMessage:
    return FillMessage("fill", *msgspec.structs.astuple(fill))
