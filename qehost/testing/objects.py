"""The venue's objects of a test's events: default values, and those derived from given ones."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from qehost.events.wire.values import EXACT
from qehost.messages import FillDetail, MasterOrderDetail, OrderDetail
from qehost.simulator.orders import FINISHED, rfc3339
from qehost.testing.fields import (
    FILL_NAMES,
    MASTER_ORDER_NAMES,
    ORDER_NAMES,
    currencies,
    exact,
    renamed,
)

__all__ = [
    "fill_detail",
    "master_order_detail",
    "order_after",
    "order_detail",
    "product",
]

Detail = TypeVar("Detail", MasterOrderDetail, OrderDetail, FillDetail)


def _build(kind: type[Detail], fields: Mapping[str, Any]) -> Detail:
    """The detail; numbers of any kind become decimals where they belong."""
    types = {field.name: field.type for field in msgspec.structs.fields(kind)}
    return kind(**{name: _value(types[name], value) for name, value in fields.items()})


def _value(type_: Any, value: Any) -> Any:
    if type_ == Decimal | None:
        return exact(value)
    if type_ == dict[str, Decimal]:
        return {name: exact(amount) for name, amount in value.items()}
    return value


def master_order_detail(fields: Mapping[str, Any], moment: int, start: int) -> MasterOrderDetail:
    """Changed at `moment`, made at `start` (epoch ms)."""
    own = renamed(fields, MASTER_ORDER_NAMES, MasterOrderDetail.__struct_fields__)
    base, quote = currencies(own.get("symbol", "BTCUSDT"))
    made: dict[str, Any] = {
        "created_at": rfc3339(start),
        "updated_at": rfc3339(moment),
        "master_order_id": "mo-1",
        "client_order_id": "c-1",
        "api_key_id": "binding-1",
        "exchange": "Binance",
        "market_type": "PERP",
        "category": "perp",
        "symbol": "BTCUSDT",
        "base_currency": base,
        "quote_currency": quote,
        "side": "buy",
        "reduce_only": False,
        "is_margin": False,
        "algorithm": "TWAP",
        "total_quantity": "1.5",
        "start_time_ms": start,
        "execution_duration_seconds": 600,
        "worst_price": "-1",
        "must_complete": True,
        "status": "PROCESSING",
        **own,
    }
    if made["status"] in FINISHED:
        made.setdefault("finished_ms", moment)
    whole = made["total_quantity"] if made["status"] == "COMPLETED" else "0"
    filled = made.setdefault("cum_filled_qty", whole)
    if _positive(filled):
        price = made.setdefault("avg_filled_price", "97000.1")
        made.setdefault("cum_filled_notional", product(filled, price))
    made.setdefault("completed_quantity", filled)
    return _build(MasterOrderDetail, made)


def order_detail(fields: Mapping[str, Any], moment: int, start: int) -> OrderDetail:
    """Changed at `moment`, made at `start` (epoch ms)."""
    own = renamed(fields, ORDER_NAMES, OrderDetail.__struct_fields__)
    base, quote = currencies(own.get("symbol", "BTCUSDT"))
    made: dict[str, Any] = {
        "id": "1",
        "order_created_time": start,
        "master_order_id": "mo-1",
        "exchange": "Binance",
        "category": "perp",
        "symbol": "BTCUSDT",
        "side": "buy",
        "price": "97000.1",
        "status": "PLACED",
        "base_currency": base,
        "quote_currency": quote,
        "order_type": "LIMIT",
        "order_id": "o-1",
        "quantity": "0.5",
        "created_at": rfc3339(start),
        "updated_at": rfc3339(moment),
        **own,
    }
    whole = made["quantity"] if made["status"] == "FILLED" else "0"
    filled = made.setdefault("filled_quantity", whole)
    if _positive(filled):
        price = made.setdefault("average_price", made["price"])
        made.setdefault("filled_notional", product(filled, price))
    return _build(OrderDetail, made)


def fill_detail(fields: Mapping[str, Any], moment: int) -> FillDetail:
    """Executed at `moment` (epoch ms)."""
    own = renamed(fields, FILL_NAMES, FillDetail.__struct_fields__)
    made: dict[str, Any] = {
        "id": "1",
        "master_order_id": "mo-1",
        "order_id": "o-1",
        "symbol": "BTCUSDT",
        "category": "perp",
        "side": "buy",
        "price": "97000.1",
        "quantity": "0.5",
        "fill_time": moment,
        **own,
    }
    made.setdefault("notional", product(made["quantity"], made["price"]))
    made.setdefault("cum_quantity", made["quantity"])
    return _build(FillDetail, made)


def order_after(made: FillDetail, moment: int) -> OrderDetail:
    """The child order after this fill: filled as far as is known."""
    notional = made.notional
    if made.cum_quantity != made.quantity:
        notional = product(made.cum_quantity, made.price)
    update = {
        **{
            name: getattr(made, name)
            for name in ("id", "master_order_id", "order_id", "symbol", "category", "side", "price")
        },
        "status": "FILLED",
        "quantity": made.cum_quantity,
        "filled_notional": notional,
        "average_price": made.price,
        "updated_at": rfc3339(moment if made.fill_time is None else made.fill_time),
    }
    return order_detail(update, moment, moment)


def _positive(value: Any) -> bool:
    number = exact(value)
    return number is not None and number > 0


def product(quantity: Any, price: Any) -> Decimal | None:
    """Exact; None if one of them is."""
    a, b = exact(quantity), exact(price)
    return None if a is None or b is None else EXACT.multiply(a, b)
