"""What has been seen already, so that it reaches plugins once.  Bounded memory, no I/O."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TypeAlias

from qehost.messages import MasterOrderMessage, OrderMessage

__all__ = ["Change", "Once", "change"]

Change: TypeAlias = tuple[str, str, str, float, int]
"""One state of one order: what `change` returns."""


class Once:
    """A memory of ids, first in, first out.

    It holds the last `size` ids for certain and never more than twice as many: they are kept in
    two generations, and the older one is dropped as a whole.  A queue of single ids would cost
    twice the time for each message.
    """

    def __init__(self, size: int = 100_000) -> None:
        self._size = size
        self._young: set[Hashable] = set()
        self._old: set[Hashable] = set()

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def seen(self, key: Hashable) -> bool:
        """Whether the key is remembered.  `""` never is: it is no id."""
        return key in self._young or key in self._old

    def add(self, key: Hashable) -> None:
        """Remember the key, unless it is `""`."""
        if key == "":
            return
        if len(self._young) >= self._size:
            self._old = self._young
            self._young = set()
        self._young.add(key)


def change(message: MasterOrderMessage | OrderMessage, filled: float) -> Change:
    """A key for the state of an order, equal for the stream and for REST.

    It is made of what a change changes: status, cumulative filled quantity and the venue's time in
    milliseconds.  REST and the stream may write one state with different text (`"0.10"` and
    `"0.1"`), so the key is of values.
    """
    order_id = message.order_id if isinstance(message, OrderMessage) else ""
    return (message.master_order_id, order_id, message.status, filled, message.timestamp)
