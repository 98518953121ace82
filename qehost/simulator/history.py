"""The last state of each order, for REST.  Bounded, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Literal, TypeAlias, TypeVar

from qehost.messages import MasterOrderDetail, OrderDetail
from qehost.simulator.orders import FINISHED, OrderUpdate

__all__ = ["History", "TimeFilter"]

TimeFilter: TypeAlias = Literal["updated", "created"]
_Detail = TypeVar("_Detail", MasterOrderDetail, OrderDetail)

_MASTERS = 2_000
_CHILDREN = 20_000


class History:
    """Master orders and child orders by id, as last published.

    `time_filter` says which time `startTime` and `endTime` are compared with; the venue's
    documentation does not.
    """

    def __init__(self, time_filter: TimeFilter = "updated") -> None:
        self._time_filter = time_filter
        self._masters: dict[str, MasterOrderDetail] = {}
        self._children: dict[str, OrderDetail] = {}
        self._by_client_order_id: dict[str, str] = {}

    def record(self, update: OrderUpdate) -> None:
        """Keeps the state of an order; the oldest orders are dropped."""
        subject = update.subject
        if isinstance(subject, MasterOrderDetail):
            self._masters[subject.master_order_id] = subject
            self._by_client_order_id[subject.client_order_id] = subject.master_order_id
            if len(self._masters) > _MASTERS:
                oldest = self._masters.pop(next(iter(self._masters)))
                self._by_client_order_id.pop(oldest.client_order_id, None)
        else:
            self._children[subject.id] = subject
            if len(self._children) > _CHILDREN:
                del self._children[next(iter(self._children))]

    def master_order(self, master_order_id: str) -> MasterOrderDetail | None:
        return self._masters.get(master_order_id)

    def by_client_order_id(self, client_order_id: str) -> MasterOrderDetail | None:
        return self._masters.get(self._by_client_order_id.get(client_order_id, ""))

    def master_orders(
        self, wanted: dict[str, str], since: datetime | None, until: datetime | None
    ) -> list[MasterOrderDetail]:
        """Newest first; `wanted` by the fields' own names in `MasterOrderDetail`.

        The status `NEW` means all that still run and `COMPLETED` all that don't; any other finds
        nothing, as at the venue.
        """
        status = wanted.pop("status", "")

        def match(detail: MasterOrderDetail) -> bool:
            finished = detail.status in FINISHED
            if status == "NEW":
                return not finished
            if status == "COMPLETED":
                return finished
            return not status

        return self._select(self._masters.values(), wanted, since, until, match)

    def order_fills(
        self, wanted: dict[str, str], since: datetime | None, until: datetime | None
    ) -> list[OrderDetail]:
        """Newest first; `wanted` by the fields' own names in `OrderDetail`.

        `client_order_id` is the master order's; `status` may hold several, with commas between.
        """
        client_order_id = wanted.pop("client_order_id", "")
        if client_order_id:
            wanted["master_order_id"] = self._by_client_order_id.get(client_order_id, "?")
        statuses = set(filter(None, wanted.pop("status", "").split(",")))
        return self._select(
            self._children.values(),
            wanted,
            since,
            until,
            lambda detail: not statuses or detail.status in statuses,
        )

    def _select(
        self,
        details: Iterable[_Detail],
        wanted: dict[str, str],
        since: datetime | None,
        until: datetime | None,
        match: Callable[[_Detail], bool],
    ) -> list[_Detail]:
        def within(detail: _Detail) -> bool:
            if since is None and until is None:
                return True
            text = detail.updated_at if self._time_filter == "updated" else detail.created_at
            time = datetime.fromisoformat(text)
            return (since is None or time >= since) and (until is None or time <= until)

        found = [
            detail
            for detail in tuple(details)  # a test may ask while the market goes on
            if match(detail)
            and all(getattr(detail, name) == value for name, value in wanted.items())
            and within(detail)
        ]
        found.reverse()
        return found
