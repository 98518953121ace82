"""How long a plugin waits that can't go on now.  No I/O; the clocks are passed in."""

from __future__ import annotations

from typing import Protocol

from qehost.errors import Retry
from qehost.host.plugin_code import describe_error
from qehost.network.backoff import Backoff, Pace
from qehost.secret import redact

__all__ = ["PendingCall", "Suspended", "Waiting", "reason_of"]

PACE = Pace(1.0, 60.0)
SHORTEST, LONGEST = 0.05, 86_400.0
"""Seconds: one that is tried again at once, for ever, would take all the time of the others."""


class Waiting:
    """From the first failure of a row until something has gone well.

    `since` and `next_try` are epoch seconds, `due` is on the monotonic clock.
    """

    def __init__(self, since: float, attempts: int = 0, reason: str = "") -> None:
        self.since = since
        self.attempts = attempts
        self.reason = reason
        self.told = False
        """The log has it."""
        self.due = 0.0
        self.next_try = 0.0
        self._backoff = Backoff(PACE, None, attempts)

    def failed(self, error: BaseException, now: float, wall: float) -> float:
        """It can't go on; the seconds until it is tried again."""
        self.attempts += 1
        self.reason = reason_of(error)
        delay = self._backoff.failed()
        asked = error.after if isinstance(error, Retry) else None
        # A number that is none is no reason to stop either.
        if isinstance(asked, int | float) and asked == asked:
            delay = min(max(asked, SHORTEST), LONGEST)
        self.due, self.next_try = now + delay, wall + delay
        return delay


def reason_of(error: BaseException) -> str:
    """Why, in one line, as far as the plugin says so, without secrets."""
    if not isinstance(error, Retry):
        return describe_error(error)
    cause = error.__cause__ or error.__context__
    if not error.reason and cause is not None:
        return describe_error(cause)
    try:
        return redact(str(error))
    except Exception:  # noqa: BLE001 — the reason may be any object of the plugin's
        return type(error).__name__


class PendingCall(Protocol):
    """A call that goes on without us."""

    @property
    def done(self) -> bool: ...
    @property
    def since(self) -> float:
        """On the monotonic clock."""


class Suspended(Retry):
    """The plugin is to be called again for the same when `call` is done: that returns, then, what
    the call came to.  Not a failure, and no try."""

    def __init__(self, call: PendingCall) -> None:
        super().__init__(None, "its coroutine has not ended")
        self.call = call
