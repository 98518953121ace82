"""One run of one program: it is started, warmed up, and given messages; what that took."""

from __future__ import annotations

import time
from array import array
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import quantiles
from typing import Any, NamedTuple

import processes
from blast import Accept, Blast, Broken, Pace, Server
from corpus import MIXED
from programs import Program

__all__ = ["Bench", "Taken", "running"]

SETTLE = 0.3  # seconds between the first message and the next


class Taken(NamedTuple):
    """What a blast took."""

    rate: float
    """Messages a second, from the first byte into the socket to the last call of a hook."""
    cpu: dict[str, float]
    """µs of CPU a message, by what the process is; empty where it can't be known."""


@contextmanager
def running(
    server: Server, kind: type[Program], *, warm_up: int = 1_000, accounts: int = 1, **options: Any
) -> Iterator[Bench]:
    """The program, connected and warmed up with some messages."""
    if accounts > 1:
        options["accounts"] = accounts
    server.order(Accept(accounts))
    server.order(Blast(accounts, "first"))
    with kind(server.url, **options) as program:
        bench = Bench(server, program, accounts)
        server.done(program.check)
        bench.first()
        time.sleep(SETTLE)
        bench.warm_up(warm_up)
        yield bench


class Bench:
    """A running program.  `start` is the time from its start to the first call of a hook, in ms:
    the server sends a message as soon as it has shaken hands."""

    def __init__(self, server: Server, program: Program, clients: int) -> None:
        self.program = program
        self.start = 0.0
        self._server = server
        self._clients = clients
        self._number = 0

    def first(self) -> None:
        _, arrived = self._arrivals("first", self._clients)
        self.start = (arrived[0] - self.program.started_at) / 1e6

    def warm_up(self, total: int) -> None:
        self._blast(total - total % self._clients)

    def blast(self, total: int, form: str = MIXED) -> Taken:
        """As many messages of a form at once, shared between the accounts."""
        total -= total % self._clients
        roles = self.program.roles()
        before = {pid: processes.cpu(pid) for pid in roles}
        sent, arrived = self._blast(total, form)
        cpu: dict[str, float] = defaultdict(float)
        for pid, role in roles.items():
            after = processes.cpu(pid)
            if after is not None:
                cpu[role] += (after - (before[pid] or 0.0)) * 1e6 / total
        return Taken(total / (arrived[-1] - sent[0]) * 1e9, dict(cpu))

    def latencies(self, rate: float, total: int) -> list[float]:
        """µs from just before a message is sent until its hook is called: the percentiles."""
        end = self._end("pace")
        self._server.order(Pace(total, end, rate))
        sent, arrived = self._arrivals(end, total)
        # Every message makes exactly one call, and in their order.
        took = [(after - before) / 1e3 for before, after in zip(sent, arrived, strict=True)]
        return quantiles(took, n=100)

    def idle(self, seconds: float) -> float | None:
        """Percent of one core that all its processes take while nothing is sent."""
        pids = list(self.program.roles())
        begun = time.monotonic()
        before = [processes.cpu(pid) for pid in pids]
        time.sleep(seconds)
        after = [processes.cpu(pid) for pid in pids]
        took = time.monotonic() - begun
        used = [
            b - a for a, b in zip(before, after, strict=True) if a is not None and b is not None
        ]
        return sum(used) / took * 100 if used else None

    def memory(self) -> dict[str, float]:
        """MiB by what the process is, and of all of them (`all`)."""
        found: dict[str, float] = defaultdict(float)
        for pid, role in self.program.roles().items():
            found[role] += processes.memory(pid)
        found["all"] = sum(found.values())
        return dict(found)

    def _blast(self, total: int, form: str = MIXED) -> tuple[array[int], array[int]]:
        end = self._end("blast")
        self._server.order(Blast(total, end, form))
        return self._arrivals(end, total)

    def _end(self, name: str) -> str:
        self._number += 1
        return f"{name}{self._number}"

    def _arrivals(self, end: str, total: int) -> tuple[array[int], array[int]]:
        sent = self._server.done(self.program.check)
        ends = [f"{end}-{number}" for number in range(self._clients)]
        if self._clients == 1:
            ends = [end]
        # One account's end brings what came before it, of the others, too.
        parts = [self.program.arrived(each) for each in ends]
        arrived = array("q", sorted(time for part in parts for time in part))
        if len(arrived) != total:
            raise Broken(f"{self.program.name}: {len(arrived)} of {total} messages arrived")
        return sent, arrived
