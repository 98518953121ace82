"""`python benchmarks/slow.py`: the other plugins beside one that sleeps 50 ms in each call.

The slow plugin has a process of its own (`process = "slow"`).  The peer has one process, so there
the handlers themselves sleep.  Each figure stands beside that of a run without anything slow.
"""

from __future__ import annotations

from bench import running
from blast import Server
from instrument import Sizes, command, sides
from pipeline import Pipeline
from programs import Qehost
from table import Row

__all__ = ["Slow"]

SECTION = "beside a plugin that sleeps 50 ms a call"
RATE = 500
PEERS_MESSAGES = 40  # it takes about 20 a second
PEERS_WARM_UP = 4


class Slow:
    """`undisturbed` has the figures of the same round without a slow plugin."""

    def __init__(self, server: Server, sizes: Sizes, undisturbed: Pipeline) -> None:
        self._server = server
        self._sizes = sizes
        self._undisturbed = undisturbed
        names = ("p50", "p99")
        self._throughput = Row(SECTION, "throughput of the others", "messages/s", "more")
        self._latency = [
            Row(SECTION, f"latency at {RATE}/s, {share}", "µs", "less") for share in names
        ]
        self._share = Row(SECTION, "throughput / undisturbed", "", "more")
        self._shares = [
            Row(SECTION, f"latency {share} / undisturbed", "", "less") for share in names
        ]

    @property
    def rows(self) -> list[Row]:
        return [self._throughput, *self._latency, self._share, *self._shares]

    def run(self, number: int) -> None:
        for kind in sides():
            if kind is Qehost:
                with running(self._server, kind, slow=True) as bench:
                    took = bench.latencies(RATE, int(RATE * self._sizes.seconds))
                    rate = bench.blast(self._sizes.messages).rate
            else:
                with running(self._server, kind, slow=True, warm_up=PEERS_WARM_UP) as bench:
                    took = bench.latencies(RATE, PEERS_MESSAGES)
                    rate = bench.blast(PEERS_MESSAGES).rate
            undisturbed = [self._undisturbed.throughput, *self._undisturbed.latency[RATE]]
            figures = [rate, took[49], took[98]]
            rows = [self._throughput, *self._latency, self._share, *self._shares]
            for place, figure in enumerate(figures):
                row, share = rows[place], rows[place + len(figures)]
                if kind is Qehost:
                    row.ours.append(figure)
                    share.ours.append(figure / undisturbed[place].ours[number])
                else:
                    row.peers.append(figure)
                    share.peers.append(figure / undisturbed[place].peers[number])


def build(server: Server, sizes: Sizes) -> list[Pipeline | Slow]:
    pipeline = Pipeline(server, sizes)
    return [pipeline, Slow(server, sizes, pipeline)]


if __name__ == "__main__":
    command(__doc__, build)
