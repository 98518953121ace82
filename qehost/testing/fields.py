"""The fields of an event that a test may give, with their types.

Names are those of the messages and of the exact details: `filled_qty` and `quantity` of a fill are
the same.  Decimals may be given as text, `Decimal`, int or float; `None` means that the venue did
not send the field.  Times ending in `_ms`, `timestamp` and `fill_time` are epoch milliseconds,
`received_at` epoch nanoseconds."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, TypeAlias, TypedDict

from qehost.simulator.orders import rfc3339

__all__ = [
    "FILL_NAMES",
    "MASTER_ORDER_NAMES",
    "ORDER_NAMES",
    "ConnectionFields",
    "EventFields",
    "FillFields",
    "MasterOrderFields",
    "Number",
    "OrderFields",
    "currencies",
    "exact",
    "renamed",
]

Number: TypeAlias = Decimal | str | int | float | None


class EventFields(TypedDict, total=False):
    """The fields of every event."""

    seq: int
    account: str
    redelivered: bool
    received_at: int
    journal_id: str


class ConnectionFields(EventFields, total=False):
    """The fields of an event of the connection."""


class MessageFields(EventFields, total=False):
    message_id: str


class MasterOrderFields(MessageFields, total=False):
    origin: Literal["stream", "catch_up", "baseline"]
    stale: bool
    # as in MasterOrderMessage, where MasterOrderDetail calls it otherwise
    client_id: str
    strategy: str
    qty: Number
    duration_secs: int | None
    reason: str
    timestamp: int
    # as in MasterOrderDetail
    created_at: str
    updated_at: str
    master_order_id: str
    client_order_id: str
    api_key_id: str
    trading_account: str
    exchange: str
    market_type: str
    category: str
    symbol: str
    base_currency: str
    quote_currency: str
    side: str
    margin_type: str
    reduce_only: bool | None
    is_margin: bool | None
    algorithm: str
    total_quantity: Number
    order_notional: Number
    start_time_ms: int | None
    execution_duration_seconds: int | None
    worst_price: Number
    must_complete: bool | None
    maker_rate_limit: Number
    pov_limit: Number
    pov_min_limit: Number
    up_tolerance: Number
    low_tolerance: Number
    strict_up_bound: bool | None
    tail_order_protection: bool | None
    enable_make: bool | None
    is_target_position: bool | None
    notes: str
    status: str
    reject_reason: str
    finished_ms: int | None
    cum_filled_qty: Number
    cum_filled_notional: Number
    avg_filled_price: Number
    maker_rate: Number
    completed_quantity: Number
    commission: Mapping[str, Decimal | str | int | float]
    trigger_price: Number
    trigger_price1: Number
    max_trigger_wait_secs: int | None
    max_trigger_wait_timeout_action: str


class OrderFields(MessageFields, total=False):
    origin: Literal["stream", "catch_up", "baseline"]
    stale: bool
    # as in OrderMessage, where OrderDetail calls it otherwise
    created_time: int | None
    cum_filled_qty: Number
    fill_qty: Number
    fill_price: Number
    price_type: str
    reason: str
    timestamp: int
    # as in OrderDetail
    id: str
    order_created_time: int | None
    master_order_id: str
    exchange: str
    category: str
    symbol: str
    side: str
    filled_notional: Number
    filled_quantity: Number
    average_price: Number
    price: Number
    status: str
    reject_reason: str
    base_currency: str
    quote_currency: str
    order_type: str
    order_id: str
    quantity: Number
    created_at: str
    updated_at: str


class FillFields(MessageFields, total=False):
    origin: Literal["derived", "stream"]
    # as in FillMessage, where FillDetail calls it otherwise
    fill_price: Number
    filled_qty: Number
    timestamp: int | None
    # as in FillDetail
    id: str
    master_order_id: str
    order_id: str
    symbol: str
    category: str
    side: str
    price: Number
    quantity: Number
    notional: Number
    cum_quantity: Number
    fill_time: int | None


# A message's name → the detail's.
MASTER_ORDER_NAMES = {
    "client_id": "client_order_id",
    "strategy": "algorithm",
    "qty": "total_quantity",
    "duration_secs": "execution_duration_seconds",
    "reason": "reject_reason",
    "timestamp": "updated_at",
}
ORDER_NAMES = {
    "created_time": "order_created_time",
    "cum_filled_qty": "filled_quantity",
    "fill_qty": "filled_quantity",
    "fill_price": "average_price",
    "price_type": "order_type",
    "reason": "reject_reason",
    "timestamp": "updated_at",
}
FILL_NAMES = {"fill_price": "price", "filled_qty": "quantity", "timestamp": "fill_time"}

QUOTES = ("USDT", "USDC", "FDUSD", "USD", "EUR", "BTC", "ETH")


def renamed(
    fields: Mapping[str, Any], names: Mapping[str, str], known: Iterable[str]
) -> dict[str, Any]:
    """The fields under the names in the detail.  Raises TypeError for an unknown one."""
    known = tuple(known)
    result: dict[str, Any] = {}
    for name, value in fields.items():
        target = names.get(name, name)
        if target not in known:
            near = difflib.get_close_matches(name, [*known, *names], n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise TypeError(f"there is no field {name}{hint}")
        if target in result:
            raise TypeError(f"{name} is another name of {target}, which is given, too")
        if target == "updated_at" and isinstance(value, int):
            value = rfc3339(value)
        result[target] = value
    return result


def exact(value: Number) -> Decimal | None:
    """The decimal that a test wrote.  Of a float its shortest notation is taken.

    Raises ValueError for a text that is no number.
    """
    if value is None or isinstance(value, Decimal):
        return value
    try:
        return Decimal(repr(value) if isinstance(value, float) else value)
    except InvalidOperation:
        raise ValueError(f"{value!r} is no number") from None


def currencies(symbol: str) -> tuple[str, str]:
    """Base and quote currency of a symbol such as `BTCUSDT`; `""` if they are not known."""
    for quote in QUOTES:
        if symbol.endswith(quote) and symbol != quote:
            return symbol.removesuffix(quote), quote
    return "", ""
