"""The venue's time: this machine's clock, put right by what `/timestamp` says."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from qehost.errors import Error

__all__ = ["VenueClock"]

SLOW_ANSWER = 1.0
"""Seconds.  Half of a longer round trip says little; a second measurement is then worth its cost:
the first one may have opened the connection."""

RETRY_AFTER = 60.0
"""Seconds before a measurement that failed is tried again.  Signed calls go on without it."""

log = logging.getLogger("qehost.rest")


class VenueClock:
    """The venue's time in epoch milliseconds, measured when it is first needed.  Thread-safe.

    `read` asks the venue (epoch ms) and may raise an `Error`; `clock` is this machine's time in
    epoch seconds.
    """

    def __init__(self, read: Callable[[], int], clock: Callable[[], float] = time.time) -> None:
        self._read = read
        self._clock = clock
        self._lock = threading.Lock()
        self._next_try = 0.0  # on the monotonic clock; infinity once measured
        self.offset = 0.0
        """Seconds that this machine's clock is behind the venue's; negative where it is ahead."""

    def start_afresh(self) -> None:
        """For a fork: another thread of its parent may have been measuring."""
        self._lock = threading.Lock()

    def now_ms(self) -> int:
        """The venue's time now.  Asks the venue only if that was not done yet."""
        if time.monotonic() >= self._next_try:
            with self._lock:
                if time.monotonic() >= self._next_try:
                    self._try()
        return int((self._clock() + self.offset) * 1000)

    def measure(self) -> None:
        """Ask the venue again, because it refused a timestamp.

        Raises:
            Error: what `read` raised; the offset stays as it was.
        """
        with self._lock:
            self._measure()

    def _try(self) -> None:
        try:
            self._measure()
        except Error as error:
            # Most clocks are right, so the signed call may well succeed.
            self._next_try = time.monotonic() + RETRY_AFTER
            log.warning("the venue's time is unknown, this machine's is used: %s", error)

    def _measure(self) -> None:
        round_trip, offset = self._sample()
        if round_trip > SLOW_ANSWER:
            round_trip, offset = min((round_trip, offset), self._sample())
        self.offset = offset
        self._next_try = float("inf")
        level = logging.WARNING if abs(offset) >= 1 else logging.DEBUG
        log.log(level, "%s (round trip %.0f ms)", self.words(), round_trip * 1000)

    def _sample(self) -> tuple[float, float]:
        """Seconds of the round trip, and the offset it gives."""
        started = time.monotonic()
        venue = self._read() / 1000
        round_trip = time.monotonic() - started
        # The venue read its clock about half-way between the question and the answer.
        return round_trip, venue - (self._clock() - round_trip / 2)

    def words(self) -> str:
        """How far the clock is off, for people."""
        side = "behind" if self.offset >= 0 else "ahead of"
        return f"this machine's clock is {abs(self.offset):.1f} s {side} the venue's"
