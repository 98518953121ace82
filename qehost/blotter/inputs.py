"""The exact figures of an event, as its text has them, or else (a test's event without a text) as
its message has.  No I/O."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from qehost.messages import FillDetail, MasterOrderDetail, OrderDetail

if TYPE_CHECKING:
    from qehost.messages import FillEvent, MasterOrderEvent, OrderEvent

__all__ = ["fill_detail", "master_order_detail", "order_detail", "size"]


def master_order_detail(event: MasterOrderEvent) -> MasterOrderDetail:
    detail: MasterOrderDetail | None = event.detail
    if detail is not None:
        return detail
    message = event.message
    return MasterOrderDetail(
        master_order_id=message.master_order_id,
        client_order_id=message.client_id,
        algorithm=message.strategy,
        symbol=message.symbol,
        side=message.side,
        total_quantity=_exact(message.qty),
        execution_duration_seconds=int(message.duration_secs),
        category=message.category,
        status=message.status,
        reject_reason=message.reason,
    )


def order_detail(event: OrderEvent) -> OrderDetail:
    detail: OrderDetail | None = event.detail
    message = event.message
    if detail is None:
        return OrderDetail(
            order_created_time=message.created_time or None,
            master_order_id=message.master_order_id,
            category=message.category,
            symbol=message.symbol,
            side=message.side,
            filled_quantity=_exact(message.cum_filled_qty),
            average_price=_exact(message.fill_price),
            price=_exact(message.price),
            status=message.status,
            reject_reason=message.reason,
            order_type=message.price_type,
            order_id=message.order_id,
            quantity=_exact(message.quantity),
        )
    if message.cum_filled_qty and not detail.filled_quantity:
        # V1 may say how much is filled in `fill_qty` alone.
        return msgspec.structs.replace(detail, filled_quantity=_exact(message.cum_filled_qty))
    return detail


def fill_detail(event: FillEvent) -> FillDetail:
    detail: FillDetail | None = event.detail
    if detail is not None:
        return detail
    message = event.message
    return FillDetail(
        master_order_id=message.master_order_id,
        order_id=message.order_id,
        symbol=message.symbol,
        category=message.category,
        side=message.side,
        price=_exact(message.fill_price) or None,
        quantity=_exact(message.filled_qty),
        fill_time=message.fill_time or None,
    )


def size(value: Decimal | None) -> Decimal | None:
    """A figure without its sign; there are venues that write sales as negative."""
    if value is None or not value.is_signed():
        return value
    return value.copy_abs()


def _exact(value: float) -> Decimal:
    # repr() of a float is what the venue wrote, up to the 17 digits that a float has.
    return Decimal(repr(value))
