"""The venue's faults: how they are written, and when they strike.  No I/O, the clock passed in.

A fault is written `NAME[=WHEN]` or `NAME[=VALUE]`:

* WHEN is a time (`5s`, `250ms`, `2m`): again and again after that long; or a probability (`5%`,
  `0.1%`): for each message or request that it could meet.
* VALUE is a time, for the faults that are a state of the venue: `clock=+90s`.
* `random=SEED[,PACE]` mixes them: one after another at random, about one every PACE.

Everything random comes from a seed, so a run with faults can be repeated.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from difflib import get_close_matches
from random import Random
from typing import Literal, NamedTuple, TypeAlias

__all__ = ["KINDS", "Fault", "Kind", "Mixer", "Occasions", "describe", "parse"]

Group: TypeAlias = Literal["stream", "message", "open", "handshake", "rest", "setting", "random"]


class Kind(NamedTuple):
    """`groups`: what it meets.  `default`: the part after `=` where none is given."""

    groups: tuple[Group, ...]
    default: str
    help: str


_ANSWERS = {
    "401": "HTTP 401",
    "404": "HTTP 404",
    "418": "HTTP 418 with Retry-After",
    "429": "HTTP 429 with Retry-After",
    "500": "HTTP 500",
    "503": "HTTP 503 with Retry-After",
    "hang": "no answer at all",
}
_SCOPES: dict[str, tuple[tuple[Group, ...], str]] = {
    "http": (("handshake", "rest"), "to REST calls and handshakes"),
    "rest": (("rest",), "to REST calls"),
    "handshake": (("handshake",), "to handshakes"),
}

KINDS: dict[str, Kind] = {
    # A stream, counted from its opening.
    "drop": Kind(("stream",), "10s", "the stream ends with a close frame"),
    "end": Kind(("stream",), "10s", "the stream ends without a close frame"),
    "reset": Kind(("stream",), "10s", "the stream ends by a TCP reset"),
    "silence": Kind(("stream",), "10s", "the stream stays open and says nothing, no pong either"),
    "torn": Kind(("stream",), "10s", "half a frame, then the end of the stream"),
    "reserved": Kind(("stream",), "10s", "a frame with a reserved bit"),
    "opcode": Kind(("stream",), "10s", "a frame with a reserved opcode"),
    "oversized": Kind(("stream",), "10s", "a frame that announces 1 TiB"),
    "invalid-utf8": Kind(("stream",), "10s", "a text frame that is not UTF-8"),
    "takeover": Kind(("stream",), "10s", "another program makes itself a new listen key"),
    # A message.
    "duplicate": Kind(("message",), "5%", "the message is sent twice"),
    "reorder": Kind(("message",), "5%", "the message is sent after the next one"),
    "gap": Kind(("message",), "5%", "the message is not sent: only REST knows"),
    "fragmented": Kind(("message",), "5%", "the message comes in fragments, a ping between them"),
    "dribble": Kind(("message",), "5%", "the message comes in tiny pieces over a quarter second"),
    # A handshake or a REST call.
    "close-at-open": Kind(("open",), "100%", "the stream is closed as soon as it is open"),
    "refuse-key": Kind(("handshake",), "50%", "the handshake refuses the listen key, for good"),
    **{
        f"{scope}-{answer}": Kind(groups, "20%", f"{what} {where}")
        for scope, (groups, where) in _SCOPES.items()
        for answer, what in _ANSWERS.items()
    },
    # The venue as a whole.
    "expire-key": Kind(("setting",), "30s", "listen keys live that long"),
    "keep-old": Kind(("setting",), "", "a stream may outlive the listen key it was opened with"),
    "clock": Kind(("setting",), "+90s", "the venue's clock is off by that much"),
    "slow-write": Kind(("setting",), "20ms", "a pause before each write to a stream"),
    "random": Kind(("random",), "1,2s", "SEED[,PACE]: most of these, one after another"),
}
"""Every fault by name."""

# Not what would last, what a client must not simply get over, or what costs it its whole time-out;
# `http-` is both of the others.
_UNMIXED = {"random", "keep-old", "clock", "slow-write", "takeover", "rest-401"}
_UNMIXED |= {name for name in KINDS if name.startswith("http-") or name.endswith("-hang")}
# How often `random` takes each group: a client that is refused again and again sees little else.
_SHARES: dict[Group, int] = {
    "stream": 5,
    "message": 5,
    "rest": 2,
    "handshake": 1,
    "open": 1,
    "setting": 1,
}
_MIXED = {
    group: [n for n, kind in KINDS.items() if group in kind.groups and n not in _UNMIXED]
    for group in _SHARES
}

_TIME = re.compile(r"([+-]?\d+(?:\.\d+)?)(ms|s|m|h)")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)%")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Fault(NamedTuple):
    """One fault as it was asked for; times in seconds, the probability from 0 to 1."""

    name: str
    every: float | None = None
    probability: float | None = None
    value: float | None = None  # of a setting; the seed of `random`


def parse(spec: str) -> Fault:
    """`NAME[=WHEN-OR-VALUE]`.  Raises ValueError with a text for the user."""
    name, _, text = spec.strip().partition("=")
    kind = KINDS.get(name)
    if kind is None:
        near = get_close_matches(name, KINDS, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise ValueError(f"there is no fault {name!r}: {hint}The faults are {', '.join(KINDS)}")
    text = text or kind.default
    if name == "random":
        seed, _, pace = text.partition(",")
        if not seed.isdigit():
            raise ValueError(f"{spec}: a whole number was expected as the seed, such as random=7")
        return Fault(name, every=_time(spec, pace or "2s"), value=int(seed))
    if kind.groups == ("setting",):
        if not kind.default:
            if text:
                raise ValueError(f"{spec}: {name} takes no value")
            return Fault(name)
        return Fault(name, value=_time(spec, text, signed=name == "clock"))
    percent = _PERCENT.fullmatch(text)
    if percent is None:
        return Fault(name, every=_time(spec, text, or_percent=True))
    probability = float(percent[1]) / 100
    if not 0 < probability <= 1:
        raise ValueError(f"{spec}: a probability is more than 0% and at most 100%")
    return Fault(name, probability=probability)


def describe() -> list[tuple[str, str]]:
    """Each fault with its default, and what it does."""
    return [
        (f"{name}={kind.default}" if kind.default else name, kind.help)
        for name, kind in KINDS.items()
    ]


def _time(spec: str, text: str, *, signed: bool = False, or_percent: bool = False) -> float:
    found = _TIME.fullmatch(text)
    seconds = float(found[1]) * _SECONDS[found[2]] if found else 0.0
    if seconds <= 0 and not (signed and found):
        what = "a time (5s, 250ms, 2m)" + (" or a probability (5%)" if or_percent else "")
        raise ValueError(f"{spec}: {what} was expected")
    return seconds


class Occasions:
    """Decides at each occasion which faults strike: for one stream, or for all messages, …

    `now` is a monotonic clock, in seconds.
    """

    def __init__(self, faults: Iterable[Fault], dice: Random, now: float) -> None:
        self._dice = dice
        self._chances = [(each.name, each.probability) for each in faults if each.probability]
        self._every = {each.name: each.every for each in faults if each.every}
        self._next = {name: now + every for name, every in self._every.items()}
        self._injected: Counter[str] = Counter()

    def inject(self, name: str, times: int = 1) -> None:
        """Lets it strike at each of the next `times` occasions."""
        self._injected[name] += times

    @property
    def injected(self) -> bool:
        """Whether something injected still waits for its occasion."""
        return bool(self._injected)

    def due(self, now: float, *, chance: bool = True) -> list[str]:
        """The faults that strike now; without `chance` only those whose time has come."""
        if not (self._injected or self._next or (chance and self._chances)):
            return []
        struck = [name for name, at in self._next.items() if now >= at]
        for name in struck:
            self._next[name] = now + self._every[name]
        struck += self._injected
        self._injected -= Counter(list(self._injected))
        if chance:
            struck += [name for name, odds in self._chances if self._dice.random() < odds]
        return struck


class Mixer:
    """`random=SEED,PACE`: one fault after another."""

    def __init__(self, fault: Fault, now: float) -> None:
        self._dice = Random(f"mixed faults {fault.value}")
        self._pace = fault.every or 2.0
        self._next = now + self._wait()

    def due(self, now: float) -> str:
        """The fault that strikes now, or `""`."""
        if now < self._next:
            return ""
        self._next = now + self._wait()
        (group,) = self._dice.choices(list(_SHARES), list(_SHARES.values()))
        return self._dice.choice(_MIXED[group])

    def _wait(self) -> float:
        return self._dice.uniform(0.5, 1.5) * self._pace
