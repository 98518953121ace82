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
