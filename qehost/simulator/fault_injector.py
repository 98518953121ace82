"""All faults of a venue: which are set, and which occur now.  No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Literal, TypeAlias

from qehost.simulator.faults import KINDS, Fault, FaultSchedule, RandomFaults
from qehost.simulator.refusal import HangingRequest, RestRefusal
from qehost.simulator.signed_request import RestForm

__all__ = ["FaultInjector", "Spoiled", "refusal_by"]

Spoiled: TypeAlias = Literal["", "lost", "late", "done-500", "delayed"]
"""What becomes of a call that is carried out: nothing, or a fault of its answer."""

_RETRY_AFTER = 1  # seconds
_REFUSALS = {
    "401": (401, "UNAUTHORIZED", "unauthorized"),
    "404": (404, "NOT_FOUND", "there is no such resource"),
    "418": (418, "IP_BANNED", "too many requests after a warning: wait"),
    "429": (429, "TOO_MANY_REQUESTS", "too many requests: wait"),
    "500": (500, "INTERNAL", "internal server error"),
    "503": (503, "UNAVAILABLE", "service unavailable: wait"),
}
_SPOILED: dict[str, Spoiled] = {
    "rest-lost": "lost",
    "rest-late": "late",
    "rest-done-500": "done-500",
    "rest-delayed": "delayed",
}


class FaultInjector:
    """The faults of one venue.  `now` is a monotonic clock, in seconds.

    Faults that are a state of the venue are attributes: `clock_offset`, `write_pause` and `resting`
    in seconds, `keep_old`, and `rest_form`.
    """

    def __init__(self, faults: Iterable[Fault], seed: int, now: float) -> None:
        self._faults = list(faults)
        self._rng = Random(f"faults {seed}")
        self.messages = self._schedule("message", now)
        self.openings = self._schedule("open", now)
        self.market = self._schedule("market", now)
        self._venue = self._schedule("venue", now)
        self._handshakes = self._schedule("handshake", now)
        self._calls = self._schedule("rest", now)
        self._random = [RandomFaults(each, now) for each in self._faults if each.name == "random"]
        self.clock_offset = 0.0
        self.rest_form = RestForm()
        self.write_pause = 0.0
        self.resting = 0.0
        self.keep_old = False
        self._clock_step = 0.0
        for each in self._faults:
            self.set(each)

    def set(self, fault: Fault) -> None:
        """Apply a fault that is a state of the venue; any other is ignored."""
        value = fault.value or 0.0
        match fault.name:
            case "clock":
                self.clock_offset = value
            case "clock-step":
                self._clock_step = value
            case "expire-key":
                self.rest_form = self.rest_form._replace(key_lifetime=value)
            case "expire-at-ms":
                self.rest_form = self.rest_form._replace(expire_at_in_ms=True)
            case "whole-seconds":
                self.rest_form = self.rest_form._replace(whole_seconds=True)
            case "resting":
                self.resting = value
            case "slow-write":
                self.write_pause = value
            case "keep-old":
                self.keep_old = True

    def inject(self, name: str, times: int = 1) -> None:
        """Apply a fault of messages or requests to each of the next `times` of them."""
        for schedule in self._schedules_of(name):
            schedule.inject(name, times)

    def withdraw(self, name: str) -> None:
        """What an injected fault still has to come does not occur."""
        for schedule in self._schedules_of(name):
            schedule.withdraw(name)

    def stream(self, now: float) -> FaultSchedule:
        """For a stream that has just opened."""
        return self._schedule("stream", now)

    def random(self, now: float) -> list[str]:
        """The faults that `random` chooses now.

        None is added while one of its kind is still to occur: a client that was away for long would
        find a queue of refusals.
        """
        names = [each.due(now) for each in self._random]
        return [n for n in names if n and not any(s.injected for s in self._schedules_of(n))]

    def restarts(self, now: float) -> bool:
        """Set the venue's clock if that is due; whether the venue is to restart now."""
        names = self._venue.due(now)
        if "clock-step" in names:
            self.step_clock(self._clock_step)
            self._clock_step = -self._clock_step
        return "restart" in names

    def step_clock(self, seconds: float) -> None:
        """Set the venue's clock forward by so much."""
        self.clock_offset += seconds

    def call(self, now: float) -> Spoiled:
        """For a REST call that comes in: raises `RestRefusal` or `HangingRequest` if it is not to
        be carried out, or else says what becomes of its answer."""
        names = self._calls.due(now)
        spoiled = [_SPOILED[name] for name in names if name in _SPOILED]
        self._raise_fault([name for name in names if name not in _SPOILED])
        return spoiled[0] if spoiled else ""

    def handshake(self, now: float) -> bool:
        """For a handshake that comes in, as `call`; True if its listen key is to be refused for
        good."""
        names = self._handshakes.due(now)
        if "refuse-key" in names:
            return True
        self._raise_fault(names)
        return False

    def _schedules_of(self, name: str) -> list[FaultSchedule]:
        by_group = {
            "message": self.messages,
            "market": self.market,
            "venue": self._venue,
            "open": self.openings,
            "handshake": self._handshakes,
            "rest": self._calls,
        }
        return [by_group[group] for group in KINDS[name].groups if group in by_group]

    def _raise_fault(self, names: list[str]) -> None:
        for name in names:
            answer = name.rpartition("-")[2]
            if answer == "hang":
                raise HangingRequest
            raise refusal_by(answer)

    def _schedule(self, group: str, now: float) -> FaultSchedule:
        faults = [each for each in self._faults if group in KINDS[each.name].groups]
        return FaultSchedule(faults, self._rng, now)


def refusal_by(answer: str) -> RestRefusal:
    """As a call is refused with this status."""
    status, reason, message = _REFUSALS[answer]
    wait = _RETRY_AFTER if status in (418, 429, 503) else None
    return RestRefusal(status, reason, message, retry_after=wait)
