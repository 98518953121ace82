"""What has been delivered already, so that it reaches plugins once.  Bounded memory, no I/O.

Both memories have one scheme: entries stand in two generations, and when the younger one is full,
the older one is dropped as a whole.  So the last `size` entries are held for certain, never more
than twice as many, and the oldest go first.  A queue of single entries takes twice the time.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TypeAlias

__all__ = ["Once", "State", "States"]

State: TypeAlias = tuple[int, str, float]
"""One state of an order: the venue's time (epoch ms), the status, the cumulative filled quantity.

A change of an order changes at least one of them.  They are values, because REST and the stream may
write one state with different text (`"0.10"` and `"0.1"`).
"""

_AT_ONE_TIME = 16  # states of one order with one and the same time that are told apart


class Once:
    """Keys that were seen, in the main the venue's message ids."""

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
        if key:
            young = self._young
            young.add(key)
            if len(young) >= self._size:
                self._old, self._young = young, set()


class States:
    """The newest state of each order that was delivered, and every state that REST brought.

    By these the same change by stream and by REST is told from a new one.  `order` is any key that
    the caller has for an order.
    """

    def __init__(self, size: int = 20_000) -> None:
        self._size = size
        self._young: dict[Hashable, tuple[State, ...]] = {}
        self._old: dict[Hashable, tuple[State, ...]] = {}
        self._from_rest = Once(size)
        self._rest_was_read = False  # without it every message would look into an empty memory

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def streamed(self, order: Hashable, state: State) -> bool:
        """Note a state that the stream brought; False if REST had brought it before."""
        if self._rest_was_read and self._from_rest.seen((order, state)):
            return False
        self._note(order, state)
        return True

    def caught_up(self, order: Hashable, state: State, grew: bool = False) -> bool:
        """Note a state that REST told; False if it was delivered, or a newer one of the order.

        `grew`: more is filled than in any state before, so it counts although a newer one came.
        """
        newest = self._young.get(order) or self._old.get(order)
        older = newest is not None and 0 < state[0] < newest[0][0]
        if (newest is not None and state in newest) or (older and not grew):
            return False
        if self._from_rest.seen((order, state)):
            return False
        self._rest_was_read = True
        self._from_rest.add((order, state))
        self._note(order, state)
        return True

    def _note(self, order: Hashable, state: State) -> None:
        newest = self._young.get(order) or self._old.get(order)
        if newest is None or newest[0][0] < state[0]:
            noted: tuple[State, ...] = (state,)
        elif newest[0][0] == state[0] and state not in newest:
            noted = (*newest, state)[-_AT_ONE_TIME:]
        else:
            return
        young = self._young
        young[order] = noted
        if len(young) >= self._size:
            self._old, self._young = young, {}
