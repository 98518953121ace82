"""When a REST call is repeated, and after how long.  No I/O, no clock."""

from __future__ import annotations

import random

import msgspec

from qehost.errors import RestError, TransportError

__all__ = ["Retries"]

BUSY = frozenset({418, 429, 503})
"""The HTTP statuses whose `Retry-After` is obeyed."""


class Retries(msgspec.Struct, frozen=True):
    """How often and how fast a call that is safe to repeat is repeated.

    The delay before try n + 1 is drawn evenly from 0 to `first_delay` × 2ⁿ⁻¹ (full jitter: clients
    that failed together must not come back together), and is never longer than `max_delay`.
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
        jitter = rng.uniform(0, min(self.max_delay, self.first_delay * 2 ** (attempt - 1)))
        if isinstance(error, TransportError):
            return jitter
        busy = error.status_code in BUSY
        if busy and error.retry_after is not None:
            # A little later than asked: everybody was told the same moment.
            return error.retry_after + jitter if error.retry_after <= self.max_retry_after else None
        return jitter if busy or error.status_code >= 500 else None
