"""Which messages were delivered already, so that they reach plugins once.  No I/O.

The ids stand in two generations, and when the younger one is full, the older one is dropped as a
whole.  So the last `size` ids are held for certain, never more than twice as many, and the oldest
go first.  A queue of single entries takes twice the time.
"""

from __future__ import annotations

from collections.abc import Hashable

__all__ = ["Once"]


class Once:
    """Keys that were seen, in the main the venue's message ids."""

    def __init__(self, size: int = 100_000) -> None:
        self._size = size
        self._young: set[Hashable] = set()
        self._old: set[Hashable] = set()

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def first(self, key: Hashable) -> bool:
        """Remember the key; False: it was remembered before.  `""` never is: it is no id."""
        if not key:
            return True
        young = self._young
        before = len(young)
        young.add(key)
        if len(young) == before:
            return False
        # One that comes again is the youngest again.
        new = key not in self._old
        if before + 1 >= self._size:
            self._old, self._young = young, set()
        return new

    def forget(self, key: Hashable) -> None:
        """The key is not remembered any more: what it stood for was not delivered."""
        self._young.discard(key)
        self._old.discard(key)
