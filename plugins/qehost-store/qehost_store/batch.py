"""A batch of events sorted by what is written of each.  No I/O.

Of the states of an order only the last is written, so only that one's `detail` is made, which is
what costs most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar

from qehost.messages import (
    AnyEvent,
    ConnectedEvent,
    DisconnectedEvent,
    ErrorEvent,
    FillEvent,
    MasterOrderEvent,
    OrderEvent,
    StatusEvent,
    UnknownEvent,
)

__all__ = ["Batch", "OrderName", "States"]

OrderName: TypeAlias = tuple[str, str]
"""master_order_id and order_id, as messages have them."""
Kind = TypeVar("Kind", MasterOrderEvent, OrderEvent)


@dataclass(slots=True)
class States(Generic[Kind]):
    """The states of one order in a batch."""

    last: Kind
    """The latest one that was not overtaken; where all were, the latest."""
    first_seq: int

    def add(self, event: Kind) -> None:
        if not event.stale or self.last.stale:
            self.last = event


@dataclass(slots=True)
class Batch:
    """`before` is the event before the first one, if that is of a child order: its fill may be the
    first one here.  `settled`: no fill comes after the last event."""

    master_orders: dict[str, States[MasterOrderEvent]] = field(default_factory=dict)
    orders: dict[OrderName, States[OrderEvent]] = field(default_factory=dict)
    executions: list[tuple[FillEvent | OrderEvent, OrderEvent | None]] = field(default_factory=list)
    """In order: a fill, with the state of its order if that came right before it; or the state of
    an order that has a filled quantity and after which no fill of it was told."""
    connections: list[ConnectedEvent | DisconnectedEvent | StatusEvent] = field(
        default_factory=list
    )
    problems: list[ErrorEvent | UnknownEvent] = field(default_factory=list)
    open_end: OrderEvent | None = None
    """The last event, if it is of a child order whose fill may come next."""

    @classmethod
    def of(
        cls,
        events: Sequence[AnyEvent],
        before: OrderEvent | None = None,
        *,
        settled: bool = False,
    ) -> Batch:
        batch = cls()
        waiting = before
        for event in events:
            match event:
                case FillEvent():
                    state = waiting if waiting is not None and _belong(event, waiting) else None
                    if waiting is not None and state is None:
                        batch.executions.append((waiting, None))
                    batch.executions.append((event, state))
                    waiting = None
                    continue
                case OrderEvent():
                    if waiting is not None:
                        batch.executions.append((waiting, None))
                    waiting = event if event.message.cum_filled_qty else None
                    batch._add_order(event)
                    continue
                case MasterOrderEvent():
                    batch._add_master_order(event)
                case ErrorEvent() | UnknownEvent():
                    batch.problems.append(event)
                case _:
                    batch.connections.append(event)
            if waiting is not None:
                batch.executions.append((waiting, None))
                waiting = None
        if waiting is not None and (settled or waiting.origin == "baseline"):
            batch.executions.append((waiting, None))
            waiting = None
        batch.open_end = waiting
        return batch

    def _add_order(self, event: OrderEvent) -> None:
        name = event.message.master_order_id, event.message.order_id
        if (known := self.orders.get(name)) is None:
            self.orders[name] = States(event, event.seq)
        else:
            known.add(event)

    def _add_master_order(self, event: MasterOrderEvent) -> None:
        name = event.message.master_order_id
        if (known := self.master_orders.get(name)) is None:
            self.master_orders[name] = States(event, event.seq)
        else:
            known.add(event)

    def order_names(self) -> dict[OrderName, None]:
        """Of all child orders that the batch is about, each once."""
        names = dict.fromkeys(self.orders)
        for event, _ in self.executions:
            names[event.message.master_order_id, event.message.order_id] = None
        return names


def _belong(fill: FillEvent, state: OrderEvent) -> bool:
    """Whether the fill was derived from this state."""
    ours, its = fill.message, state.message
    return (ours.master_order_id, ours.order_id) == (its.master_order_id, its.order_id) and (
        fill.origin == "derived"
    )
