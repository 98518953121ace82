"""What happens again and again is told once, then counted."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

__all__ = ["Repeats"]

Key = TypeVar("Key", bound=Hashable)


class Repeats(Generic[Key]):
    """Decides which occurrences are told.  The clock is the caller's (seconds, monotonic)."""

    def __init__(self, interval: float = 30.0) -> None:
        self._interval = interval
        self._told: dict[Key, float] = {}
        self._held: dict[Key, int] = {}

    def first(self, key: Key, now: float) -> bool:
        """Whether to tell this occurrence; if not, it is counted for `due`."""
        if key in self._told:
            self._held[key] = self._held.get(key, 0) + 1
            return False
        self._told[key] = now
        return True

    def due(self, now: float) -> Iterator[tuple[Key, int]]:
        """What was counted and is to be told now.  What has been quiet since is forgotten."""
        for key, then in list(self._told.items()):
            if now - then >= self._interval:
                if count := self._held.pop(key, 0):
                    self._told[key] = now
                    yield key, count
                else:
                    del self._told[key]

    def rest(self) -> Iterator[tuple[Key, int]]:
        """What was counted and not told yet, at the end."""
        yield from self._held.items()
        self._held.clear()
