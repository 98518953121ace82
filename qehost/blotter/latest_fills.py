"""The latest fills that a `Blotter` keeps.  No I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from qehost.blotter.views import Fill

__all__ = ["LatestFills"]


class LatestFills:
    """The last `bound` fills: each once and by their number within their account, in whatever order
    they came."""

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self._fills: deque[tuple[int, Fill]] = deque()
        self._last: dict[str, int] = {}

    def __reversed__(self) -> Iterator[Fill]:
        """The newest first."""
        return (fill for _, fill in reversed(self._fills))

    def numbered(self) -> list[tuple[int, Fill]]:
        """With their numbers, the oldest first, as `replace` takes them."""
        return list(self._fills)

    def add(self, seq: int, fill: Fill) -> bool:
        """False if it is there already."""
        if seq > self._last.get(fill.account, 0):
            self._last[fill.account] = seq
            self._fills.append((seq, fill))
        elif not self._insert(seq, fill):
            return False
        if len(self._fills) > self.bound:
            self._fills.popleft()
        return True

    def _insert(self, seq: int, fill: Fill) -> bool:
        """One that comes late."""
        for at, (number, other) in enumerate(self._fills):
            if other.account == fill.account and number >= seq:
                if number > seq:
                    self._fills.insert(at, (seq, fill))
                return number > seq
        return False

    def replace(self, fills: Iterable[tuple[int, Fill]]) -> None:
        """These are the fills now."""
        self._fills.clear()
        self._last.clear()
        for seq, fill in fills:
            self.add(seq, fill)
