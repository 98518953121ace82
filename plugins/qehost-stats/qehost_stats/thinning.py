"""Which events of a slice say something that the others do not.  No I/O.

A child order is pushed again with each fill, and a master order, too; their last state has all
figures.  Asking each state for its exact figures would cost more than all the rest, so only those
are left that are needed: they are a quarter.
"""

from __future__ import annotations

from collections.abc import Iterable

from qehost.messages import FINAL_STATUSES, AnyEvent, FillEvent, MasterOrderEvent, OrderEvent

__all__ = ["thinned"]

_CANCELLED = frozenset({"CANCELLED", "CANCELED"})


def thinned(events: Iterable[AnyEvent]) -> list[AnyEvent]:
    """The events of one account, in their order, without states that a later one of them replaces.

    All fills stay, and all that is no order.  Of a master order the first and the last state stay,
    and each that changes its status or what was ordered; of a child order the last one, and the one
    before it is cancelled or filled.
    """
    kept: list[AnyEvent] = []
    masters: dict[str, MasterOrderEvent] = {}  # the last state, kept or not
    waiting: dict[tuple[str, ...], AnyEvent] = {}  # states that a later one may replace
    known: set[tuple[str, str]] = set()  # child orders with a state that was kept
    worked: set[str] = set()  # master orders with a child order that was kept
    for event in events:
        if isinstance(event, OrderEvent):
            name = event.message.master_order_id, event.message.order_id
            if _is_needed(event, worked):
                if name in waiting:
                    earlier = waiting.pop(name)
                    # That an order was open before it was cancelled tells that it was not amended.
                    if (
                        event.message.status.upper() in _CANCELLED
                        or event.stale
                        or event.origin != "stream"
                    ):
                        kept.append(earlier)
                kept.append(event)
                known.add(name)
                worked.add(name[0])
            else:
                waiting[name] = event
        elif isinstance(event, MasterOrderEvent):
            ident = event.message.master_order_id
            before = masters.get(ident)
            masters[ident] = event
            waiting.pop((ident,), None)
            if before is None or _differs(event, before):
                kept.append(event)
            else:
                waiting[ident,] = event
        else:
            if isinstance(event, FillEvent):
                name = event.message.master_order_id, event.message.order_id
                # A fill of an order that is not known could be one that was forgotten.
                if name not in known and name in waiting:
                    kept.append(waiting.pop(name))
                    known.add(name)
            kept.append(event)
    return kept + list(waiting.values())


def _is_needed(event: OrderEvent, worked: set[str]) -> bool:
    status = event.message.status.upper()
    return (
        status in FINAL_STATUSES
        or status == "CANCEL_REJECTED"
        or event.stale
        or event.origin != "stream"
        or event.message.master_order_id not in worked
    )


def _differs(event: MasterOrderEvent, before: MasterOrderEvent) -> bool:
    new, old = event.message, before.message
    return (
        event.stale
        or event.origin != "stream"
        or new.status != old.status
        or new.qty != old.qty
        or not new.qty  # ordered by value, which the message does not have
        or new.duration_secs != old.duration_secs
        or new.status.upper() in FINAL_STATUSES
    )
