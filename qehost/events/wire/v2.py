"""The venue's V2 objects as structs, and how each becomes a documented message.

The structs are what the fast way of decoding aims at: msgspec fills them in C, and refuses what is
not well formed.  The careful way (`lenient`) fills the same structs, field by field, from what was
refused, so both make their messages here, in one place.

The fields that no message needs stand here too: numbers and booleans, so that one that can't be
read is seen when the message comes, and not only when somebody asks for its `detail`; and the
others, since to look for a name that is not there takes longer than to read what has it.  They
stand in the order of the venue: each name is looked for from where the last one was found.

Missing fields have the default, `""` stands for itself, so that the venue's way of leaving a number
empty stays on the fast way; `or 0.0` makes it the documented default.
"""

from __future__ import annotations

from decimal import Decimal, DecimalException

import msgspec

from qehost.events.times import epoch_ms, made_ms
from qehost.events.wire.aliases import refusing
from qehost.events.wire.values import (
    EXACT,
    PLAIN_DIGITS,
    Digits,
    Flag,
    Float,
    Moment,
    Number,
    Unreadable,
    Whole,
    number,
)
from qehost.messages import MasterOrderMessage, OrderMessage

__all__ = ["V2MasterOrder", "V2Order", "changed_ms", "master_order_message", "order_message"]


@refusing("clientId", "qty", "strategy", "durationSecs", "reason")
class V2MasterOrder(msgspec.Struct, rename="camel", gc=False):
    created_at: str = ""  # a time where there is no other
    updated_at: Moment = ""
    master_order_id: str = ""
    client_order_id: str = ""
    api_key_id: str = ""
    trading_account: str = ""
    exchange: str = ""
    market_type: str = ""
    category: str = ""
    symbol: str = ""
    base_currency: str = ""
    quote_currency: str = ""
    side: str = ""
    margin_type: str = ""
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
    notes: str = ""
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
    type: str = ""
    action: str = ""


@refusing(
    "fillQty",
    "filledQty",
    "cumFilledQty",
    "fillPrice",
    "avgPrice",
    "createdTime",
    "priceType",
    "reason",
)
class V2Order(msgspec.Struct, rename="camel", gc=False):
    id: str = ""
    order_created_time: Moment = ""
    master_order_id: str = ""
    exchange: str = ""
    market_type: str = ""
    category: str = ""
    symbol: str = ""
    side: str = ""
    filled_notional: Digits = ""
    filled_quantity: Digits = ""
    average_price: Digits = ""
    price: Number = ""
    status: str = ""
    reject_reason: str = ""
    base_currency: str = ""
    quote_currency: str = ""
    order_type: str = ""
    order_id: str = ""
    quantity: Digits = ""
    created_at: str = ""  # a time where there is no other
    updated_at: Moment = ""
    type: str = ""
    ack_time: Moment = ""
    last_fill_time: Moment = ""
    cancel_time: Moment = ""


_EXACT = 1e14
"""Of fewer steps than this the difference of two floats is off by less than half a step, so that
rounded to a step it is the float nearest to the difference of the decimals."""


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
        order.action,
        order.reduce_only or False,
        order.status,
        moment / 1000,
        moment // 1000,
        moment,
        order.reject_reason,
        moment,
    )


def order_message(order: V2Order) -> OrderMessage:
    """Raises Unreadable where a time or a figure of the cumulative fill can't be read."""
    filled_text, quantity_text = order.filled_quantity, order.quantity
    average_text, notional_text = order.average_price, order.filled_notional
    try:
        digits = f"{quantity_text}{filled_text}{average_text}{notional_text}"
        is_plain = (
            len(digits) <= PLAIN_DIGITS
            and digits.isascii()
            and digits.replace(".", "").isdecimal()
            and notional_text.count(".") < 2
            and notional_text != "."
        )
        if is_plain:
            # What almost all are: reading a number in digits of which nothing is known takes twice
            # as long.
            quantity = float(quantity_text) if quantity_text else 0.0
            filled = float(filled_text) if filled_text else 0.0
            average = float(average_text) if average_text else 0.0
        else:
            quantity, filled = _float(quantity_text), _float(filled_text)
            average, _ = _float(average_text), _float(notional_text)
        created_time = made_ms[order.order_created_time]
        acknowledged = epoch_ms(order.ack_time) if order.ack_time else 0
        cancelled = epoch_ms(order.cancel_time) if order.cancel_time else 0
        last_fill = epoch_ms(order.last_fill_time) if order.last_fill_time else 0
    except ValueError:
        raise _first_unreadable(order) from None
    moment = changed_ms(order)
    if not filled or not quantity_text:
        remaining = quantity
    elif filled_text == quantity_text:
        remaining = 0.0
    else:
        places = max(len(quantity_text.partition(".")[2]), len(filled_text.partition(".")[2]))
        if is_plain and (quantity + filled) * 10.0**places < _EXACT:
            remaining = round(quantity - filled, places)
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
        acknowledged,
        last_fill or (moment if filled else 0),
        cancelled,
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


def _float(text: str) -> float:
    # Anew each time: a dictionary of texts seen before costs more, as most figures come only once.
    return number(text) if text else 0.0


def _difference(quantity: str, filled: str) -> float:
    """What is left of a quantity, in its sign: there are venues that write sales as negative."""
    # Exact, then rounded once: 0.3 − 0.1 is 0.2, and not 0.19999999999999998.
    try:
        whole, part = Decimal(quantity or "0"), Decimal(filled)
        if whole and part.is_signed() != whole.is_signed():
            part = part.copy_negate()
        return float(EXACT.subtract(whole, part))
    except (DecimalException, OverflowError):
        return float(quantity or "0")  # they are so far apart that it is the same


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
