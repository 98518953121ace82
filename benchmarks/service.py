"""`python benchmarks/service.py`: from a socket to a handler, through `WebSocketService`.

The same program runs with qehost and with the peer, in turns; only its import differs.  See
README.md.
"""

from __future__ import annotations

import sys
import time
from array import array
from collections.abc import Sequence
from statistics import quantiles

import corpus
import peer
from blast import Accept, Blast, Broken, Pace, Server
from instrument import Sizes, command
from programs import HERE, Program
from table import Row

__all__ = ["Service", "one_call_each"]

SECTION = "inside a program"

RATE = 500
WARM_UP = 1_000  # messages before anything is measured
SETTLE = 0.5  # seconds between connecting and the first message


class Ours(Program):
    name = "qehost"
    library = "qehost"

    def _command(self, url: str) -> list[str]:
        program = str(HERE / "service_program.py")
        return [sys.executable, program, self.library, url, str(self._noted)]


class Peers(Ours):
    name = peer.NAME
    library = "qe"


class Service:
    def __init__(self, server: Server, sizes: Sizes) -> None:
        self._server = server
        self._sizes = sizes
        fills = [b'\\"type\\":\\"fill\\"' in text for text in corpus.messages(server.block)]
        sent = WARM_UP + int(RATE * sizes.seconds) + sizes.messages
        self._fills = fills * (sent // len(fills) + 1)
        self._p50, self._p99 = (
            Row(SECTION, f"latency at {RATE}/s, {share}", "µs", "less") for share in ("p50", "p99")
        )
        self._throughput = Row(SECTION, "throughput", "messages/s", "more")
        self._close = Row(SECTION, "close()", "ms", "less")

    @property
    def rows(self) -> list[Row]:
        return [self._p50, self._p99, self._throughput, self._close]

    def run(self, number: int) -> None:
        for kind in _in_turn(number):
            self._server.order(Accept())
            with kind(self._server.url) as program:
                bench = _Bench(self._server, program, self._fills)
                took = bench.paced(int(RATE * self._sizes.seconds))
                rate = bench.blast(self._sizes.messages)
                closed = bench.close()
            for row, figure in zip(self.rows, (took[49], took[98], rate, closed), strict=True):
                (row.peers if kind is Peers else row.ours).append(figure)


def _in_turn(number: int) -> list[type[Ours]]:
    programs: list[type[Ours]] = [Ours, *([Peers] if peer.version() else [])]
    return programs[:: -1 if number % 2 else 1]


class _Bench:
    """One run of one program."""

    def __init__(self, server: Server, program: Program, fills: Sequence[bool]) -> None:
        self._server = server
        self._program = program
        self._fills = fills
        self._at = 0
        server.done(program.check)
        time.sleep(SETTLE)
        server.order(Blast(WARM_UP, "warm"))
        self._calls("warm", WARM_UP)

    def paced(self, total: int) -> list[float]:
        """µs from just before a message is sent until its handler is called: the percentiles."""
        self._server.order(Pace(total, "pace", RATE))
        sent, arrived = self._calls("pace", total)
        took = [(after - before) / 1e3 for before, after in zip(sent, arrived, strict=True)]
        return quantiles(took, n=100)

    def blast(self, total: int) -> float:
        """Messages/s from the first byte into the socket to the last call of a handler."""
        self._server.order(Blast(total, "blast"))
        sent, arrived = self._calls("blast", total)
        return total / (arrived[-1] - sent[0]) * 1e9

    def close(self) -> float:
        """Milliseconds of `close()`."""
        self._server.order(Pace(0, "close", RATE))
        self._server.done(self._program.check)
        return self._program.arrived("close")[0] / 1e6

    def _calls(self, end: str, total: int) -> tuple[array[int], list[int]]:
        """When messages went out, and when the one handler of each was called."""
        sent = self._server.done(self._program.check)
        arrived = self._program.arrived(end)
        fills = self._fills[self._at : self._at + total]
        self._at += total
        found = one_call_each(arrived, fills)
        if len(found) != total:
            raise Broken(f"{self._program.name}: {len(found)} of {total} messages arrived")
        return sent, found


def one_call_each(calls: Sequence[int], fills: Sequence[bool]) -> list[int]:
    """The calls without those for fills that were derived from another message.

    The venue's fills (V1's) come one after the other behind an order; a derived one comes first.
    The peer calls no `on_fill`: it takes V1's fills for orders.
    """
    if not any(call < 0 for call in calls):
        return list(calls)
    found: list[int] = []
    place = 0
    for is_fill in fills:
        if not is_fill:
            # Negative numbers up to the next order: first what was derived, then what is due.
            found.append(calls[place])
            place += 1
            due = 0
            while len(found) + due < len(fills) and fills[len(found) + due]:
                due += 1
            behind = 0
            while place + behind < len(calls) and calls[place + behind] < 0:
                behind += 1
            place += behind - due
        else:
            found.append(-calls[place])
            place += 1
    return found


if __name__ == "__main__":
    command(__doc__, lambda server, sizes: [Service(server, sizes)])
