"""When to ping the venue, and when it counts as dead.  No I/O.

All times are seconds on the monotonic clock, passed in by the caller.
"""

from __future__ import annotations

from enum import Enum

__all__ = ["Beat", "Heartbeat"]


class Beat(Enum):
    """What a heartbeat asks for."""

    PING = "ping"
    DEAD = "dead"


class Heartbeat:
    """The heartbeat of one connection.

    A ping is due every `ping_interval` seconds, whether or not data comes: some venues drop a
    client that never says anything.  Whatever comes in is a sign of life.  The peer is dead when
    the last one is `ping_interval + pong_timeout` seconds old, not later: a ping has gone out
    since then, and has been unanswered for `pong_timeout` at least.

    Read the socket before asking what is due: an answer may lie there already.
    """

    def __init__(self, ping_interval: float, pong_timeout: float, now: float) -> None:
        self.ping_interval = ping_interval
        self.pong_timeout = pong_timeout
        self._heard = now
        self._next_ping = now + ping_interval
        self._asked: float | None = None  # the first ping since the last sign of life

    def heard(self, now: float) -> None:
        """Something came in, if only half a frame."""
        self._heard = now
        self._asked = None

    def next_deadline(self) -> float:
        """When `due` has something to say at the latest, if nothing is heard until then."""
        return min(self._next_ping, self._dies())

    def due(self, now: float) -> Beat | None:
        """What to do at `now`.  A `PING` counts as sent once it has been returned."""
        if now >= self._dies():
            return Beat.DEAD
        if now >= self._next_ping:
            self._next_ping = now + self.ping_interval
            if self._asked is None:
                self._asked = now
            return Beat.PING
        return None

    def _dies(self) -> float:
        if self._asked is None:
            return float("inf")  # it was not asked yet
        # The second term matters where this process itself was held up and pinged late.
        return max(
            self._heard + self.ping_interval + self.pong_timeout, self._asked + self.pong_timeout
        )
