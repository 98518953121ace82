"""Waiting, and orders of the local venue that are at work."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from qehost.errors import Error
from qehost.messages import Event, MasterOrderEvent
from qehost.testing import PluginHost, Venue, master_order, order

from qehost_guard.intents import Intent, Intents
from qehost_guard.rules import Finding
from qehost_guard.settings import Rule

T = TypeVar("T")
PATIENCE = 120.0
REJECTS: dict[str, Any] = {"rules": [{"rejects": 1, "within": "60s", "action": "pause"}]}
ARMED: dict[str, Any] = {"armed": True, "settle": "0.3s", **REJECTS}


def wait_for(
    condition: Callable[[], T | None], what: str = "something", patience: float = PATIENCE
) -> T:
    deadline = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited for {what}"
        time.sleep(0.01)
    return found


def at_work(venue: Venue, but: Collection[str] = (), account: int = 0) -> str:
    """A master order that works, and is none of these."""
    while True:
        (update,) = venue.step(account=account)
        order = update.subject.master_order_id
        if update.subject.status == "PROCESSING" and order not in but:
            return order


def read(folder: Path, ask: Callable[[Intents], T]) -> T:
    """What the table says.  A process that is about to make or to mend it may hold it."""

    def answer() -> tuple[T] | None:
        try:
            with closing(Intents(folder / "guard.db", only_read=True)) as intents:
                return (ask(intents),)
        except Error:
            return None

    return wait_for(answer, "the table")[0]


def lines(folder: Path) -> list[dict[str, object]]:
    """The audit file."""
    text = (folder / "audit.jsonl").read_bytes()
    return [msgspec.json.decode(line) for line in text.splitlines()]


class Desk:
    """A master order of the venue, a guard that knows it, and what the guard makes of it."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.id = at_work(venue)

    def reject(self, host: PluginHost) -> None:
        host.deliver(*self.rejected())

    def told(self, status: str, *, received_at: int = 0) -> MasterOrderEvent:
        """A push of the order's status."""
        return master_order(
            master_order_id=self.id, status=status, received_at=received_at or time.time_ns()
        )

    def rejected(self) -> list[Event]:
        """The order at work, and a child order of it that is rejected."""
        return [
            self.told("PROCESSING"),
            order(master_order_id=self.id, status="REJECTED", received_at=time.time_ns()),
        ]

    def leave_an_intent(self, folder: Path, config: dict[str, Any]) -> None:
        """As a guard does that is killed before its call."""
        rule = msgspec.convert(config["rules"][0], Rule)
        intents = Intents(folder / "guard.db")
        intents.add(Finding(rule, "main", self.id, "BTCUSDT", "", {}), "intent", armed=True)
        intents.close()

    def spoil(self, host: PluginHost, fault: str) -> None:
        """Let the next call be that of the guard: the client asks for the venue's time first."""
        self.status(host)
        self.venue.inject(fault)

    def until_it_hangs(self, host: PluginHost) -> None:
        """The pause has been sent, and gets no answer."""

        def hangs() -> bool:
            host.tick()  # a guard that is late looks whether it is level
            return self.calls() == [0]

        wait_for(hangs, "the pause")

    def calls(self, action: str = "pause") -> list[int]:
        """The status of each such call."""
        return [each.status for each in self.venue.requests if each.path.endswith(f"/{action}")]

    def outcome(self, host: PluginHost) -> Intent:
        """Of the newest intent."""

        def newest(intents: Intents) -> Intent | None:
            if intents.unfinished() or intents.not_audited():
                return None
            return next(reversed(intents.all()), None)

        def found() -> Intent | None:
            host.tick()
            return read(host.context.state_dir, newest)

        return wait_for(found, "an outcome")

    def status(self, host: PluginHost) -> str:
        return host.context.api("main").master_order(self.id).status
