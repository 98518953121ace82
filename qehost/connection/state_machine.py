"""What the connection of one account does next, through all its ends.  No I/O, no clock.

`StreamMachine` is told what happened, and answers with actions; `StreamClient` carries them out::

    machine.opened(now)                    # what happened: a connection was opened
    for action in machine.due(now):        # what to do because of that, or because of the time
        …
    wait until machine.next_deadline(now)  # or until something happens

Times are seconds on the monotonic clock.
"""

from __future__ import annotations

import random
from enum import Enum

from qehost.config.settings import ConnectionSettings
from qehost.connection.actions import (
    Action,
    CloseStream,
    Connect,
    DrainStream,
    GiveUp,
    MakeKey,
    SendPing,
    TellDisconnected,
    TellError,
    UseStream,
    WriteLog,
)
from qehost.connection.heartbeat import Beat, Heartbeat
from qehost.connection.listen_key import Key, ListenKeys, Made
from qehost.errors import ConnectError, ConnectionLost, HandshakeError
from qehost.errors import WebsocketClientError as StreamError
from qehost.network.backoff import Backoff, Pace, is_throttled

__all__ = ["State", "StreamMachine"]

KEY_REFUSED = frozenset((401, 403))
"""HTTP statuses of a handshake that are about the listen key."""
PASSING = frozenset((408, 418, 425, 429))
"""HTTP statuses below 500 that heal by themselves; of the others only people can mend the cause."""
POLICY_VIOLATION = 1008
"""The close code with which a server ends a connection that is no longer allowed."""
WITHOUT_CLOSE_FRAME = 1006
SHORT_LIFE = 10.0
"""Seconds; an end that comes so soon after the opening, without a message, may be the key's."""
PROOF = 4.0
"""A connection that was open for so many seconds has proved itself: after its end the first try
comes at once.  A venue that accepts and drops sooner meets the same delays as one that refuses."""
HANDOVER_TIME = 5.0
"""Seconds that a new key's connection may take to be open after the venue ended the old one."""
NEVER = float("inf")


class State(Enum):
    """Where the stream is.

    ::

                    opened                      opened with a newer key
         ┌──────┐ ────────────────────▶ ┌──────┐ ────────────────────▶ ┌──────────┐
         │ DOWN │                       │  UP  │                       │ DRAINING │
         └──────┘ ◀──────────────────── └──────┘ ◀──────────────────── └──────────┘
             ▲      ended                │   ▲      drained
             │                           │   │
             │                    ended, │   │ opened
             │     a newer key is coming │   │
             │                           ▼   │
             │                     ┌──────────┐
             └──────────────────── │ HANDOVER │
               a try fails, or     └──────────┘
               HANDOVER_TIME is over

    A connection may be being opened in each of them (`connecting`), and a listen key be being made
    (`keys.making`); one at a time of either.
    """

    DOWN = "there is no stream, and its end has been told"
    UP = "a stream is open"
    DRAINING = "a newer key's stream is open; it is read when the old one's last messages are"
    HANDOVER = "the venue ended the stream, as expected: its successor with a newer key is coming"


class StreamMachine:
    """Begins in `DOWN`, and with `due`."""

    def __init__(
        self, settings: ConnectionSettings, keys: ListenKeys, rng: random.Random, now: float
    ) -> None:
        self.state = State.DOWN
        self.keys = keys
        self.connecting: Key | None = None
        """With which key a connection is being opened."""
        self._settings = settings
        first, longest = settings.reconnect_delay, settings.reconnect_max_delay
        self._fixed = settings.reconnect_pace == "fixed"
        self._pace = Pace(first, first if self._fixed else max(first, longest))
        self._backoff = Backoff(self._pace, None if self._fixed else rng)
        self._actions: list[Action] = []
        self._connect_at = now
        self._tried_at = now
        self._down_since = now
        self._attempts = 0  # in this outage
        # Of the stream that is open, or was last:
        self._key_in_use = 0
        self._opened_at = now
        self._heartbeat = Heartbeat(settings.ping_interval, settings.pong_timeout, now)
        self.untold: ConnectionLost | None = None
        """The end of the last stream, in HANDOVER."""
        self._short_lives = 0  # in a row
        self._gave_up = False
        self._held_until: float | None = None

    def hold(self, until: float) -> None:
        """Make no key and open no stream before that time, or before `go`."""
        self._held_until = until

    def go(self) -> None:
        """End `hold`."""
        self._held_until = None

    @property
    def status(self) -> str:
        """What `qehost status` shows."""
        if self._is_open:
            return "connected"
        if self.state is State.HANDOVER or self.connecting or self.keys.making:
            return "connecting"
        if self._held_until is not None:
            return "connecting"
        return "waiting"

    @property
    def _is_open(self) -> bool:
        return self.state in (State.UP, State.DRAINING)

    # --- time ----------------------------------------------------------------------------

    def next_deadline(self, now: float) -> float:
        """When `due` has something to say at the latest, if nothing happens until then."""
        if self._actions:
            return now
        if self._gave_up:
            return NEVER
        if self._held_until is not None:
            return self._held_until
        deadlines = [self.keys.make_at, self._gives_up_at()]
        if self.state is State.UP:
            deadlines.append(self._heartbeat.next_deadline())
        if self.state is State.HANDOVER:
            deadlines.append(self._down_since + HANDOVER_TIME)
        connect_at = max(self._connect_at, self.keys.usable_from)
        if not self.connecting and self._key_to_connect_with(max(now, connect_at)):
            deadlines.append(connect_at)
        return min(deadlines)

    def due(self, now: float) -> list[Action]:
        """What to do now, in this order.  The stream must have been read before: a sign of life may
        lie there."""
        if self._gave_up:
            return []
        if self._held_until is not None:
            if now < self._held_until:
                return []
            self._held_until = None
        if self.state is State.UP:
            self._beat(now)
        if self.state is State.HANDOVER and now >= self._down_since + HANDOVER_TIME:
            self._tell_end()
        if now >= self.keys.make_at:
            self.keys.begin()
            self._actions.append(MakeKey())
        self._connect_if_due(now)
        if now >= self._gives_up_at():
            limit = self._settings.give_up_after
            self._gave_up = True
            self._actions.append(GiveUp(f"no connection for {limit:g} s (give_up_after)"))
        actions, self._actions = self._actions, []
        return actions

    def _beat(self, now: float) -> None:
        match self._heartbeat.due(now):
            case Beat.PING:
                self._actions.append(SendPing())
            case Beat.DEAD:
                silence = self._settings.ping_interval + self._settings.pong_timeout
                self.ended(
                    ConnectionLost(
                        f"the venue is silent: nothing came for {silence:g} s, not even an answer "
                        "to a ping"
                    ),
                    now,
                )

    def _connect_if_due(self, now: float) -> None:
        if self.connecting or now < self._connect_at:
            return
        key = self._key_to_connect_with(now)
        if key is None:
            return
        self.connecting = key
        self._tried_at = now
        if self.state is not State.UP:
            self._attempts += 1
        self._actions.append(Connect(key))

    def _key_to_connect_with(self, now: float) -> Key | None:
        key = self.keys.current(now)
        if self.state is State.DRAINING:
            return None
        if key and self.state is not State.DOWN and key.number == self._key_in_use:
            return None
        return key

    def _gives_up_at(self) -> float:
        limit = self._settings.give_up_after
        return self._down_since + limit if limit and not self._is_open else NEVER

    def connect_from(self, at: float) -> None:
        """The next try comes then, and not before."""
        self._connect_at = at

    # --- what happens: keys --------------------------------------------------------------

    def key_made(self, made: Made, now: float) -> None:
        """The answer to `MakeKey`."""
        self.keys.made(made, now)

    def key_failed(self, error: Exception, now: float) -> None:
        """No answer to `MakeKey`."""
        if self.state is State.HANDOVER:
            self._connect_at = now + self._backoff.failed()
            self._tell_end()
        self._actions.append(TellError(self.keys.failed(error, now)))

    # --- what happens: opening -----------------------------------------------------------

    def opened(self, now: float) -> None:
        """The answer to `Connect`."""
        assert self.connecting
        key, self.connecting = self.connecting, None
        self.keys.accepted(key.number, now)
        self._key_in_use = key.number
        if self.state is State.UP:
            self.state = State.DRAINING
            self._actions.append(DrainStream())
        else:
            self._use_stream(0 if self.state is State.HANDOVER else self._attempts, now)

    def drained(self, now: float) -> None:
        """The answer to `DrainStream`."""
        assert self.state is State.DRAINING
        self._use_stream(0, now)

    def _use_stream(self, attempt: int, now: float) -> None:
        self.state = State.UP
        self.untold = None
        self._opened_at = now
        self._heartbeat = Heartbeat(self._settings.ping_interval, self._settings.pong_timeout, now)
        self._actions.append(UseStream(attempt))

    def not_opened(self, error: Exception, now: float) -> None:
        """No answer to `Connect`, or another one than hoped for."""
        assert self.connecting
        key, self.connecting = self.connecting, None
        if self.state is State.HANDOVER:
            self._tell_end()
        # Anything else than our own errors may hold a secret in its text.
        told = error if isinstance(error, StreamError) else ConnectError(type(error).__name__)
        status = told.status if isinstance(told, HandshakeError) else 0
        asked = told.retry_after if isinstance(told, HandshakeError) else None
        if status in KEY_REFUSED:
            self._key_refused(key.number, now)
            if self.keys.current(now) != key:
                self._connect_at = now + (asked or 0.0)
                return
        hopeless = 300 <= status < 500 and status not in PASSING | KEY_REFUSED
        slow = Pace(self._pace.longest, self._pace.longest) if hopeless else None
        delay = self._backoff.failed(slow, status=status, asked=asked)
        # What the venue asks for counts from its answer.  Otherwise it counts from the beginning of
        # the try, so that one that hangs until its time-out does not cost its delay as well.
        from_now = self._fixed or asked is not None or is_throttled(status, asked)
        self._connect_at = (now if from_now else self._tried_at) + delay
        self._actions.append(TellError(told, self._outlook("Trying again", now)))
        if hopeless:
            self._doubt_key(key.number, now)

    def _key_refused(self, number: int, now: float) -> None:
        """Whether it is tried again, and when, is for `keys` to say."""
        if error := self.keys.refused(number, now):
            self._actions.append(TellError(error))
        self._connect_at = now

    def _doubt_key(self, number: int, now: float) -> None:
        """How a venue tells that a listen key has ended, it does not document."""
        if error := self.keys.doubted(number, now):
            self._actions.append(TellError(error))

    # --- what happens: an open stream ----------------------------------------------------

    def heard(self, now: float) -> None:
        """Something came in, if only half a frame."""
        self._heartbeat.heard(now)

    def message_came(self) -> None:
        """The stream brought a message."""
        self._short_lives = 0

    def ended(self, error: ConnectionLost, now: float) -> None:
        """The stream has ended, or is of no use any more."""
        if self.state is not State.UP:
            return
        expected = self._successor_is_coming(now)
        self._short_lives = 0 if now - self._opened_at > SHORT_LIFE else self._short_lives + 1
        proved = now - self._opened_at >= PROOF
        if proved:
            self._backoff.succeeded()
        self._down_since = now
        self._attempts = 1 if self.connecting else 0
        self.untold = error
        self._actions.append(CloseStream(at_once=error.close_code == WITHOUT_CLOSE_FRAME))
        if expected:
            self._actions.append(
                WriteLog(f"the venue ended the old connection before the new one was open: {error}")
            )
            self.state = State.HANDOVER
            self._connect_at = now
            if error.close_code == POLICY_VIOLATION:
                self.keys.refused(self._key_in_use, now)
            return
        if error.close_code == POLICY_VIOLATION:
            self._tell_end()
            self._key_refused(self._key_in_use, now)
            return
        delay = 0.0 if proved and not self._fixed else self._backoff.failed()
        self._connect_at = now + delay
        self._tell_end(self._outlook("Connecting again", now))
        if self._short_lives > 1:
            self._doubt_key(self._key_in_use, now)

    def _successor_is_coming(self, now: float) -> bool:
        """Whether a new key is on its way: a strict venue ends the old connection with the old key,
        which may be seen before the answer that brings the new one."""
        if self._short_lives > 1:
            return False  # that is no strict venue, but an ill one
        if self.connecting or self.keys.making:
            return True
        return self._key_to_connect_with(now) is not None and now >= self._connect_at

    def _outlook(self, what: str, now: float) -> str:
        """`Connecting again in 1.5 s`: what comes next, for the log."""
        if self.keys.usable_from == NEVER:
            return f"{what} when there is a new listen key"
        left = max(self._connect_at, self.keys.usable_from) - now
        # Less would be shown as 0.0 s.
        return f"{what} in {left:.1f} s" if left >= 0.05 else f"{what} at once"

    def _tell_end(self, outlook: str = "") -> None:
        assert self.untold
        self._actions.append(TellDisconnected(self.untold, outlook))
        self.untold = None
        self.state = State.DOWN
