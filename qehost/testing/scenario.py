"""A master order from its start to its end."""

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
    """All events of a master order from NEW to its end, in the order in which they come.

    Each of `children` child orders is placed at `price`, half filled and filled, and after each
    fill the master order tells how far it has come.  `status` is how it ends, by default COMPLETED;
    for any other the last child order is cancelled unfilled.  The figures add up exactly: the fills
    to the child orders, and these to the master order.

    `fields` hold for every update of the master order; its child orders have symbol, side and so on
    from it.  `events` makes the events, where numbering and clock matter.
    """
    source = events or default
    given: dict[str, Any] = dict(fields)
    end = given.pop("status", "COMPLETED")
    at = Decimal(price)
    done = Decimal(0)
    told: list[AnyEvent] = []

    def tell(status: str) -> MasterOrderDetail:
        given.update(status=status, cum_filled_qty=done, avg_filled_price=at if done else None)
        event = source.master_order(**given)
        told.append(event)
        return detail(event)

    tell("NEW")
    master = tell("PROCESSING")
    for number, quantity in enumerate(_parts(master.total_quantity, children), 1):
        child: dict[str, Any] = {
            "account": told[0].account,
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
        told.append(source.order(**child))
        if number == children and end != "COMPLETED":
            told.append(source.order(**child, status="CANCELLED"))
            break
        half, rest = _parts(quantity, 2)
        for part, filled, status in ((half, half, "PLACED"), (rest, quantity, "FILLED")):
            update = source.order(**child, status=status, filled_quantity=filled)
            told += [update, source.fill_of(update, part)]
            done += part
            if done != master.total_quantity:
                tell("PROCESSING")
    tell(end)
    return told


def _parts(quantity: Decimal | None, count: int) -> list[Decimal]:
    """`count` parts that add up to the whole, equal but for the last."""
    if count < 1 or quantity is None or quantity <= 0:
        raise ValueError("a master order is worked by one child order at least, and has a quantity")
    exponent = quantity.as_tuple().exponent
    assert isinstance(exponent, int)
    part = (quantity / count).quantize(Decimal(1).scaleb(exponent - 4), ROUND_DOWN)
    return [part] * (count - 1) + [quantity - part * (count - 1)]
