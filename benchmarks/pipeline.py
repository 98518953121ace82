"""`python benchmarks/pipeline.py`: from a socket to a plugin's hook, through `qehost run`.

Throughput of a blast, and latency of messages that come at a pace; beside them the peer on the same
bytes, in turns.  See README.md.
"""

from __future__ import annotations

import argparse
import subprocess
import time
from array import array
from statistics import quantiles

import peer
from blast import Accept, Blast, Pace, Server
from programs import Peer, Program, Qehost, qehost_command
from table import Row, show

RATES = (500, 5_000)
WARM_UP = 1_000  # messages before anything is measured
SETTLE = 0.5  # seconds between connecting and the first message


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=5, help="alternating runs (%(default)s)")
    parser.add_argument("--messages", type=int, default=150_000, help="of a blast (%(default)s)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each pace (%(default)s)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    throughput = Row("throughput", "messages/s", "more")
    latency = [
        (rate, [Row(f"latency at {rate}/s, {share}", "µs", "less") for share in ("p50", "p99")])
        for rate in RATES
    ]
    start = Row("qehost --help", "ms", "less")
    paced = sum(int(rate * options.seconds) for rate in RATES)
    programs: list[type[Program]] = [Qehost, *([Peer] if peer.version() else [])]
    with Server(WARM_UP + paced + options.messages) as server:
        for run in range(options.runs):
            start.ours.append(_help())
            # Each goes first as often as the other, give or take one.
            for kind in programs[:: -1 if run % 2 else 1]:
                server.order(Accept())
                with kind(server.url) as program:
                    bench = _Bench(server, program)
                    for rate, rows in latency:
                        figures = bench.latency(rate, int(rate * options.seconds))
                        for row, figure in zip(rows, figures, strict=True):
                            _side(row, kind).append(figure)
                    _side(throughput, kind).append(bench.throughput(options.messages))
    rows = [throughput, *(row for _, rows in latency for row in rows), start]
    show(rows, options.json)


class _Bench:
    """One run of one program."""

    def __init__(self, server: Server, program: Program) -> None:
        self._server = server
        self._program = program
        server.done(program.check)
        time.sleep(SETTLE)
        server.order(Blast(WARM_UP, "warm"))
        self._arrivals("warm", WARM_UP)

    def throughput(self, total: int) -> float:
        """Messages/s from the first byte into the socket to the last call of a hook."""
        self._server.order(Blast(total, "blast"))
        sent, arrived = self._arrivals("blast", total)
        return total / (arrived[-1] - sent[0]) * 1e9

    def latency(self, rate: int, total: int) -> tuple[float, float]:
        """µs from just before a message is sent until its hook is called: p50 and p99."""
        self._server.order(Pace(total, f"pace-{rate}", rate))
        sent, arrived = self._arrivals(f"pace-{rate}", total)
        # Every message makes exactly one call, and in their order.
        took = [after - before for before, after in zip(sent, arrived, strict=True)]
        cuts = quantiles(took, n=100)
        return cuts[49] / 1e3, cuts[98] / 1e3

    def _arrivals(self, end: str, total: int) -> tuple[array[int], array[int]]:
        sent = self._server.done(self._program.check)
        arrived = self._program.arrived(end)
        if len(arrived) != total:
            raise RuntimeError(f"{self._program.name}: {len(arrived)} of {total} messages arrived")
        return sent, arrived


def _side(row: Row, kind: type[Program]) -> list[float]:
    return row.ours if kind is Qehost else row.peers


def _help() -> float:
    """Milliseconds of `qehost --help`."""
    begin = time.perf_counter()
    subprocess.run([qehost_command(), "--help"], check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - begin) * 1e3


if __name__ == "__main__":
    main()
