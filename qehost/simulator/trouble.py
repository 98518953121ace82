"""A venue's faults as a whole: which are set, and what strikes at each occasion.  No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from qehost.simulator.faults import KINDS, Fault, Mixer, Occasions
from qehost.simulator.refusal import Hang, Refused

__all__ = ["Trouble"]

_RETRY_AFTER = 1  # seconds
_REFUSALS = {
    "401": (401, "UNAUTHORIZED", "unauthorized"),
    "404": (404, "NOT_FOUND", "there is no such resource"),
    "418": (418, "IP_BANNED", "too many requests after a warning: wait"),
    "429": (429, "TOO_MANY_REQUESTS", "too many requests: wait"),
    "500": (500, "INTERNAL", "internal server error"),
    "503": (503, "UNAVAILABLE", "service unavailable: wait"),
}


class Trouble:
    """The faults of one venue.  `now` is a monotonic clock, in seconds.

    What is a state of the venue stands in the attributes: `clock_offset`, `key_lifetime` (None:
    the usual one) and `write_pause` in seconds, and `keep_old`.
    """

    def __init__(self, faults: Iterable[Fault], seed: int, now: float) -> None:
        self._faults = list(faults)
        self._dice = Random(f"faults {seed}")
        self.messages = self._occasions("message", now)
        self.openings = self._occasions("open", now)
        self._handshakes = self._occasions("handshake", now)
        self._calls = self._occasions("rest", now)
        self._mixers = [Mixer(each, now) for each in self._faults if each.name == "random"]
        self.clock_offset = 0.0
        self.key_lifetime: float | None = None
        self.write_pause = 0.0
        self.keep_old = False
        for each in self._faults:
            self.set(each)

    def set(self, fault: Fault) -> None:
        """A fault that is a state of the venue; any other changes nothing here."""
        value = fault.value or 0.0
        match fault.name:
            case "clock":
                self.clock_offset = value
            case "expire-key":
                self.key_lifetime = value
            case "slow-write":
                self.write_pause = value
            case "keep-old":
                self.keep_old = True

    def inject(self, name: str, times: int = 1) -> None:
        """Lets a fault of messages or requests strike at each of the next `times` occasions."""
        for occasions in self._met_by(name):
            occasions.inject(name, times)

    def stream(self, now: float) -> Occasions:
        """For a stream that has just opened."""
        return self._occasions("stream", now)

    def mixed(self, now: float) -> list[str]:
        """What `random` lets happen now.

        Nothing is added to what still waits for its occasion: a client that was away for long
        would find a queue of refusals.
        """
        names = [mixer.due(now) for mixer in self._mixers]
        return [name for name in names if name and not any(o.injected for o in self._met_by(name))]

    def call(self, now: float) -> None:
        """A REST call comes in: raises `Refused` or `Hang` if a fault is in its way."""
        self._obstruct(self._calls.due(now))

    def handshake(self, now: float) -> bool:
        """A handshake comes in: as `call`; True if its listen key shall be refused for good."""
        names = self._handshakes.due(now)
        if "refuse-key" in names:
            return True
        self._obstruct(names)
        return False

    def _met_by(self, name: str) -> list[Occasions]:
        by_group = {
            "message": self.messages,
            "open": self.openings,
            "handshake": self._handshakes,
            "rest": self._calls,
        }
        return [by_group[group] for group in KINDS[name].groups if group in by_group]

    def _obstruct(self, names: list[str]) -> None:
        for name in names:
            answer = name.rpartition("-")[2]
            if answer == "hang":
                raise Hang
            status, reason, message = _REFUSALS[answer]
            wait = _RETRY_AFTER if status in (418, 429, 503) else None
            raise Refused(status, reason, message, retry_after=wait)

    def _occasions(self, group: str, now: float) -> Occasions:
        mine = [each for each in self._faults if group in KINDS[each.name].groups]
        return Occasions(mine, self._dice, now)
