"""What the venue of a story pushes, and what its REST says at a given time.  No I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec

from .story import Order, State, Story

__all__ = ["Push", "Seen", "Venue", "moment_ms"]

UNITS = {"s": -3, "ms": 0, "us": 3, "ns": 6}


@dataclass(frozen=True)
class Seen:
    """What a text says: a state of an order, or of V1 one fill."""

    order: Order
    state: State
    what: str  # `master_order`, `order` or `fill`
    source: str  # `stream` or `rest`
    filled: int = 0  # of a V1 fill: how much


@dataclass(frozen=True)
class Push:
    text: str
    sent: int
    arrives: int
    seen: Seen


class Venue:
    def __init__(self, story: Story) -> None:
        self.story = story
        self.style = story.style
        self.texts: dict[str, list[Seen]] = {}
        """By each text that was sent or shown: what it says."""
        self.pushes = self._pushes()

    # --- REST ---------------------------------------------------------------------------------

    def list(
        self, kind: str, query: dict[str, str], time: float, show: Callable[[Seen], None]
    ) -> str:
        """A page of `master-orders` or `order-fills`, as it is then; JSON.

        `show` is told what stands in it.
        """
        known = time - self.style.rest_lag
        there: dict[str, tuple[Order, State]] = {}
        for order in sorted(self.story.orders, key=lambda order: order.created):
            state = order.at(known)
            if state and (order.master is None) is (kind == "master-orders"):
                there[order.id] = order, state  # an id that was given anew is the newer one's
        found = [each for each in there.values() if self._is_wanted(*each, query)]
        found.sort(key=lambda each: each[0].created, reverse=True)
        page, size = int(query.get("page", 1)), int(query.get("pageSize", 20))
        shown = found[(page - 1) * size : page * size]
        for order, state in shown:
            show(Seen(order, state, _what(order), "rest"))
        items = ",".join(self._rest_text(order, state) for order, state in shown)
        return f'{{"items":[{items}],"total":{len(found)},"page":{page},"pageSize":{size}}}'

    def _is_wanted(self, order: Order, state: State, query: dict[str, str]) -> bool:
        if order.master is None and "status" in query:
            if query["status"] not in ("NEW", "COMPLETED"):
                return False
            if state.is_final is (query["status"] == "NEW"):
                return False
        by = order.created if self.style.rest_filter == "created" else state.at
        at = self.story.venue_ms(by)
        if "startTime" in query and at < moment_ms(query["startTime"]):
            return False
        if "endTime" in query and at > moment_ms(query["endTime"]):
            return False
        master = order.master.id if order.master else order.id
        if query.get("masterOrderId", master).lower() != master.lower():
            return False
        return query.get("orderId", state.order_id).lower() == state.order_id.lower()

    def _rest_text(self, order: Order, state: State) -> str:
        style = self.style
        fields = self._v2(order, state, style.rest_time, style.rest_shift, style.rest_digits)
        if style.rest_upper:
            for name in ("id", "masterOrderId", "orderId"):
                if name in fields:
                    fields[name] = fields[name].upper()
        text = _json(fields)
        self._note(text, Seen(order, state, _what(order), "rest"))
        return text

    def _note(self, text: str, seen: Seen) -> None:
        known = self.texts.setdefault(text, [])
        if seen not in known:
            known.append(seen)

    # --- the stream ---------------------------------------------------------------------------

    def _pushes(self) -> list[Push]:
        story, style = self.story, self.style
        states = [(state.at, order, state) for order in story.orders for state in order.states]
        states.sort(key=lambda each: each[0])  # at one time: a master order before its children
        pushes: list[Push] = []
        number, restarts = 0, sorted(o.until for o in story.outages)
        for at, order, state in states:
            while restarts and restarts[0] <= at:
                del restarts[0]
                number = 0 if style.message_ids == "anew" else number
            for seen, type_, data in self._messages(order, state):
                number += 1
                message_id = {"none": "", "placeholder": "0"}.get(style.message_ids, f"{number}")
                if style.message_ids == "unique":
                    message_id = f"m-{number}"
                text = _json({"type": type_, "messageId": message_id, "userId": "u", "data": data})
                self._note(text, seen)
                pushes += [
                    Push(text, at + later, at + later + state.delay, seen)
                    for later in (0, *state.repeats)
                ]
        # What was sent together and is delayed alike stays in its order.
        pushes.sort(key=lambda push: push.arrives)
        return pushes

    def _messages(self, order: Order, state: State) -> list[tuple[Seen, str, str]]:
        seen = Seen(order, state, _what(order), "stream")
        if self.style.protocol == "v2":
            type_ = "order_data" if order.master else "master_data"
            return [(seen, type_, _json(self._v2(order, state, self.style.push_time)))]
        messages = [(seen, "data", _json(self._v1(order, state)))]
        place = order.states.index(state)
        before = order.states[place - 1].filled if place else 0
        if order.master and state.filled > before:
            more = state.filled - before
            worth = state.worth - (order.states[place - 1].worth if place else 0)
            fill = Seen(order, state, "fill", "stream", more)
            data = _json(self._v1_fill(order, state, more, worth))
            messages.insert(0 if self.style.fill_first else 1, (fill, "data", data))
        return messages

    # --- objects ------------------------------------------------------------------------------

    def quantity(self, units: int, order: Order, *, long: bool = False) -> str:
        """As the venue writes it."""
        sign = -1 if self.style.signed and _is_sale(order) else 1
        text = f"{Decimal(sign * units).scaleb(-self.style.scale):f}"
        return text + ("0" if "." in text else ".0") if long else text

    def _number(self, text: str) -> Any:
        return msgspec.Raw(text.encode()) if self.style.numbers else text

    def _v2(
        self, order: Order, state: State, time: str, shift: int = 0, long: bool = False
    ) -> dict[str, Any]:
        created = self.story.venue_ms(order.created)
        updated = self.story.venue_ms(state.at) + shift
        form = "rfc_ms" if time in ("none", "created") else time
        fields: dict[str, Any] = {}
        if order.master is None:
            fields |= {
                "masterOrderId": order.id,
                "clientOrderId": "c-" + order.id,
                "algorithm": "TWAP",
                "symbol": "BTCUSDT",
                "side": "buy",
                "totalQuantity": self._number(self.quantity(state.quantity, order, long=long)),
                "executionDurationSeconds": "600",
                "status": state.status,
                "cumFilledQty": self._number(self.quantity(state.filled, order, long=long)),
                "worstPrice": "-1",
            }
        else:
            average = Decimal(state.worth) / state.filled if state.filled else Decimal(0)
            worth = self.quantity(state.worth, order)
            fields |= {
                "id": order.id if self.style.venue_ids else "",
                "masterOrderId": order.master.id,
                "symbol": "BTCUSDT",
                "category": "spot",
                "side": "sell" if _is_sale(order) else "buy",
                "filledNotional": self._number(worth),
                "filledQuantity": self._number(self.quantity(state.filled, order, long=long)),
                "averagePrice": self._number(f"{average:.8f}"),
                "price": "100",
                "status": state.status,
                "orderType": "LIMIT",
                "orderId": state.order_id,
                "quantity": self._number(self.quantity(state.quantity, order, long=long)),
                "orderCreatedTime": str(int(created)),
            }
        if time != "none":
            fields["createdAt"] = moment(created, form)
        if time not in ("none", "created"):
            fields["updatedAt"] = moment(updated, form)
        return fields

    def _v1(self, order: Order, state: State) -> dict[str, Any]:
        time = self._v1_time
        if order.master is None:
            return {
                "type": "master_order",
                "master_order_id": order.id,
                "client_id": "c-" + order.id,
                "strategy": "TWAP",
                "symbol": "BTCUSDT",
                "side": "buy",
                "qty": float(self.quantity(state.quantity, order)),
                "status": state.status,
                "timestamp": time(state.at),
            }
        filled = float(self.quantity(state.filled, order))
        return {
            "type": "order",
            "master_order_id": order.master.id,
            "order_id": state.order_id,
            "symbol": "BTCUSDT",
            "category": "spot",
            "side": "sell" if _is_sale(order) else "buy",
            "price": 100.0,
            "quantity": float(self.quantity(state.quantity, order)),
            "status": state.status,
            "created_time": time(order.created),
            "fill_qty": filled,
            "fill_price": state.worth / state.filled if state.filled else 0.0,
            "cum_filled_qty": filled,
            "last_fill_time": time(state.at) if state.filled else 0,
            "timestamp": time(state.at),
        }

    def _v1_fill(self, order: Order, state: State, more: int, worth: int) -> dict[str, Any]:
        assert order.master
        return {
            "type": "fill",
            "master_order_id": order.master.id,
            "order_id": state.order_id,
            "symbol": "BTCUSDT",
            "category": "spot",
            "side": "sell" if _is_sale(order) else "buy",
            "fill_price": worth / more,
            "filled_qty": float(self.quantity(more, order)),
            "fill_time": self._v1_time(state.at),
            "timestamp": self._v1_time(state.at),
        }

    def _v1_time(self, at: int) -> Any:
        form = self.style.push_time
        unit = form.removesuffix("_number")
        return moment(self.story.venue_ms(at), f"{unit if unit in UNITS else 'ms'}_number")


def moment(ms: float, form: str) -> Any:
    """A time as the venue writes it."""
    unit = form.removesuffix("_number")
    whole = int(ms)
    if unit in UNITS:
        number = whole // 1000 if unit == "s" else whole * 10 ** UNITS[unit]
        return number if form.endswith("_number") else str(number)
    at = datetime.fromtimestamp(whole // 1000, UTC)
    if form == "offset":
        there = at.astimezone(timezone(timedelta(hours=8)))
        return f"{there:%Y-%m-%dT%H:%M:%S}.{whole % 1000:03d}+08:00"
    fraction = {
        "rfc_s": "",
        "rfc_ms": f".{whole % 1000:03d}",
        "rfc_ns": f".{whole % 1000:03d}000000",
    }
    return f"{at:%Y-%m-%dT%H:%M:%S}{fraction[form]}Z"


def moment_ms(text: str) -> float:
    """A time in a question to REST; epoch ms."""
    if text.isdecimal():
        return int(text)
    return datetime.fromisoformat(text).timestamp() * 1000


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _is_sale(order: Order) -> bool:
    return order.master is not None and int(order.id[-1], 16) % 2 == 1


def _what(order: Order) -> str:
    return "order" if order.master else "master_order"
