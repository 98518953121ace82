"""What REST has of an account's orders, decoded, in the order in which it is told.  No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from qehost.errors import DecodeError
from qehost.events import wire
from qehost.events.states import FINAL
from qehost.messages import MasterOrderMessage, OrderMessage

__all__ = ["RestObject", "decode_rest"]


class RestObject(NamedTuple):
    """An object of a list that was read over REST, or why it can't be decoded."""

    decoded: wire.Decoded | DecodeError
    text: str


def decode_rest(master_orders: Iterable[str], orders: Iterable[str]) -> list[RestObject]:
    """The texts of bare V2 objects, decoded, in the order in which they are to be told.

    That is the venue's time of change; at equal times a master order comes before its child orders,
    and after them if it is finished.
    """
    unreadable: list[RestObject] = []
    states: list[tuple[int, int, RestObject]] = []
    for type_, texts in (("master_data", master_orders), ("order_data", orders)):
        for text in texts:
            try:
                decoded = wire.decode_object(type_, text)
            except DecodeError as error:
                unreadable.append(RestObject(error, text))
            else:
                states.append((*_order_of_telling(decoded), RestObject(decoded, text)))
    states.sort(key=lambda state: state[:2])
    return unreadable + [state[2] for state in states]


def _order_of_telling(decoded: wire.Decoded) -> tuple[int, int]:
    message = decoded.message
    if isinstance(message, OrderMessage):
        return message.timestamp, 1
    if isinstance(message, MasterOrderMessage):
        return message.timestamp, 2 if message.status in FINAL else 0
    return 0, 0
