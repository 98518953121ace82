"""A master order from NEW to its end."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from typing import Any, Unpack

from qehost.messages import AnyEvent, MasterOrderDetail
from qehost.testing.events import Events, default, detail
from qehost.testing.fields import MasterOrderFields

__all__ = ["worked_master_order"]


def worked_master_order(
    *,
    children: int = 3,
    price: str | Decimal = "97000.10",
    events: Events | None = None,
    **fields: Unpack[MasterOrderFields],
) -> list[AnyEvent]:
    """All events of a master order from NEW to its end, in order.

    Each of `children` child orders is placed at `price`, half filled and filled, and each fill is
    followed by an update of the master order.  `status` is the last one, by default COMPLETED; for
    any other the last child order is cancelled unfilled.  The figures add up exactly: the fills to
    the child orders, and these to the master order.

    `fields` are those of every update of the master order; its child orders have the same symbol,
    side and so on.  `events` makes the events, if numbers and times matter.
    """
    source = events or default
    given: dict[str, Any] = dict(fields)
    end = given.pop("status", "COMPLETED")
    at = Decimal(price)
    done = Decimal(0)
    made: list[AnyEvent] = []

    def update_master(status: str) -> MasterOrderDetail:
        given.update(status=status, cum_filled_qty=done, avg_filled_price=at if done else None)
        event = source.master_order(**given)
        made.append(event)
        return detail(event)

    update_master("NEW")
    master = update_master("PROCESSING")
    for number, quantity in enumerate(_parts(master.total_quantity, children), 1):
        child: dict[str, Any] = {
            "account": made[0].account,
            "master_order_id": master.master_order_id,
            "symbol": master.symbol,
            "side": master.side,
            "exchange": master.exchange,
            "category": master.category,
            "id": str(number),
            "order_id": f"{master.master_order_id}-{number}",
            "quantity": quantity,
            "price": at,
        }
        made.append(source.order(**child))
        if number == children and end != "COMPLETED":
            made.append(source.order(**child, status="CANCELLED"))
            break
        half, rest = _parts(quantity, 2)
        for part, filled, status in ((half, half, "PLACED"), (rest, quantity, "FILLED")):
            update = source.order(**child, status=status, filled_quantity=filled)
            made += [update, source.fill_of(update, part)]
            done += part
            if done != master.total_quantity:
                update_master("PROCESSING")
    update_master(end)
    return made


def _parts(quantity: Decimal | None, count: int) -> list[Decimal]:
    """`count` parts that add up to the whole, equal but for the last."""
    if count < 1 or quantity is None or quantity <= 0:
        raise ValueError("a master order is worked by one child order at least, and has a quantity")
    exponent = quantity.as_tuple().exponent
    assert isinstance(exponent, int)
    part = (quantity / count).quantize(Decimal(1).scaleb(exponent - 4), ROUND_DOWN)
    return [part] * (count - 1) + [quantity - part * (count - 1)]
