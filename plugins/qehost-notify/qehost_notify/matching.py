"""Which events a rule tells, and what of them.  No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from qehost import FINAL_STATUSES, parse_duration
from qehost.messages import (
    AnyEvent,
    ConnectedEvent,
    DisconnectedEvent,
    ErrorEvent,
    FillEvent,
    MasterOrderEvent,
    OrderEvent,
)

from qehost_notify.notice import Notice, When
from qehost_notify.settings import Rule

__all__ = ["Matcher", "plain"]

_BY_KIND: dict[str, tuple[When, ...]] = {
    "fill": ("fill",),
    "master_order": ("rejected", "finished", "master_order"),
    "order": ("rejected", "order"),
    "connected": ("reconnected",),
    "disconnected": ("disconnected",),
    "error": ("gap", "error"),
}
"""What an event of a kind may be, what says most first."""


class Matcher:
    """Compares events with rules.  An event that no rule is about costs one look into a table."""

    def __init__(self, rules: Sequence[Rule], stale: float) -> None:
        self._stale = stale
        self._rules: dict[str, list[tuple[str, Rule]]] = {}
        for kind, whens in _BY_KIND.items():
            if wanting := [rule for rule in rules if not set(whens).isdisjoint(rule.when)]:
                self._rules[kind] = [(rule.name, rule) for rule in wanting]

    def matches(self, events: Sequence[AnyEvent], now: float) -> Iterator[tuple[str, Notice]]:
        """The name of a rule, and what it tells.  `now` is epoch seconds."""
        for event in events:
            rules = self._rules.get(event.kind)
            if rules is None or event.origin == "baseline":
                continue
            happened = _happened(event)
            if now - happened > self._stale:
                continue
            found = _whens(event)
            for name, rule in rules:
                when = next((each for each in found if each in rule.when), None)
                if when is not None and _wanted(rule, when, event):
                    yield name, _notice(when, event, happened)


def plain(number: Decimal | None) -> str:
    """A number without exponent and without zeros at its end; `""` where there is none."""
    if number is None:
        return ""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _happened(event: AnyEvent) -> float:
    """Epoch seconds.  What was read over REST may have happened long before it was received."""
    received = event.received_at / 1e9
    if event.origin == "stream" or not isinstance(event, MasterOrderEvent | OrderEvent | FillEvent):
        return received
    said = event.message.timestamp / 1000
    return min(received, said) if said > 0 else received


def _whens(event: AnyEvent) -> tuple[When, ...]:
    match event:
        case FillEvent():
            return ("fill",)
        case MasterOrderEvent() if not event.stale:
            status = event.message.status.upper()
            if status == "REJECTED":
                return ("rejected", "finished", "master_order")
            return ("finished", "master_order") if status in FINAL_STATUSES else ("master_order",)
        case OrderEvent() if not event.stale:
            is_rejected = event.message.status.upper() == "REJECTED"
            return ("rejected", "order") if is_rejected else ("order",)
        case ConnectedEvent() if event.message.down_since:
            return ("reconnected",)
        case DisconnectedEvent():
            return ("disconnected",)
        case ErrorEvent():
            return ("gap",) if event.message.code == "gap" else ("error",)
    return ()


def _wanted(rule: Rule, when: When, event: AnyEvent) -> bool:
    if when == "disconnected" and parse_duration(rule.after):
        return False  # told by whoever reads the status
    if not isinstance(event, MasterOrderEvent | OrderEvent | FillEvent):
        return rule.takes(event.account)
    message = event.message
    if isinstance(event, MasterOrderEvent | OrderEvent) and rule.status:
        states = map(str.upper, rule.status)
        if event.message.status.upper() not in states:
            return False
    worth = _worth(event) if rule.notional else None
    return rule.takes(event.account, message.symbol, message.side, worth)


def _worth(event: MasterOrderEvent | OrderEvent | FillEvent) -> Decimal | None:
    """In the quote currency, of what was ordered or filled, whichever is more."""
    known: list[Decimal | None]
    match event:
        case FillEvent():
            known = [event.detail.notional]
        case OrderEvent():
            detail = event.detail
            ordered = detail.price and detail.quantity and detail.price * detail.quantity
            known = [ordered, detail.filled_notional]
        case MasterOrderEvent():
            known = [event.detail.order_notional, event.detail.cum_filled_notional]
    return max((abs(each) for each in known if each), default=None)


def _notice(when: When, event: AnyEvent, happened: float) -> Notice:
    facts, subject = _facts(event)
    kept = {name: text for name, text in facts.items() if text}
    if when in ("rejected", "finished"):
        subject = f"{when}:{subject}"
    else:
        subject = ""
    return Notice(when, event.account, happened, kept, subject, event.journal_id, event.seq)


def _facts(event: AnyEvent) -> tuple[dict[str, str], str]:
    """What is told of it, and what state of which order it is: a venue's ids may begin anew, so the
    second in which it was made is a part."""
    match event:
        case FillEvent():
            fill = event.detail
            return {
                **_order(event),
                "quantity": plain(fill.quantity and abs(fill.quantity)),
                "price": plain(fill.price),
                "notional": plain(fill.notional and abs(fill.notional)),
            }, ""
        case OrderEvent():
            child = event.detail
            made = (child.order_created_time or 0) // 1000
            name = f"{child.id or child.order_id}:{child.order_id}:{made}"
            return {
                **_order(event),
                "of": "order",
                "status": child.status or event.message.status,
                "quantity": plain(child.quantity and abs(child.quantity)),
                "price": plain(child.price or None),
                "filled": plain(child.filled_quantity and abs(child.filled_quantity)),
                "average": plain(child.average_price or None),
                "reason": child.reject_reason or event.message.reason,
            }, name
        case MasterOrderEvent():
            master = event.detail
            status = master.status or event.message.status
            return {
                **_order(event),
                "of": "master_order",
                "status": status,
                "algorithm": master.algorithm,
                "client_order_id": master.client_order_id,
                "quantity": plain(master.total_quantity or None),
                "notional": plain(master.order_notional or None),
                "quote": master.quote_currency,
                "filled": plain(master.cum_filled_qty and abs(master.cum_filled_qty)),
                "average": plain(master.avg_filled_price or None),
                "reason": master.reject_reason or event.message.reason,
            }, f"{event.message.master_order_id}:{status}:{master.created_at[:19]}"
        case ConnectedEvent():
            down = (event.message.up_at - event.message.down_since) / 1e9
            return {"duration": f"{max(0.0, down):.0f}"}, ""
        case DisconnectedEvent():
            return {"reason": event.message.reason}, ""
        case ErrorEvent():
            return {"reason": event.message.text}, ""
    return {}, ""


def _order(event: MasterOrderEvent | OrderEvent | FillEvent) -> dict[str, str]:
    message = event.message
    made = {
        "symbol": message.symbol,
        "side": message.side.lower(),
        "master_order_id": message.master_order_id,
    }
    if isinstance(event, MasterOrderEvent):
        return made
    return {**made, "order_id": event.message.order_id}
