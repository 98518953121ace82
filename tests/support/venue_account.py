"""An account of the venue: the objects that tell of its orders, and what a pipeline makes of them.

What was told stands there in short, so that a test can say it as a whole: `PLACED 40` is a state
with so much filled, `fill 20` a fill; in front of it stands where it is from, if that is not the
stream, and its marks.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from fed import fed

from qehost.events.pipeline import Pipeline
from qehost.events.readings import Reading
from qehost.events.rest_objects import decode_rest
from qehost.messages import AnyEvent, ErrorEvent, FillEvent, MasterOrderEvent, OrderEvent

__all__ = ["EPOCH", "Account", "at", "child", "epoch_ms", "in_short", "master", "pushed"]

EPOCH = datetime(2026, 7, 3, 9, 46, tzinfo=UTC)


def at(second: float, digits: int = 3) -> str:
    """A time of the venue, so many seconds after `EPOCH`, with so many digits after the second."""
    text = (EPOCH + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return (text[:-6] + text[-6:][:digits]).rstrip(".") + "Z"


def epoch_ms(second: float) -> int:
    """The same time as a number."""
    return round((EPOCH.timestamp() + second) * 1000)


def child(status: str, filled: object = 0, time: str = "", **fields: Any) -> dict[str, Any]:
    """A V2 child order of 100; the price is 10 unless `fields` say otherwise."""
    return {
        "id": "c-1",
        "orderId": "x-1",
        "masterOrderId": "m-1",
        "symbol": "BTCUSDT",
        "side": "buy",
        "category": "spot",
        "quantity": "100",
        "price": "10",
        "filledQuantity": str(filled),
        "filledNotional": str(Decimal(str(filled)) * 10),
        "averagePrice": "10",
        "status": status,
        "orderCreatedTime": at(0),
        "updatedAt": time,
        **fields,
    }


def master(status: str, filled: object = 0, time: str = "", **fields: Any) -> dict[str, Any]:
    """A V2 master order."""
    return {
        "masterOrderId": "m-1",
        "totalQuantity": "100",
        "worstPrice": "-1",
        "executionDurationSeconds": "600",
        "status": status,
        "cumFilledQty": str(filled),
        "createdAt": at(0),
        "updatedAt": time,
        **fields,
    }


def pushed(data: dict[str, Any], message_id: str = "") -> str:
    """The text in which the stream brings an object."""
    type_ = "data"
    if "type" not in data:
        type_ = "order_data" if "orderId" in data or "id" in data else "master_data"
    return json.dumps({"type": type_, "messageId": message_id, "data": json.dumps(data)})


class Account:
    """Each message of the stream has an id of its own here."""

    def __init__(self, pipeline: Pipeline | None = None) -> None:
        self.pipeline = pipeline or Pipeline("main")
        self.events: list[AnyEvent] = []
        self.received_at = round(EPOCH.timestamp() * 1e9)
        self._messages = 0

    def push(self, *objects: dict[str, Any]) -> list[str]:
        """The stream brings these; what is told."""
        texts = []
        for data in objects:
            self._messages += 1
            texts.append(pushed(data, f"id-{self._messages}"))
        return self.note(fed(self.pipeline, texts, self.received_at))

    def read(
        self,
        *objects: dict[str, Any],
        asked: Reading | None = None,
        since: float | None = None,
        is_baseline: bool = False,
    ) -> list[str]:
        """REST says this; what is told.  It was asked just now, if `asked` does not say when."""
        asked = asked or self.ask(since, is_baseline=is_baseline)
        masters = [json.dumps(each) for each in objects if "orderId" not in each]
        orders = [json.dumps(each) for each in objects if "orderId" in each]
        found = decode_rest(masters, orders)
        return self.note(self.pipeline.catch_up(found, self.received_at, asked))

    def ask(self, since: float | None = None, *, is_baseline: bool = False) -> Reading:
        """REST is asked now for what changed since so many seconds after `EPOCH`."""
        begin = 0 if since is None else epoch_ms(since) * 10**6
        return self.pipeline.reading(begin, is_baseline=is_baseline)

    def note(self, events: Sequence[AnyEvent]) -> list[str]:
        self.events += events
        return [in_short(event) for event in events]

    @property
    def filled(self) -> Decimal:
        """By the fills that were told and are not marked."""
        fills = [event for event in self.events if isinstance(event, FillEvent)]
        return sum((quantity(fill) for fill in fills if not fill.redelivered), Decimal(0))


def quantity(fill: FillEvent) -> Decimal:
    exact = fill.exact and fill.exact.quantity
    return Decimal(repr(fill.message.filled_qty)) if exact is None else exact


def in_short(event: AnyEvent) -> str:
    words = [] if event.origin in ("stream", "derived") else [event.origin]
    words += ["stale"] * event.stale + ["redelivered"] * event.redelivered
    match event:
        case OrderEvent(message=message):
            words += [message.status, f"{message.cum_filled_qty:g}"]
        case MasterOrderEvent(message=message):
            words += ["master", message.status]
        case FillEvent():
            words += ["fill", f"{quantity(event).normalize():f}"]
        case ErrorEvent(message=problem):
            words += [problem.code]
        case _:
            words += [event.kind]
    return " ".join(words)
