"""The last texts, for as long as REST may tell the same states, or they may come again.  No I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

__all__ = ["RecentTexts"]


class RecentTexts:
    """The last `count` texts, by their numbers, which count from 1; fewer, where together they have
    more than `characters`."""

    def __init__(self, count: int, characters: int) -> None:
        self._texts: deque[str] = deque()
        self._count = count
        self._most = count + count // 16  # before the oldest ones are dropped
        self._characters = characters
        self._held = 0  # characters
        self.number = 0
        """The last one's."""

    def add(self, texts: Sequence[str]) -> int:
        """Remember them; the number of the first."""
        first = self.number + 1
        self.number += len(texts)
        self._held += len(texts[0]) if len(texts) == 1 else sum(map(len, texts))
        self._texts.extend(texts)
        if self._held > self._characters or len(self._texts) > self._most:
            self._drop_oldest()
        return first

    def _drop_oldest(self) -> None:
        """So many that it is not due each time."""
        kept, held, characters = self._texts, self._held, self._characters * 15 // 16
        while len(kept) > self._count or held > characters:
            held -= len(kept.popleft())
        self._held = held

    def get(self, number: int) -> str | None:
        """None: it is not remembered, or not any more."""
        back = self.number - number
        is_kept = number and back < min(self._count, len(self._texts))
        return self._texts[-1 - back] if is_kept else None
