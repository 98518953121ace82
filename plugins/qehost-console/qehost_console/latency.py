"""The latency and the rate of messages, in bounded memory."""

from __future__ import annotations

from collections import deque

__all__ = ["Latency", "Rate"]

# Each power of two is cut into 32 steps: a percentile is at most 3 % too high.
_STEPS = 5
_WINDOW_NS = 5_000_000_000


class Latency:
    """A histogram of nanoseconds for the whole run, and the latest samples."""

    def __init__(self) -> None:
        self.count = 0
        self.slowest = 0
        self._buckets: dict[int, int] = {}
        self._latest: deque[tuple[int, int]] = deque(maxlen=512)

    def add(self, taken: int, now: int) -> None:
        """`taken` nanoseconds for a message that was seen at `now` (epoch ns).

        A clock that was set back makes `taken` negative; that counts as 0.
        """
        taken = max(taken, 0)
        self.count += 1
        self.slowest = max(self.slowest, taken)
        shift = max(taken.bit_length() - _STEPS - 1, 0)
        bucket = (shift << (_STEPS + 1)) + (taken >> shift)
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1
        self._latest.append((now, taken))

    def percentile(self, share: float) -> int | None:
        """The percentile of `share` (0 to 1) of all messages in nanoseconds; None without any."""
        if not self.count:
            return None
        left = share * self.count
        for bucket in sorted(self._buckets):
            left -= self._buckets[bucket]
            if left <= 0:
                return min(self._upper_end(bucket), self.slowest)
        return self.slowest

    def recent_median(self, now: int) -> int | None:
        """The median of the last five seconds before `now` (of at most 512 messages)."""
        recent = sorted(taken for seen, taken in self._latest if now - seen <= _WINDOW_NS)
        return recent[len(recent) // 2] if recent else None

    @staticmethod
    def _upper_end(bucket: int) -> int:
        shift, step = bucket >> (_STEPS + 1), bucket & ((1 << (_STEPS + 1)) - 1)
        return ((step + 1) << shift) - 1


class Rate:
    """Messages a second over the last five seconds, from totals read now and then."""

    def __init__(self, window: float = 5.0) -> None:
        self._window = window
        self._points: deque[tuple[float, int]] = deque()

    def read(self, now: float, total: int) -> float:
        """`now` is monotonic seconds, `total` the count so far."""
        points = self._points
        # A point every quarter of a second is enough, however often the screen is drawn.
        if not points or now - points[-1][0] >= 0.25:
            points.append((now, total))
        while len(points) > 2 and now - points[1][0] >= self._window:
            points.popleft()
        since, before = points[0]
        return (total - before) / (now - since) if now > since else 0.0
