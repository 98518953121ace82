"""When a REST call is repeated, and after how long.  No I/O, no clock."""

from __future__ import annotations

import random

import msgspec

from qehost.errors import RestError, TransportError
from qehost.network.backoff import Backoff, Pace

__all__ = ["Retries"]

BUSY = frozenset({418, 429, 503})
"""The HTTP statuses whose `Retry-After` is obeyed."""


class Retries(msgspec.Struct, frozen=True):
    """How often and how fast a call that is safe to repeat is repeated.

    The delay before try n + 1 is drawn evenly from the upper half of `first_delay` × 2ⁿ⁻¹ seconds,
    but of `max_delay` at most: clients that failed together must not come back together.
    """

    attempts: int = 3
    first_delay: float = 0.5  # seconds
    max_delay: float = 5.0  # seconds
    max_retry_after: float = 30.0
    """Seconds.  A venue that asks for a longer wait is not asked again: the caller is told, and
    finds the wait in the error's `retry_after`."""

    def delay(self, attempt: int, error: RestError, rng: random.Random) -> float | None:
        """Seconds to wait after failed try number `attempt` (from 1); None: give up."""
        if attempt >= self.attempts:
            return None
        busy = error.status_code in BUSY
        if not (busy or error.status_code >= 500 or isinstance(error, TransportError)):
            return None
        asked = error.retry_after if busy else None
        if asked is not None and asked > self.max_retry_after:
            return None
        pace = Pace(self.first_delay, self.max_delay)
        return Backoff(pace, rng, in_a_row=attempt - 1).failed(asked=asked)
