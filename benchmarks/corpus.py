"""The messages that everything is measured with: a market's updates in each form of the wire.

What a message costs depends on what it is: whether its order is known, how its times are written,
which version tells it.  So there is a corpus for each form, and a figure is that of the worst:

- `mixed`: two users' markets, one told in V2 and one in V1, take turns.  So there are about as many
  bytes of each, master orders, child orders and (V1) fills in the proportions of a day's trading,
  and a message has 670 bytes in the mean;
- `V1` and `V2`: a market in this version alone;
- `whole seconds`: V2 whose times have no fraction (`…:01Z`);
- `orders seen once`: V2 child orders of which each has one message, without fractions of seconds;
  every other one is filled by it, so it brings a fill as well;
- `long-lived orders`: V2 child orders of which each is filled in hundreds of updates.

The same seed gives the same bytes.  A block of them can be repeated without end.  Each repetition
has ids of its own and goes on where the clock of the last one ended, so that a receiver takes no
message for one that it knows.  The forms have ids of their own as well: they can follow each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from itertools import count, islice
from random import Random
from typing import Any

from msgspec.structs import replace

from qehost.messages import MasterOrderDetail, OrderDetail
from qehost.simulator.connection import text_frame
from qehost.simulator.encode import MessageVersion, outer, pushes
from qehost.simulator.instruments import INSTRUMENTS
from qehost.simulator.market import Market
from qehost.simulator.orders import ChildOrder, MasterOrder, OrderUpdate

__all__ = ["BLOCK", "FORMS", "MIXED", "Frames", "messages", "status_frame"]

OPENED = 1_712_345_000  # epoch seconds
STEP_MS = 7  # between two updates, on the market's clock
BLOCK = 50_000
"""Messages before they are repeated."""
REPEATED_AFTER = 36_000
"""Seconds of the market's clock from one repetition to the next: whole hours and whole thousands,
so that a repetition differs in two strings only, which keep their length."""
MIXED = "mixed"
LIVING = 100  # long-lived orders at a time
UPDATES = 400  # of each


def messages(total: int, form: str = MIXED, seed: int = 1) -> list[bytes]:
    """`total` outer messages, each with an id of its own; up to `BLOCK`."""
    if total > BLOCK:
        raise ValueError(f"there are {BLOCK} messages before they are repeated")
    return list(islice(FORMS[form](seed), total))


def _mixed(seed: int) -> Iterator[bytes]:
    forms: tuple[MessageVersion, ...] = ("v2", "v1")
    markets = [(form, _market(seed, user)) for user, form in enumerate(forms)]
    for number in count(1):
        form, market = markets[number % len(markets)]
        update = market.step(OPENED * 1000 + number * STEP_MS)
        yield from _pushes(update, f"{number}", form)


def _version(form: MessageVersion, user: int, seed: int) -> Iterator[bytes]:
    for number, update in _steps(seed, user):
        yield from _pushes(update, f"{user}-{number}", form)


def _whole_seconds(user: int, seed: int) -> Iterator[bytes]:
    for number, update in _steps(seed, user):
        yield from _pushes(_without_fraction(update), f"{user}-{number}", "v2")


def _seen_once(user: int, seed: int) -> Iterator[bytes]:
    for number, update in _steps(seed, user):
        order = update.subject
        if isinstance(order, OrderDetail):
            fresh: dict[str, Any] = {
                "id": f"{OPENED}{user}{number:09}",
                "order_id": f"{OPENED}{user}{number:09}7",
            }
            if number % 2:
                assert order.quantity is not None
                assert order.price is not None
                fresh |= {
                    "status": "FILLED",
                    "filled_quantity": order.quantity,
                    "filled_notional": order.quantity * order.price,
                    "average_price": order.price,
                }
            else:
                fresh |= {"status": "PLACED"} | dict.fromkeys(_FILLED, Decimal(0))
            once = _without_fraction(OrderUpdate(replace(order, **fresh)))
            yield from _pushes(once, f"{user}-{number}", "v2")


def _long_lived(user: int, seed: int) -> Iterator[bytes]:
    rng = Random(f"{seed}/{user}")
    children: list[ChildOrder] = []
    for number in count(1):
        now = OPENED * 1000 + number * STEP_MS
        if len(children) < LIVING:
            id_ = f"{OPENED}{user}{number:09}"
            instrument = rng.choice(INSTRUMENTS)
            detail = MasterOrderDetail(
                master_order_id=f"mo_{id_}",
                exchange="Binance",
                category=instrument.category,
                symbol=instrument.symbol,
                side=rng.choice(("buy", "sell")),
            )
            master = MasterOrder(detail, instrument, UPDATES, 1)
            child = ChildOrder(master, int(id_), UPDATES, instrument.opening, now)
            children.append(child)
            update = OrderUpdate(child.detail)
        else:
            child = rng.choice(children)
            update = child.fill(1, child.ticks + rng.randint(-2, 2), now)
            if not child.remaining:
                children.remove(child)
        yield from _pushes(update, f"{user}-{number}", "v2")


_FILLED = ("filled_quantity", "filled_notional", "average_price")

FORMS: dict[str, Callable[[int], Iterator[bytes]]] = {
    MIXED: _mixed,
    "V1": partial(_version, "v1", 2),
    "V2": partial(_version, "v2", 3),
    "whole seconds": partial(_whole_seconds, 4),
    "orders seen once": partial(_seen_once, 5),
    "long-lived orders": partial(_long_lived, 6),
}
"""By its name: from a seed to messages without end."""


def _market(seed: int, user: int) -> Market:
    return Market(seed, OPENED * 1000, user)


def _steps(seed: int, user: int) -> Iterator[tuple[int, OrderUpdate]]:
    market = _market(seed, user)
    for number in count(1):
        yield number, market.step(OPENED * 1000 + number * STEP_MS)


def _pushes(update: OrderUpdate, id_: str, form: MessageVersion) -> Iterator[bytes]:
    for _, text in pushes(update, f"{OPENED}000-{id_}", f"user-{form}", form):
        yield text


def _without_fraction(update: OrderUpdate) -> OrderUpdate:
    times = {
        name: f"{getattr(update.subject, name)[: len('2024-04-05T19:23:20')]}Z"
        for name in ("created_at", "updated_at")
    }
    return OrderUpdate(replace(update.subject, **times))


class Frames:
    """The messages of a form without end, each as a frame of the stream.  `block`: repeat so
    many."""

    def __init__(self, block: int = BLOCK, form: str = MIXED) -> None:
        self._block = [text_frame(text) for text in messages(block, form)]

    def single(self, begin: int, total: int) -> list[bytes]:
        """Frames number `begin` and following."""
        return [frame for part in self._parts(begin, total, 1) for frame in part]

    def joined(self, begin: int, total: int, size: int) -> list[bytes]:
        """The same in pieces of about `size` bytes, whole frames each."""
        each = max(1, size * len(self._block) // sum(map(len, self._block)))
        return [b"".join(part) for part in self._parts(begin, total, each)]

    def _parts(self, begin: int, total: int, each: int) -> Iterator[list[bytes]]:
        end = begin + total
        while begin < end:
            repetition, at = divmod(begin, len(self._block))
            part = self._block[at : at + min(each, end - begin)]
            begin += len(part)
            yield [_repeated(b"".join(part), repetition)] if repetition else part


def _repeated(text: bytes, repetition: int) -> bytes:
    old, new = _ids_and_hour(0), _ids_and_hour(repetition)
    return text.replace(old[0], new[0]).replace(old[1], new[1])


def _ids_and_hour(repetition: int) -> tuple[bytes, bytes]:
    """What all ids and epoch times of a repetition begin with, and the hour of its other times."""
    opened = OPENED + repetition * REPEATED_AFTER
    hour = datetime.fromtimestamp(opened, UTC).strftime("%Y-%m-%dT%H")
    return str(opened // 1000).encode(), hour.encode()


def status_frame(text: str, message_id: str) -> bytes:
    """A status message, by which a receiver knows that something has ended."""
    return text_frame(outer("status", message_id, "", text))
