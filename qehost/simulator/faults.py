"""The venue's faults: how they are specified, and when they occur.  No I/O, the clock passed in.

A fault is written `NAME[=WHEN]` or `NAME[=VALUE]`:

* WHEN is a time (`5s`, `250ms`, `2m`): again and again, that far apart; or a probability (`5%`,
  `0.1%`): at each message or request.
* VALUE is a time, for the faults that are a state of the venue: `clock=+90s`.
* `clock-step=SIZE[,PACE]` sets the venue's clock forward by SIZE and back in turn, every PACE.
* `random=SEED[,PACE]` chooses one after another at random, about one every PACE.

Everything random comes from a seed, so a run with faults can be repeated.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from difflib import get_close_matches
from random import Random
from typing import Literal, NamedTuple, TypeAlias

__all__ = [
    "KINDS",
    "Fault",
    "FaultKind",
    "FaultSchedule",
    "RandomFaults",
    "describe_faults",
    "parse",
]

FaultGroup: TypeAlias = Literal[
    "stream", "message", "open", "handshake", "rest", "market", "venue", "setting", "random"
]


class FaultKind(NamedTuple):
    """`groups`: what it affects.  `default`: the part after `=` if none is given."""

    groups: tuple[FaultGroup, ...]
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
_SCOPES: dict[str, tuple[tuple[FaultGroup, ...], str]] = {
    "http": (("handshake", "rest"), "to REST calls and handshakes"),
    "rest": (("rest",), "to REST calls"),
    "handshake": (("handshake",), "to handshakes"),
}

# A REST call that is carried out all the same.
_CARRIED_OUT = {
    name: FaultKind(("rest",), "20%", what)
    for name, what in {
        "rest-lost": "a REST call is carried out, and the connection ends without an answer",
        "rest-late": "a REST call is carried out, and answered 2 s later",
        "rest-done-500": "a REST call is carried out, and answered by 500",
        "rest-delayed": "the connection ends without an answer; the call is carried out 1 s later",
    }.items()
}

KINDS: dict[str, FaultKind] = {
    # A stream, counted from its opening.
    "drop": FaultKind(("stream",), "10s", "the stream ends with a close frame"),
    "end": FaultKind(("stream",), "10s", "the stream ends without a close frame"),
    "reset": FaultKind(("stream",), "10s", "the stream ends by a TCP reset"),
    "silence": FaultKind(
        ("stream",), "10s", "the stream stays open, but nothing is sent, not even a pong"
    ),
    "mute": FaultKind(
        ("stream",), "10s", "the stream stays open and answers pings, but brings no message"
    ),
    "torn": FaultKind(("stream",), "10s", "half a frame, then the end of the stream"),
    "reserved": FaultKind(("stream",), "10s", "a frame with a reserved bit"),
    "opcode": FaultKind(("stream",), "10s", "a frame with a reserved opcode"),
    "oversized": FaultKind(("stream",), "10s", "a frame that announces 1 TiB"),
    "invalid-utf8": FaultKind(("stream",), "10s", "a text frame that is not UTF-8"),
    "takeover": FaultKind(("stream",), "10s", "another program makes itself a new listen key"),
    # A message.
    "duplicate": FaultKind(("message",), "5%", "the message is sent twice"),
    "reorder": FaultKind(("message",), "5%", "the message is sent after the next one"),
    "gap": FaultKind(("message",), "5%", "the message is not sent: only REST knows"),
    "fragmented": FaultKind(
        ("message",), "5%", "the message comes in fragments, a ping between them"
    ),
    "dribble": FaultKind(
        ("message",), "5%", "the message comes in tiny pieces over a quarter second"
    ),
    # A handshake or a REST call.
    "close-at-open": FaultKind(("open",), "100%", "the stream is closed as soon as it is open"),
    "refuse-key": FaultKind(
        ("handshake",), "50%", "the handshake refuses the listen key, for good"
    ),
    **{
        f"{scope}-{answer}": FaultKind(groups, "20%", f"{what} {where}")
        for scope, (groups, where) in _SCOPES.items()
        for answer, what in _ANSWERS.items()
    },
    **_CARRIED_OUT,
    # An update of the market.
    "amend": FaultKind(
        ("market",), "5%", "an open child order is amended: the same id, a new orderId and price"
    ),
    # The venue as a whole.
    "restart": FaultKind(
        ("venue",), "30s", "every stream ends, and the messageIds begin anew, at the same ones"
    ),
    "clock-step": FaultKind(
        ("venue",), "+3m,20s", "SIZE[,PACE]: the venue's clock is set forward and back in turn"
    ),
    "expire-key": FaultKind(("setting",), "30s", "listen keys live that long"),
    "keep-old": FaultKind(
        ("setting",), "", "a stream may outlive the listen key it was opened with"
    ),
    "clock": FaultKind(("setting",), "+90s", "the venue's clock is off by that much"),
    "expire-at-ms": FaultKind(("setting",), "", "expireAt is in milliseconds"),
    "whole-seconds": FaultKind(
        ("setting",), "", "REST's createdAt and updatedAt (V2) are in whole seconds"
    ),
    "resting": FaultKind(
        ("setting",), "1h", "every fourth child order rests so long before anything of it is filled"
    ),
    "slow-write": FaultKind(("setting",), "20ms", "a pause before each write to a stream"),
    "random": FaultKind(("random",), "1,2s", "SEED[,PACE]: most of these, one after another"),
}
"""Every fault by name."""

# Not those that last, that a client must not simply recover from, that cost it a whole time-out, or
# that only matter to who acts; `http-` is both of the others.
_NOT_RANDOM = {"random", "takeover", "mute", "rest-401"}
_NOT_RANDOM |= _CARRIED_OUT.keys()
_NOT_RANDOM |= {name for name, kind in KINDS.items() if "setting" in kind.groups} - {"expire-key"}
_NOT_RANDOM |= {name for name in KINDS if name.startswith("http-") or name.endswith("-hang")}
# How often `random` takes each group: with many refusals a client would see little else.
_SHARES: dict[FaultGroup, int] = {
    "stream": 5,
    "message": 5,
    "rest": 2,
    "handshake": 1,
    "open": 1,
    "setting": 1,
}
_RANDOM = {
    group: [n for n, kind in KINDS.items() if group in kind.groups and n not in _NOT_RANDOM]
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
    value: float | None = None  # of a setting; SIZE of `clock-step`; the seed of `random`


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
    if name == "clock-step":
        size, _, pace = text.partition(",")
        return Fault(name, every=_time(spec, pace or "20s"), value=_time(spec, size, signed=True))
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


def describe_faults() -> list[tuple[str, str]]:
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


class FaultSchedule:
    """Decides when faults occur: those of one stream, or of all messages, …

    `now` is a monotonic clock, in seconds.
    """

    def __init__(self, faults: Iterable[Fault], rng: Random, now: float) -> None:
        self._rng = rng
        self._chances = [(each.name, each.probability) for each in faults if each.probability]
        self._every = {each.name: each.every for each in faults if each.every}
        self._next = {name: now + every for name, every in self._every.items()}
        self._injected: Counter[str] = Counter()

    def inject(self, name: str, times: int = 1) -> None:
        """Let it occur at each of the next `times` calls of `due`."""
        self._injected[name] += times

    def withdraw(self, name: str) -> None:
        """What is injected and still to come of it does not occur."""
        self._injected.pop(name, None)

    @property
    def injected(self) -> bool:
        """Whether an injected fault is still to occur."""
        return bool(self._injected)

    def due(self, now: float, *, chance: bool = True) -> list[str]:
        """The faults that occur now; without `chance` those with a probability are left out."""
        if not (self._injected or self._next or (chance and self._chances)):
            return []
        names = [name for name, at in self._next.items() if now >= at]
        for name in names:
            self._next[name] = now + self._every[name]
        names += self._injected
        self._injected -= Counter(list(self._injected))
        if chance:
            names += [
                name for name, probability in self._chances if self._rng.random() < probability
            ]
        return names


class RandomFaults:
    """`random=SEED,PACE`: one fault after another at random."""

    def __init__(self, fault: Fault, now: float) -> None:
        self._rng = Random(f"mixed faults {fault.value}")
        self._pace = fault.every or 2.0
        self._next = now + self._wait()

    def due(self, now: float) -> str:
        """The fault that occurs now, or `""`."""
        if now < self._next:
            return ""
        self._next = now + self._wait()
        (group,) = self._rng.choices(list(_SHARES), list(_SHARES.values()))
        return self._rng.choice(_RANDOM[group])

    def _wait(self) -> float:
        return self._rng.uniform(0.5, 1.5) * self._pace
