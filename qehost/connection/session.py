"""When to ping, when a peer counts as dead or mute, and when to connect again.  No I/O.

All times are seconds on the monotonic clock, passed in by the caller.
"""

from __future__ import annotations

import random
from enum import Enum

from qehost.rest.replies import LONGEST_WAIT

__all__ = ["Backoff", "Beat", "Doubt", "Heartbeat", "MuteWatch"]


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
            return float("inf")  # nobody has asked it yet
        # The second term matters where this process itself was held up and pinged late.
        return max(
            self._heard + self.ping_interval + self.pong_timeout, self._asked + self.pong_timeout
        )


class Doubt(Enum):
    """What a watch over a quiet stream asks for."""

    ASK = "ask"
    MUTE = "mute"


class MuteWatch:
    """Tells a stream that is mute from one that is quiet.

    Order streams are quiet, so quiet proves nothing.  After `mute_after` seconds without a message
    REST is to be asked.  Only if REST knows of changes, and the stream brings nothing for another
    `patience` seconds, it is mute: REST may have been the faster of the two.
    """

    def __init__(self, mute_after: float, patience: float, now: float) -> None:
        self.mute_after = mute_after
        self.patience = patience
        self._quiet_since = now
        self._asked = False
        self._condemned_at = float("inf")

    def heard(self, now: float) -> None:
        """The stream brought a message, be it one that was known."""
        self._quiet_since = now
        self._asked = False
        self._condemned_at = float("inf")

    def answered(self, now: float, knows_more: bool) -> None:
        """REST was read: does it know of changes that the stream did not bring?"""
        if self._asked:
            self._asked = False
            self._quiet_since = now
            if knows_more:
                self._condemned_at = now + self.patience

    def next_deadline(self) -> float:
        """When `due` has something to say at the latest."""
        ask_at = float("inf") if self._asked else self._quiet_since + self.mute_after
        return min(ask_at, self._condemned_at)

    def due(self, now: float) -> Doubt | None:
        """What to do at `now`.  After `ASK`, `answered` is to be called at some time."""
        if now >= self._condemned_at:
            self.heard(now)
            return Doubt.MUTE
        if not self._asked and now >= self._quiet_since + self.mute_after:
            self._asked = True
            return Doubt.ASK
        return None


TRIMMED = 0.1
"""The part of the full jitter that is cut off at the bottom, so that no run of luck hammers."""
PROOF = 10.0
"""A connection that was open for so many seconds has proved itself in any case."""


class Backoff:
    """How long to wait before the next try to connect.

    The delay is drawn at random from a tenth to the whole of a ceiling, which starts at `first`
    seconds and doubles up to `maximum` with every failure.  It starts again at `first` when a
    connection has proved itself: open for as long as the delay that came before it, and for half
    of `first`, or for ten seconds.  So a venue that accepts and drops at once meets the same
    delays as one that refuses.  Whatever the venue does and however the draws fall, a `first` of
    five seconds means at most 31 tries in a minute.
    """

    def __init__(self, first: float, maximum: float, rng: random.Random) -> None:
        self.first = first
        self.maximum = max(first, maximum)
        self.in_a_row = 0
        """Failures since the last connection that proved itself."""
        self._rng = rng
        self._delay = 0.0
        self._opened: float | None = None

    def opened(self, now: float) -> None:
        """A connection is open."""
        self._opened = now

    def next_delay(
        self, now: float, *, retry_after: float | None = None, hopeless: bool = False
    ) -> float:
        """Seconds to wait, after a try failed or the open connection ended.

        `retry_after` is what the venue asked for, in seconds: the delay is not shorter, up to an
        hour.  `hopeless` is for a refusal that does not heal by itself, such as a wrong key: the
        ceiling is `maximum` at once.
        """
        if self._proved(now):
            self.in_a_row = 0
        self._opened = None
        ceiling = self.maximum
        if not hopeless:
            ceiling = min(self.maximum, self.first * 2.0 ** min(self.in_a_row, 30))
        self.in_a_row += 1
        self._delay = self._rng.uniform(ceiling * TRIMMED, ceiling)
        if retry_after is not None:
            # Jitter comes on top: everybody else was told the same number.
            spread = self._rng.uniform(0, self.first)
            self._delay = max(self._delay, min(retry_after, LONGEST_WAIT) + spread)
        return self._delay

    def _proved(self, now: float) -> bool:
        if self._opened is None:
            return False
        return now - self._opened >= min(PROOF, max(self._delay, self.first / 2))
