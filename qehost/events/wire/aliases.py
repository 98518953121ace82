"""Other names that fields have at some deployments, which the venue's own client takes as well.

The fast way refuses them, and the careful way (`lenient`) knows which field they stand for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import msgspec

__all__ = ["ALIASES", "refusing", "refusing_aliases"]

T = TypeVar("T", bound=msgspec.Struct)

ALIASES: dict[str, tuple[str, ...]] = {
    # V2
    "masterOrderId": ("master_order_id",),
    "clientOrderId": ("clientId", "client_id"),
    "algorithm": ("strategy",),
    "totalQuantity": ("qty",),
    "executionDurationSeconds": ("durationSecs", "duration_secs"),
    "reduceOnly": ("reduce_only",),
    "rejectReason": ("reason",),
    "apiKeyId": ("apiKeyUuid",),
    "updatedAt": ("timestamp", "ticktimeMs", "ticktime_ms"),
    "orderId": ("order_id",),
    "orderCreatedTime": ("createdTime", "created_time"),
    "filledQuantity": ("cumFilledQty", "cum_filled_qty", "fillQty", "fill_qty", "filledQty"),
    "averagePrice": ("fillPrice", "fill_price", "avgPrice"),
    "ackTime": ("ack_time",),
    "lastFillTime": ("last_fill_time", "fillTime"),
    "cancelTime": ("cancel_time",),
    "orderType": ("priceType", "price_type"),
    # V1
    "master_order_id": ("masterOrderId",),
    "client_id": ("clientId", "clientOrderId"),
    "strategy": ("algorithm",),
    "qty": ("totalQuantity",),
    "duration_secs": ("durationSecs", "executionDurationSeconds"),
    "category": ("marketType",),
    "reduce_only": ("reduceOnly",),
    "ticktime_int": ("ticktimeInt",),
    "ticktime_ms": ("ticktimeMs",),
    "reason": ("rejectReason",),
    "order_id": ("orderId", "id"),
    "created_time": ("createdTime", "orderCreatedTime"),
    "fill_qty": ("fillQty", "filledQuantity", "filledQty"),
    "fill_price": ("fillPrice", "averagePrice", "avgPrice"),
    "cum_filled_qty": ("cumFilledQty", "fill_qty", "fillQty", "filledQuantity", "filledQty"),
    "quantity_remaining": ("quantityRemaining",),
    "ack_time": ("ackTime",),
    "last_fill_time": ("lastFillTime", "fillTime"),
    "cancel_time": ("cancelTime",),
    "price_type": ("priceType", "orderType"),
    "filled_qty": ("filledQty", "fillQty"),
    "fill_time": ("fillTime",),
}
"""Name of a field → other names that it has at some deployments, in the order of preference."""


def refusing(*names: str) -> Callable[[type[T]], type[T]]:
    """A struct that the fast way does not fill where a field has one of these names.

    The others of `ALIASES` come with other ids as well, which is seen after it was filled.  (Each
    name costs the fast way as much as half a field does.)
    """

    def made(cls: type[T]) -> type[T]:
        refusing = msgspec.defstruct(
            cls.__name__,
            [(f"alias_{name}", None, msgspec.field(default=None, name=name)) for name in names],
            bases=(cls,),
            module=cls.__module__,
            gc=False,
            forbid_unknown_fields=False,
            tag_field=cls.__struct_config__.tag_field,
            tag=cls.__struct_config__.tag,
        )
        return cast("type[T]", refusing)

    return made


def refusing_aliases(cls: type[T], *others: str) -> type[T]:
    """A struct like this one that refuses the other names of its fields, and these."""
    names = cls.__struct_encode_fields__
    aliases = {alias for name in names for alias in ALIASES.get(name, ())}
    return refusing(*sorted((aliases | set(others)).difference(names)))(cls)
