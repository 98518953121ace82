"""`python benchmarks/pipeline.py`: from a socket to a plugin's hook, through `qehost run`.

Throughput of a blast and its CPU time in each form of the wire, latency of messages that come at a
pace, and the start; beside them the peer on the same bytes, in turns.  See README.md.
"""

from __future__ import annotations

import subprocess
import time
from dataclasses import replace
from statistics import median

from bench import Bench, running
from blast import Server
from corpus import BLOCK, FORMS, MIXED
from instrument import Sizes, command, in_turn
from programs import Program, Qehost, qehost_command
from table import Row

__all__ = ["Pipeline"]

SECTION = "whole program"
RATES = (500, 5_000)
CPU = {"connection": "connection process", "host": "host process", "supervisor": "supervisor"}


class Pipeline:
    def __init__(self, server: Server, sizes: Sizes) -> None:
        self._server = server
        self._sizes = sizes
        self.throughput = Row(SECTION, f"throughput, {MIXED}", "messages/s", "more")
        self.latency = {
            rate: [
                Row(SECTION, f"latency at {rate}/s, {share}", "µs", "less")
                for share in ("p50", "p99")
            ]
            for rate in RATES
        }
        self._spinning = {
            rate: [
                Row(SECTION, f"latency at {rate}/s with host.spin, {share}", "µs", "less")
                for share in ("p50", "p99")
            ]
            for rate in RATES
        }
        self._cpu = Row(SECTION, "CPU of a message", "µs", "less")
        self._cpu_of = {
            role: Row(SECTION, f"CPU of a message, {name}", "µs", "less")
            for role, name in CPU.items()
        }
        self._forms = [_Form(form, sizes) for form in FORMS if form != MIXED]
        self._start = Row(SECTION, "start to first message", "ms", "less")
        self._help = Row(SECTION, "qehost --help", "ms", "less")

    @property
    def rows(self) -> list[Row]:
        latency = [
            row
            for by_rate in (self.latency, self._spinning)
            for rows in by_rate.values()
            for row in rows
        ]
        cpu = [self._cpu, *self._cpu_of.values()]
        of_forms = [form.throughput for form in self._forms]
        # What is said of all is what is so for the worst.
        rows = [_worst([self.throughput, *of_forms]), self.throughput, *of_forms, *latency, *cpu]
        rows += [row for form in self._forms for row in form.cpu]
        return [*rows, self._start, self._help]

    def run(self, number: int) -> None:
        self._help.ours.append(_help())
        with running(self._server, Qehost, spin=True) as bench:
            self._latencies(bench, Qehost, self._spinning)
        for kind in in_turn(number):
            with running(self._server, kind) as bench:
                _side(self._start, kind).append(bench.start)
                self._latencies(bench, kind, self.latency)
                taken = bench.blast(self._sizes.messages)
                for form in self._forms:
                    form.run(bench, kind)
            _side(self.throughput, kind).append(taken.rate)
            if taken.cpu:
                _side(self._cpu, kind).append(sum(taken.cpu.values()))
            for role, row in self._cpu_of.items():
                if role in taken.cpu:
                    row.ours.append(taken.cpu[role])

    def _latencies(self, bench: Bench, kind: type[Program], rows_of: dict[int, list[Row]]) -> None:
        for rate, rows in rows_of.items():
            took = bench.latencies(rate, int(rate * self._sizes.seconds))
            for row, figure in zip(rows, (took[49], took[98]), strict=True):
                _side(row, kind).append(figure)
                if kind is not Qehost:
                    # Beside it as well: the peer has nothing like it.
                    self._spinning[rate][rows.index(row)].peers.append(figure)


class _Form:
    """The rows of one form of the wire beside `MIXED`."""

    def __init__(self, name: str, sizes: Sizes) -> None:
        self._name = name
        self._messages = min(sizes.messages, BLOCK)
        self.throughput = Row(SECTION, f"throughput, {name}", "messages/s", "more")
        self._cpu = Row(SECTION, f"CPU of a message, {name}", "µs", "less")
        self._cpu_of = {
            role: Row(SECTION, f"CPU of a message, {name}, {process}", "µs", "less")
            for role, process in CPU.items()
            if role != "supervisor"
        }

    @property
    def cpu(self) -> list[Row]:
        return [self._cpu, *self._cpu_of.values()]

    def run(self, bench: Bench, kind: type[Program]) -> None:
        taken = bench.blast(self._messages, self._name)
        _side(self.throughput, kind).append(taken.rate)
        if taken.cpu:
            _side(self._cpu, kind).append(sum(taken.cpu.values()))
        for role, row in self._cpu_of.items():
            if role in taken.cpu:
                row.ours.append(taken.cpu[role])


def _worst(throughputs: list[Row]) -> Row:
    """The figures of that form in which qehost is the least better, or slowest without a peer."""
    measured = [row for row in throughputs if row.ours]
    if not measured:
        return Row(SECTION, "throughput", "messages/s", "more")
    worst = min(measured, key=lambda row: (row.ratio or 0.0, median(row.ours)))
    return replace(worst, name="throughput")


def _side(row: Row, kind: type[Program]) -> list[float]:
    return row.ours if kind is Qehost else row.peers


def _help() -> float:
    """Milliseconds of `qehost --help`."""
    begin = time.perf_counter()
    subprocess.run([qehost_command(), "--help"], check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - begin) * 1e3


if __name__ == "__main__":
    command(__doc__, lambda server, sizes: [Pipeline(server, sizes)])
