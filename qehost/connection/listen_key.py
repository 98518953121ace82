"""The listen key of one account: when to make one, which one to use.  No I/O, no clock.

`ListenKeys` says what to do; the connection's loop does it.  Times are seconds on the monotonic
clock.  The sequence::

    match keys.next(now):
        case Make():  run make_key(api, version) in a thread; then, back in the loop,
                      keys.made(result, now), or on an exception
                      on_error(keys.failed(error, now))
        case Wait(until):  ask again then, or after the next call to a method here

    key = keys.current(now)            # None: there is none to connect with yet
    if key.number differs from that of the open connection:
        open a new connection with it, and then close the old one
    keys.accepted(key.number, now)     # when the handshake with it succeeded
    keys.refused(key.number, now)      # when the handshake or the stream refused it
    keys.doubted(key.number, now)      # when it goes badly, and that may be why

The venue has one valid key for each user, and a new key ends the old one.  So the order is: new
key, new connection, then the old connection goes.  The venue may drop the old connection at once,
or not at all; both are fine.
"""

from __future__ import annotations

import random
import time
from typing import Any, TypeAlias

import msgspec

from qehost.errors import Error, ListenKeyError, RestError
from qehost.rest import API

__all__ = ["Key", "ListenKeys", "Made", "Make", "Wait", "make_key"]

DAY = 86_400.0
"""Seconds that a key lives, by the venue's documentation, where its answer does not say."""

RENEW_BEFORE = 3_600.0
"""Seconds before its end that a key is renewed, as the venue advises."""

DOUBTED = 600.0
"""Seconds between two keys that are made because the last one might have ended."""

QUIET_LIFE = 3_600.0
"""Seconds that a key lived before it was refused, which end the suspicion of a quarrel."""

NEVER = float("inf")

# Delays between tries, in seconds: the first, and where doubling ends.
FAILED = (1.0, 60.0)
REJECTED = (30.0, 600.0)  # credentials that the venue does not accept: only people can heal that
CONTESTED = (30.0, 1_800.0)  # somebody else makes keys, too: each of ours ends one of theirs


class Key(msgspec.Struct, frozen=True):
    """A key, and which one in this run it is, from 1.  Its `repr` does not show it."""

    text: str
    number: int

    def __repr__(self) -> str:
        return f"Key(number={self.number})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("number", self.number)]


class Made(msgspec.Struct, frozen=True):
    """A key that was made just now, and for how many seconds it is good."""

    text: str
    lifetime: float

    def __repr__(self) -> str:
        return f"Made(lifetime={self.lifetime:.0f})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("lifetime", self.lifetime)]


class Make(msgspec.Struct, frozen=True):
    """Make a key now.  Until `made` or `failed` is called, no second one is asked for."""


class Wait(msgspec.Struct, frozen=True):
    """Nothing to do before `until`; infinity where only a call can change that."""

    until: float


Step: TypeAlias = Make | Wait


def make_key(api: API, version: str) -> Made:
    """Make a key over REST; `version` is `v2` or `v1`.  Runs in a thread, because it may take long.

    Raises:
        Error: what `API.create_listen_key` raises.
    """
    made = api.create_listen_key("v1" if version == "v1" else "v2")
    # The venue's clock against the venue's clock: this machine's may be off.
    lifetime = made.expire_at - (time.time() + api.clock_offset())
    # An end that has passed already is no end: taken by its word, it would mean a new key each
    # second.
    return Made(made.key, lifetime if lifetime > 0 else DAY)


class ListenKeys:
    """The keys of one account.

    `given` is a key that was made elsewhere: it is used as it is until the venue refuses it.  After
    that, or without it, keys are made, for which there must be credentials (`can_make`).

    Raises:
        ListenKeyError: there is neither.
    """

    def __init__(
        self,
        given: str = "",
        *,
        can_make: bool = False,
        renew_before: float = RENEW_BEFORE,
        rng: random.Random | None = None,
    ) -> None:
        if not given and not can_make:
            raise ListenKeyError(
                "there is neither a listen key nor the credentials to make one: set api_key and "
                "api_secret (QEHOST_API_KEY, QEHOST_API_SECRET), or listen_key (QEHOST_LISTEN_KEY)"
            )
        self.given = bool(given)
        """Whether the key is still one that was made elsewhere."""
        self._can_make = can_make
        self._key = Key(given, 1) if given else None
        self._numbered = 1 if given else 0  # how many keys there were
        self._busy = False
        self._renew_before = renew_before
        self._rng = rng or random.Random()
        self._made_at = 0.0
        self._expires = NEVER
        self._renew_at = NEVER
        self._not_before = 0.0
        self._failures = 0
        self._early_ends = 0
        self._doubt_from = 0.0
        self._accepted = 0  # the number of the last key that a handshake succeeded with

    @property
    def warning(self) -> str:
        """What the user should know from the start; `""`: nothing."""
        if not self.given or self._can_make:
            return ""
        return (
            "the listen key was given, so it can't be renewed: the stream ends for good when the "
            "key does, after a day at most. With api_key and api_secret in its place, qehost makes "
            "and renews keys itself"
        )

    def current(self, now: float) -> Key | None:
        """The key to connect with."""
        if self.given:
            return self._key if now >= self._not_before else None
        return self._key if now < self._expires else None

    def next(self, now: float) -> Step:
        """What to do now."""
        if self.given:
            return Wait(self._not_before if now < self._not_before else NEVER)
        if self._busy:
            return Wait(NEVER)
        due = max(self._not_before, self._renew_at if self._key else 0.0)
        if now < due:
            return Wait(due)
        self._busy = True
        return Make()

    def made(self, made: Made, now: float) -> None:
        """A key was made: it is the current one from now on."""
        self._busy = False
        self._failures = 0
        self._numbered += 1
        self._key = Key(made.text, self._numbered)
        self._made_at = now
        self._expires = now + made.lifetime
        # A key with a short life is renewed at half of it.
        margin = min(self._renew_before, made.lifetime / 2)
        # A little earlier by chance, so that many accounts don't renew in the same second.
        self._renew_at = self._expires - margin * self._rng.uniform(1.0, 1.05)
        # No key is so short-lived that it is worth more than a try each second.
        self._not_before = now + 1.0

    def failed(self, error: Exception, now: float) -> ListenKeyError:
        """A key could not be made.  The old one stays.  Returns what to tell the user."""
        self._busy = False
        first, most = FAILED
        advice = ""
        if isinstance(error, RestError) and error.status_code in (401, 403):
            first, most = REJECTED
            advice = "; check api_key, api_secret and rest_url: they must belong together"
        delay = self._delay(first, most, self._failures)
        if isinstance(error, RestError) and error.retry_after is not None:
            delay = max(delay, error.retry_after)
        self._failures += 1
        self._not_before = now + delay
        # Anything else than our own errors may hold a secret in its text.
        reason = str(error) if isinstance(error, Error) else type(error).__name__
        if self._key and now < self._expires:
            left = _span(self._expires - now)
            text = f"the listen key could not be renewed; the old one is good for {left} more"
        else:
            text = "no listen key could be made, so there is no stream"
        return ListenKeyError(f"{text}; next try in {_span(delay)}: {reason}{advice}")

    def accepted(self, number: int, now: float) -> None:
        """A handshake with this key succeeded."""
        self._accepted = max(self._accepted, number)
        if self.given:
            self._failures = 0
            self._not_before = now

    def refused(self, number: int, now: float) -> ListenKeyError | None:
        """The handshake or the stream refused this key.

        A key that was made is replaced and not tried again.  Returns what to tell the user; None
        where its end was expected: it is no longer the current one, or is about to be replaced.
        """
        if self._key is None or number != self._key.number:
            return None
        if self.given:
            return self._given_refused(now)
        self._key = None
        if self._busy:
            # The venue has made the new key already, and its answer is on the way.
            return None
        if now >= self._expires:
            return ListenKeyError("the listen key has ended and could not be renewed in time")
        if now - self._made_at > QUIET_LIFE:
            self._early_ends = 0
        self._early_ends += 1
        age = _span(now - self._made_at)
        if self._early_ends == 1:
            # Once may be anything: a venue that was started anew, or a program that was.
            return ListenKeyError(
                f"the venue refused the listen key {age} after it was made; a new one is made"
            )
        delay = self._delay(*CONTESTED, self._early_ends - 2)
        self._not_before = now + delay
        if number > self._accepted:
            why = (
                "none was ever accepted: do ws_url and rest_url belong to the same venue (test or "
                "production), and is protocol right?"
                if not self._accepted
                else "this one was never accepted"
            )
        else:
            why = (
                "it looks as if another program makes listen keys with the same user, and each new "
                "key ends the one before: stop one of the two, or give it a user of its own"
            )
        return ListenKeyError(
            f"the venue refused the listen key {age} after it was made, time number "
            f"{self._early_ends} in a row; {why}. The next key is made in {_span(delay)}"
        )

    def doubted(self, number: int, now: float) -> bool:
        """It goes badly with this key, and whether it has ended, the venue does not say.

        True: a new one is made because of that.  The old one is used until then: it may be the
        venue that is ill.
        """
        current = self._key is not None and number == self._key.number
        if not (current and self._can_make) or self._busy or now < self._doubt_from:
            return False
        self._doubt_from = now + DOUBTED
        self._renew_at = now
        if self.given:
            self.given = False
            self._expires = now + DAY
        return True

    def _given_refused(self, now: float) -> ListenKeyError:
        if self._can_make:
            self.given = False
            self._key = None
            return ListenKeyError(
                "the venue refused the listen key that was given: it has ended, or a newer one has "
                "taken its place. One is made with the credentials instead"
            )
        delay = self._delay(*REJECTED, self._failures)
        self._failures += 1
        self._not_before = now + delay
        return ListenKeyError(
            "the venue refused the listen key that was given: it has ended, or a newer one has "
            "taken its place. Set a new one, or api_key and api_secret so that qehost makes its "
            f"own; it is tried again in {_span(delay)}"
        )

    def _delay(self, first: float, most: float, step: int) -> float:
        # At least half of it: a pace that chance can make fast is none.
        return min(most, first * 2.0 ** min(step, 20)) * self._rng.uniform(0.5, 1.0)


def _span(seconds: float) -> str:
    """A duration for people: `8 s`, `42 min`, `23 h`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h"
