"""Tells a stream that is mute from one that is quiet.  No I/O.

All times are seconds on the monotonic clock, passed in by the caller.
"""

from __future__ import annotations

from enum import Enum

__all__ = ["Doubt", "StaleStreamDetector"]

NEVER = float("inf")


class Doubt(Enum):
    """What a quiet stream gives reason to."""

    ASK = "ask"
    MUTE = "mute"


class StaleStreamDetector:
    """Watches one connection.

    Order streams are quiet, so quiet proves nothing.  After `mute_after` seconds without a message
    REST is to be asked.  Only if REST knows of changes, and the stream brings nothing for another
    `patience` seconds, it is mute: REST may have been the faster of the two.
    """

    def __init__(self, mute_after: float, patience: float, now: float) -> None:
        self.mute_after = mute_after
        self.patience = patience
        self._quiet_since = now
        self._asked = False
        self._mute_at = NEVER

    def heard(self, now: float) -> None:
        """The stream brought a message, be it one that was known."""
        self._quiet_since = now
        self._asked = False
        self._mute_at = NEVER

    def answered(self, now: float, knows_more: bool) -> None:
        """REST was read: does it know of changes that the stream did not bring?"""
        if self._asked:
            self._asked = False
            self._quiet_since = now
            if knows_more:
                self._mute_at = now + self.patience

    def next_deadline(self) -> float:
        """When `due` has something to say at the latest."""
        ask_at = NEVER if self._asked else self._quiet_since + self.mute_after
        return min(ask_at, self._mute_at)

    def due(self, now: float) -> Doubt | None:
        """What to do at `now`.  After `ASK`, `answered` is to be called at some time."""
        if now >= self._mute_at:
            self.heard(now)
            return Doubt.MUTE
        if not self._asked and now >= self._quiet_since + self.mute_after:
            self._asked = True
            return Doubt.ASK
        return None
