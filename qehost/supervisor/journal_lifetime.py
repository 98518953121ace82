"""How long a journal still has what a plugin waits for.  No I/O."""

from __future__ import annotations

__all__ = ["journal_lasts"]

AT_ONCE = 1.0
"""Seconds: the least that is said."""


def journal_lasts(
    *, total_bytes: int, events: int, waiting: int, waiting_for: float, keep_bytes: int
) -> float:
    """Seconds until `journal.keep_bytes` (0: no bound) takes the first of those events, if as much
    comes as came while they have waited; 0: it does not, as far as that can be told.

    `events` are all that the journal has in `total_bytes`, `waiting` the newest of them, the oldest
    of which has waited for so many seconds.
    """
    if not (keep_bytes and events and waiting and waiting_for):
        return 0.0
    waiting_bytes = max(1.0, total_bytes * min(1.0, waiting / events))
    return max(AT_ONCE, waiting_for * (keep_bytes / waiting_bytes - 1))
