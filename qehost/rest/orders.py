"""Master orders and child orders as the structs that hooks get, with exact decimals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from qehost.errors import DecodeError, ServerError
from qehost.events.wire import object_detail
from qehost.events.wire.raw_json import fields
from qehost.messages import MasterOrderDetail, OrderDetail
from qehost.rest.parameters import path_of
from qehost.rest.trading_v2 import MASTER_ORDER, TradingV2

__all__ = ["Orders"]


class Orders(TradingV2):
    """What the venue says of its orders now, in place of dictionaries.

    Each method raises a `RestError`; `ServerError` also for an answer that is no order.  A field
    that can't be read is None, as in a hook's `detail`.
    """

    def master_order(self, master_order_id: str) -> MasterOrderDetail:
        """One master order: whether it runs, is paused or has ended, and how far it has come.

        This answers what became of an action whose outcome is unknown
        (`RestError.outcome_unknown`).
        """
        path = path_of(MASTER_ORDER, masterOrderId=master_order_id)
        answer = self._calls.call("GET", path, signed=True)
        try:
            text = fields(answer.text)["masterOrder"]
            return cast(MasterOrderDetail, object_detail("master_data", text))
        except (KeyError, ValueError, DecodeError) as error:
            raise ServerError(answer.status, f"the answer has no master order: {error}") from None

    def running_master_orders(self) -> Iterator[MasterOrderDetail]:
        """Those that have not ended, the paused ones included, page by page."""
        for page in self.master_order_pages(status="NEW"):
            for text in page.raw:
                yield cast(MasterOrderDetail, _detail("master_data", text))

    def child_orders(self, master_order_id: str) -> Iterator[OrderDetail]:
        """The child orders of a master order, page by page, each with what of it is filled:
        `filled_quantity`, `filled_notional`, `average_price`.  V2 has no single fills."""
        for page in self.order_fill_pages(masterOrderId=master_order_id):
            for text in page.raw:
                yield cast(OrderDetail, _detail("order_data", text))


def _detail(type_: str, text: str) -> object:
    try:
        return object_detail(type_, text)
    except DecodeError as error:
        raise ServerError(200, f"the list has an entry that is no order: {error}") from None
