"""The listen key of one account: when to make one, which one to use.

`ListenKeys` is the part of the connection's state machine that knows of keys: no I/O, no clock.
`make_key` is the REST call.

The venue has one valid key for each user, and a new key ends the old one.  So the order is: new
key, new connection, then the old connection is closed.  The venue may end the old connection at
once, or not at all; both are fine.
"""

from __future__ import annotations

import random
from typing import Any

import msgspec

from qehost.connection.rest_failure import delay_after, is_rejected, words_of
from qehost.errors import ListenKeyError
from qehost.network.backoff import Backoff, Pace
from qehost.rest import API, make_listen_key

__all__ = ["Key", "ListenKeys", "Made", "make_key"]

DAY = 86_400.0
"""Seconds that a key lives at most, by the venue's documentation."""

SECONDS_BELOW = 1e11
"""Until the year 5138 an epoch in seconds is less, and since 1973 one in milliseconds is more."""

RENEW_BEFORE = 3_600.0
"""Seconds before its end that a key is renewed, as the venue advises."""

DOUBTED = 600.0
"""Seconds between two keys that are made because the last one might have ended."""

QUIET_LIFE = 3_600.0
"""Seconds that a key lived before it was refused, which end the suspicion that another program
makes keys, too."""

NEVER = float("inf")

ANOTHER_PROGRAM = (
    "another program makes listen keys with the same user, and each new key ends the one before: "
    "stop one of the two, or give it a user of its own"
)

FAILED = Pace(1.0, 60.0)
WITHOUT_KEY = Pace(1.0, 10.0)
"""Where there is no stream until there is a key."""
REJECTED = Pace(30.0, 600.0)
"""For credentials that the venue does not accept: only people can mend that."""
CONTESTED = Pace(30.0, 1_800.0)
"""Where somebody else makes keys, too: each of ours ends one of theirs."""


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


def make_key(api: API, version: str) -> Made:
    """Make a key over REST; `version` is `v2` or `v1`.  Runs in a thread, because it may take long.

    Raises:
        Error: what `make_listen_key` raises.
    """
    made = make_listen_key(api, version)
    return Made(made.key.reveal(), lifetime(made.expire_at, api.venue_clock.now()))


def lifetime(expire_at: float, now: float) -> float:
    """For how many seconds a key is good that ends at `expire_at`, by the same clock as `now`.

    Both are epoch seconds; `expire_at` may be in milliseconds or finer.  It is a day at most, or a
    key would never be renewed, and a day where there is no sense in the number: by an end that has
    passed there would be a new key each second.
    """
    while expire_at >= SECONDS_BELOW:
        expire_at /= 1000
    left = expire_at - now
    return left if 0 < left <= DAY else DAY


class ListenKeys:
    """The keys of one account.  Times are seconds on the monotonic clock.

    `given` is a key that was made elsewhere: it is used as it is, and no other one is made, because
    that would end the stream of the program that made it.  With `may_replace` keys are made once
    the venue refuses it, and without it from the start; for both there must be credentials
    (`can_make`).

    Raises:
        ListenKeyError: there is neither.
    """

    def __init__(
        self,
        given: str = "",
        *,
        can_make: bool = False,
        may_replace: bool = False,
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
        self._can_replace = can_make and (may_replace or not given)
        self._key = Key(given, 1) if given else None
        self._numbered = 1 if given else 0  # how many keys there were
        self.making = False
        """Whether a key is being made: since `begin`, until `made` or `failed`."""
        self._renew_before = renew_before
        self._rng = rng or random.Random()
        self._made_at = 0.0
        self._expires = NEVER
        self._renew_at = NEVER
        self._renewal = NEVER  # when it was to be at first
        self._not_before = 0.0
        self._failures = Backoff(FAILED, self._rng)
        self._early_ends = 0
        self._contest = Backoff(CONTESTED, self._rng)
        self._doubt_from = 0.0
        self._doubted_at = -NEVER
        self._accepted = 0  # the number of the last key that a handshake succeeded with
        self._new_and_refused = 0  # the number of the last key that was refused before that

    @property
    def warning(self) -> str:
        """What the user should know from the start; `""`: nothing."""
        if not self.given or self._can_replace:
            return ""
        return (
            "the listen key was given, so it can't be renewed: the stream ends for good when the "
            "key does, after a day at most. With api_key and api_secret in its place, or "
            "replace_listen_key beside it, qehost makes and renews keys itself"
        )

    @property
    def make_at(self) -> float:
        """When a key is to be made; infinity while one is made, or none is needed."""
        if self.given or self.making:
            return NEVER
        return max(self._not_before, self._renew_at if self._key else 0.0)

    @property
    def usable_from(self) -> float:
        """When there is a key to connect with, if nothing else happens until then."""
        if self._key is None:
            return NEVER
        return self._not_before if self.given else 0.0

    def current(self, now: float) -> Key | None:
        """The key to connect with."""
        return self._key if self.usable_from <= now < self._expires else None

    def begin(self) -> None:
        """A key is being made now."""
        self.making = True

    def made(self, made: Made, now: float) -> None:
        """A key was made: it is the current one from now on."""
        self.making = False
        self._failures.succeeded()
        self._numbered += 1
        self._key = Key(made.text, self._numbered)
        self._made_at = now
        self._expires = now + made.lifetime
        # A key with a short life is renewed at half of it.
        margin = min(self._renew_before, made.lifetime / 2)
        # A little earlier by chance, so that many accounts don't renew in the same second.
        self._renew_at = self._renewal = self._expires - margin * self._rng.uniform(1.0, 1.05)
        # No key is so short-lived that it is worth more than a try each second.
        self._not_before = now + 1.0

    def failed(self, error: Exception, now: float) -> ListenKeyError:
        """A key could not be made.  The old one stays.  Returns what to tell the user."""
        self.making = False
        has_key = self._key is not None and now < self._expires
        usual = FAILED if has_key else WITHOUT_KEY
        delay = delay_after(error, self._failures, usual, REJECTED)
        self._not_before = now + delay
        reason = words_of(error)
        if is_rejected(error):
            reason += "; check api_key, api_secret and rest_url: they must belong together"
        if has_key:
            left = _span(self._expires - now)
            text = f"the listen key could not be renewed; the old one is good for {left} more"
        else:
            text = "no listen key could be made, so there is no stream"
        return ListenKeyError(f"{text}; next try in {_span(delay)}: {reason}")

    def accepted(self, number: int, now: float) -> None:
        """A handshake with this key succeeded."""
        self._accepted = max(self._accepted, number)
        if number == self._new_and_refused:
            self._renew_at = self._renewal
        if self.given:
            self._failures.succeeded()
            self._not_before = now

    def refused(self, number: int, now: float) -> ListenKeyError | None:
        """The handshake or the stream refused this key.

        One that was accepted before is replaced and not tried again.  One that never was stays, and
        is replaced later.  Returns what to tell the user; None where nothing is new: it is no
        longer the current one, is about to be replaced, or this was said of it before.
        """
        if self._key is None or number != self._key.number:
            return None
        if self.given:
            return self._given_refused(now)
        if self.making:
            # The venue has made the new key already, and its answer is on the way.
            self._key = None
            return None
        if now >= self._expires:
            self._key = None
            return ListenKeyError("the listen key has ended and could not be renewed in time")
        if number > self._accepted:
            return self._new_refused(number, now)
        self._key = None
        if now - self._made_at > QUIET_LIFE:
            self._early_ends = 0
            self._contest.succeeded()
        self._early_ends += 1
        age = _span(now - self._made_at)
        if self._early_ends == 1:
            # Once may be anything: a venue that was started anew, or a program that was.
            return ListenKeyError(
                f"the venue refused the listen key {age} after it was made; a new one is made"
            )
        delay = self._contest.failed()
        self._not_before = now + delay
        return ListenKeyError(
            f"the venue refused the listen key {age} after it was made, time number "
            f"{self._early_ends} in a row; it looks as if {ANOTHER_PROGRAM}. The next key is made "
            f"in {_span(delay)}"
        )

    def _new_refused(self, number: int, now: float) -> ListenKeyError | None:
        """No handshake has succeeded with this key yet: it may be the venue that is ill, so it is
        tried on, and another one made once in a while."""
        if number == self._new_and_refused:
            return None
        self._new_and_refused = number
        delay = self._contest.failed()
        self._renew_at = now + delay
        why = (
            "this one was never accepted"
            if self._accepted
            else f"none was ever accepted: either {ANOTHER_PROGRAM}; or ws_url and rest_url do not "
            "belong to the same venue (test or production), or protocol is wrong"
        )
        return ListenKeyError(
            f"the venue refused the listen key {_span(now - self._made_at)} after it was made; "
            f"{why}. It is tried on; the next key is made in {_span(delay)}"
        )

    def doubted(self, number: int, now: float) -> ListenKeyError | None:
        """Connections with this key fail in ways that may or may not mean that it has ended.

        So a new one is made, once in a while.  The old one is used until then: it may be the venue
        that is ill.  Returns what to tell the user; None: nothing is done about it.
        """
        current = self._key is not None and number == self._key.number
        if not (current and self._can_replace) or self.making or now < self._doubt_from:
            return None
        again = now - self._doubted_at <= QUIET_LIFE
        self._doubted_at, self._doubt_from = now, now + DOUBTED
        self._renew_at = now
        if self.given:
            self.given = False
            self._expires = now + DAY
        if again:
            return ListenKeyError(
                "connections with the listen key fail or end at once, again and again: either the "
                f"venue is ill, or {ANOTHER_PROGRAM}. A new key is made once in {_span(DOUBTED)}"
            )
        return ListenKeyError(
            "connections with the listen key fail or end at once; in case it has ended, a new one "
            "is made"
        )

    def _given_refused(self, now: float) -> ListenKeyError:
        if self._can_replace:
            self.given = False
            self._key = None
            return ListenKeyError(
                "the venue refused the listen key that was given: it has ended, or a newer one has "
                "taken its place. One is made with the credentials instead"
            )
        delay = self._failures.failed(REJECTED)
        self._not_before = now + delay
        return ListenKeyError(
            "the venue refused the listen key that was given: it has ended, or a newer one has "
            "taken its place, and only one of a user's keys is good at a time. Set a new one, or "
            "replace_listen_key and api_key and api_secret so that qehost makes its own; it is "
            f"tried again in {_span(delay)}"
        )


def _span(seconds: float) -> str:
    """A duration for people: `8 s`, `42 min`, `23 h`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h"
