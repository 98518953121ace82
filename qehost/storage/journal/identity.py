"""The name that events of one writer have, and no others: the journal's id.

A number alone names no event: a state folder can be copied, restored or set back, and then its
numbers are given again.  That can't be seen from inside, so nothing is recognised here.  The id is
random and drawn by each process that writes, so what comes after a copy or a restore has another
one, and what was written before keeps its own in every copy.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from hashlib import blake2b

__all__ = ["JournalIdentity"]

ID_SIZE = 8
JUMP_NS = 5 * 10**9
"""A wall clock that is so far from where the monotonic clock puts it was set, or the machine was
resumed: from sleep, or from an image of its memory, of which there may be others that run."""


class JournalIdentity:
    """For the thread that writes.  `wall` and `monotonic` are clocks in nanoseconds."""

    def __init__(
        self,
        wall: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._offset = wall() - monotonic()
        self._last_at = wall()
        self._draw()

    def _draw(self) -> None:
        # With the time: of two machines resumed from one image both may have the same random bits.
        seed = os.urandom(16) + self._wall().to_bytes(8, "little")
        self.bits = blake2b(seed, digest_size=ID_SIZE).digest()
        self.journal_id = self.bits.hex()
        """16 hex digits."""

    def note(self, first_at: int, last_at: int) -> bool:
        """A batch is about to be written that was received in that time (epoch ns); whether it has
        another id than the one before it.

        The clocks are read only where its time is far from that of the batch before it.
        """
        gap = first_at - self._last_at
        self._last_at = last_at
        if -JUMP_NS < gap < JUMP_NS:
            return False
        offset = self._wall() - self._monotonic()
        jump, self._offset = offset - self._offset, offset
        if -JUMP_NS < jump < JUMP_NS:
            return False
        self._draw()
        return True
