"""Orders to look at: what a market's day has of good and bad."""

import time

from qehost.testing import Events, worked_master_order


def source(account="main", ago=60.0, step_ms=10):
    """Makes events that begin so many seconds ago."""
    return Events(account, start_ms=int((time.time() - ago) * 1000), step_ms=step_ms)


def renumbered(events, first=1):
    return [
        type(event)(**{**fields(event), "seq": number})
        for number, event in enumerate(events, first)
    ]


def fields(event):
    return {name: getattr(event, name) for name in event.__struct_fields__}


def working(events, ident, filled="0.6", **terms):
    """A master order in PROCESSING, with an open child order and fills that add up to `filled`."""
    start = events.start_ms
    own = {
        "master_order_id": ident,
        "client_order_id": f"c-{ident}",
        "total_quantity": "1.5",
        "start_time_ms": start,
        "execution_duration_seconds": 600,
        "up_tolerance": "0.2",
        "low_tolerance": "0.1",
        "worst_price": "98000",
        **terms,
    }
    symbol = own.get("symbol", "BTCUSDT")
    side = own.get("side", "buy")
    child = {"master_order_id": ident, "id": f"v-{ident}", "order_id": f"x-{ident}"}
    child |= {"symbol": symbol, "side": side, "quantity": "1.0", "price": "97000"}
    made = [
        events.master_order(status="NEW", **own),
        events.master_order(status="PROCESSING", **own),
        events.order(**child),
    ]
    update = events.order(**child, filled_quantity=filled, average_price="97000")
    return [*made, update, events.fill_of(update, filled)]


def refused(events, master, reason="Margin is insufficient", number=1, **more):
    """A child order that the exchange rejects."""
    child = {"master_order_id": master, "id": f"r-{number}", "order_id": f"rx-{number}"}
    return events.order(**child, status="REJECTED", reject_reason=reason, **more)


def day(account="main"):
    """Working, ended and rejected orders of one account, in one numbering."""
    events = source(account)
    made = [
        *working(events, "mo-1"),
        *working(events, "mo-2", symbol="ETHUSDT", side="sell", algorithm="VWAP"),
        *worked_master_order(events=events, master_order_id="mo-3", symbol="SOLUSDT"),
        refused(events, "mo-1"),
        events.master_order(master_order_id="mo-4", status="REJECTED", reject_reason="No funds"),
    ]
    return renumbered(made)
