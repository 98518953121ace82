"""The venue's time, as its `/timestamp` says, and the monotonic clock since then.

This machine's clock may be wrong, and may be set while the program runs; so may the venue's.  The
monotonic clock can't be set, but it stands still while the machine sleeps.  So the venue's time is
measured again whenever this machine's two clocks no longer agree, and every ten minutes.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from qehost.errors import Error
from qehost.rest.http import ApiClosed

__all__ = ["VenueClock"]

SLOW_ANSWER = 1.0
"""Seconds.  After a longer round trip the clock is measured once more: half of it may be the error,
and the first one may have included connecting."""

RETRY_AFTER = 60.0
"""Seconds before a measurement that failed is tried again.  Signed calls go on without it."""

MEASURE_EVERY = 600.0
"""Seconds; the venue's clock may be set, too."""

STEP = 1.0
"""Seconds; a larger difference was not measured badly, but means that a clock was set."""

log = logging.getLogger("qehost.rest")


class VenueClock:
    """Measured when it is first needed.  Thread-safe.

    `read` asks the venue (epoch ms) and may raise an `Error`; `clock` is this machine's time in
    epoch seconds.
    """

    def __init__(self, read: Callable[[], int], clock: Callable[[], float] = time.time) -> None:
        self._read = read
        self._clock = clock
        self._lock = threading.Lock()
        self._measured: tuple[float, float] | None = None  # the venue's time, the monotonic clock's
        self._measure_at = 0.0  # on the monotonic clock
        self._has_failed = False
        self._difference: float | None = None  # between this machine's two clocks
        self._told = 0.0  # the offset that is in the log
        self.offset = 0.0
        """Seconds that this machine's clock is behind the venue's; negative where it is ahead."""
        self.jumped = 0.0
        """Seconds by which measurements have corrected `now` so far, forwards and backwards added
        up: a time that was noted before may be wrong by so much."""
        self.set_back = 0.0
        """Seconds by which the venue's own clock was set back, in all steps together."""
        self.was_ahead = 0.0
        """Seconds by which the venue's clock was ahead of what was expected of it."""
        self.inexact = 0.0
        """Seconds by which `now` may be wrong, earlier or later, as it was measured last."""
        self._expected: float | None = None  # the first offset

    def expect(self, offset: float) -> None:
        """An earlier process measured this offset.

        Where it is less now, the venue's clock was set back meanwhile, or this machine's forward,
        which can't be told apart: it is taken for the former.
        """
        self._expected = offset

    def now(self) -> float:
        """The venue's time in epoch seconds.  Never asks the venue."""
        return self.at(time.monotonic())

    def at(self, monotonic: float) -> float:
        """The venue's time in epoch seconds when the monotonic clock shows, or showed, this."""
        if self._measured is None:
            return self._clock()
        venue, then = self._measured
        return venue + monotonic - then

    def now_ms(self) -> int:
        """The venue's time in epoch milliseconds.  Asks the venue if there is reason to."""
        if self._is_due():
            with self._lock:
                if self._is_due():
                    self._try()
        return int(self.now() * 1000)

    def reachable(self) -> bool:
        """The venue was reached: a measurement that failed is due at once.  Whether one is."""
        if self._has_failed:
            self._measure_at = 0.0
        return self._has_failed

    def measure(self) -> None:
        """Ask the venue now.

        Raises:
            Error: what `read` raised; everything stays as it was.
        """
        with self._lock:
            self._measure()

    def _is_due(self) -> bool:
        at = time.monotonic()
        if at >= self._measure_at:
            return True
        # A clock was set, or the machine slept.
        return self._difference is not None and (abs(self._clock() - at - self._difference) > STEP)

    def _try(self) -> None:
        try:
            self._measure()
        except Error as error:
            # Most clocks are right, so the signed call may well succeed.
            at = time.monotonic()
            self._measure_at = at + RETRY_AFTER
            self._has_failed = True
            self._difference = self._clock() - at
            if not isinstance(error, ApiClosed):
                log.warning("the venue's time can't be measured: %s", error)

    def _measure(self) -> None:
        sample = self._sample()
        if sample[0] > SLOW_ANSWER:
            sample = min(sample, self._sample())
        round_trip, venue, at, clock = sample
        correction = venue - self.at(at)
        if abs(correction) >= STEP:
            self.jumped += abs(correction)
            # The monotonic clock is never ahead: it may stand still, but can't be set.
            if correction < 0 and self._measured is not None:
                self.set_back -= correction
        if self._measured is None and self._expected is not None:
            less = self._expected - (venue - clock)
            self.set_back += less if less >= STEP else 0.0
            self.was_ahead = -less if less <= -STEP else 0.0
        self._measured = venue, at
        self.inexact = round_trip / 2
        self._measure_at = at + MEASURE_EVERY
        self._has_failed = False
        self._difference = clock - at
        self.offset = venue - clock
        news = abs(self.offset - self._told) >= STEP
        self._told = self.offset if news else self._told
        log.log(
            logging.WARNING if news else logging.DEBUG,
            "%s (round trip %.0f ms)",
            self.words(),
            round_trip * 1000,
        )

    def _sample(self) -> tuple[float, float, float, float]:
        """Seconds of the round trip; the venue's time and that of this machine's two clocks, the
        monotonic one first, at its end."""
        started = time.monotonic()
        venue = self._read() / 1000
        # At once: of two samples the first may be taken, and that of a while ago.
        at, clock = time.monotonic(), self._clock()
        # The venue read its clock about half-way between the question and the answer.
        return at - started, venue + (at - started) / 2, at, clock

    def words(self) -> str:
        """How far the clock is off, for people."""
        side = "behind" if self.offset >= 0 else "ahead of"
        return f"this machine's clock is {abs(self.offset):.1f} s {side} the venue's"
