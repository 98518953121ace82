"""What happens again and again is logged once, then counted."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

__all__ = ["LogThrottle"]

Key = TypeVar("Key", bound=Hashable)


class LogThrottle(Generic[Key]):
    """Decides which occurrences are logged.  `now` is monotonic seconds."""

    def __init__(self, interval: float = 30.0) -> None:
        self._interval = interval
        self._logged_at: dict[Key, float] = {}
        self._suppressed: dict[Key, int] = {}

    def allow(self, key: Key, now: float) -> bool:
        """Whether to log this occurrence; if not, it is counted for `due`."""
        if key in self._logged_at:
            self._suppressed[key] = self._suppressed.get(key, 0) + 1
            return False
        self._logged_at[key] = now
        return True

    def due(self, now: float) -> Iterator[tuple[Key, int]]:
        """The counts to log now.  A key that has not occurred since the last time is forgotten."""
        for key, then in list(self._logged_at.items()):
            if now - then >= self._interval:
                if count := self._suppressed.pop(key, 0):
                    self._logged_at[key] = now
                    yield key, count
                else:
                    del self._logged_at[key]

    def remaining(self) -> Iterator[tuple[Key, int]]:
        """The counts that were not logged yet, for the end."""
        yield from self._suppressed.items()
        self._suppressed.clear()
