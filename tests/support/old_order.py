"""A child order that is older than a run, filled as a test says."""

from __future__ import annotations

from decimal import Decimal

from qehost.messages import MasterOrderDetail, OrderDetail
from qehost.simulator import Venue
from qehost.simulator.orders import OrderUpdate, rfc3339

__all__ = ["Order"]


class Order:
    """A child order of the venue's first master order, filled as the test says."""

    def __init__(self, venue: Venue, name: str, age: float = 600.0) -> None:
        self.venue = venue
        if not venue.accounts[0].history.master_orders({}, None, None):
            venue.step()  # the first master order
        [master, *_] = venue.accounts[0].history.master_orders({}, None, None)
        assert isinstance(master, MasterOrderDetail)
        made = venue.now_ms() - round(age * 1000)
        self.detail = OrderDetail(
            id=f"i{name}",
            order_id=name,
            master_order_id=master.master_order_id,
            order_created_time=made,
            symbol="BTCUSDT",
            side="buy",
            quantity=Decimal(100),
            price=Decimal(3),
            status="PLACED",
            created_at=rfc3339(made),
        )

    def fill(self, filled: int, *, push: bool = True) -> None:
        self.venue.publish(
            OrderUpdate(
                OrderDetail(
                    **self.detail.as_dict()
                    | {
                        "filled_quantity": Decimal(filled),
                        "filled_notional": Decimal(3 * filled),
                        "average_price": Decimal(3),
                        "updated_at": rfc3339(self.venue.now_ms()),
                    }
                )
            ),
            push=push,
        )
