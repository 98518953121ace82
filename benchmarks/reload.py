"""`python benchmarks/reload.py`: what new plugins cost, with `qehost reload` and with a restart.

The local venue sends numbered messages, `qehost run` hands them to a plugin that writes each one
down, and the plugin is replaced again and again.  Measured, as the plugin sees it: from the last
event that the old process delivered to the first of the new one; and what was lost, what came
twice, and what came out of order.

The peer is what one does without a reload: stop the program (SIGTERM) and start it again.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from recovery import SINK, Delivered, Sender, Sink

from qehost.simulator import Venue

QEHOST = [sys.executable, "-c", "from qehost.cli import main; main()"]


class Found(NamedTuple):
    gaps: list[float]
    """Seconds."""
    sent: int
    delivered: list[Delivered]

    def row(self) -> str:
        gaps = [f"{seconds * 1000:.0f}" for seconds in sorted(self.gaps)]
        numbers = [each.number for each in self.delivered]
        lost = self.sent - len(set(numbers))
        twice = sum(count - 1 for count in Counter(numbers).values())
        disorder = sum(a > b for a, b in pairwise(numbers))
        median = statistics.median(self.gaps) * 1000
        return (
            f"{median:>9.0f} {gaps[0]:>6} {gaps[-1]:>6} {lost:>8,} {twice:>8,} {disorder:>8,}"
            f" {self.sent:>9,}"
        )


class Program:
    """`qehost run` with the plugin."""

    def __init__(self, folder: str, venue: Venue) -> None:
        self._folder = folder
        self._command = [
            *QEHOST, "run", "-p", "sink", "--state-dir", "state", "--log-level", "critical",
            "--ws-url", venue.ws_url, "--rest-url", venue.rest_url,
        ]  # fmt: skip
        self._env = {
            **os.environ,
            "QEHOST_API_KEY": venue.api_key,
            "QEHOST_API_SECRET": venue.api_secret,
        }
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command, cwd=self._folder, env=self._env, stdout=subprocess.DEVNULL
        )

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()

    def reload(self) -> None:
        command = [*QEHOST, "reload", "--state-dir", "state"]
        subprocess.run(command, cwd=self._folder, check=True, stdout=subprocess.DEVNULL)

    def restart(self) -> None:
        self.stop()
        self.start()


@contextlib.contextmanager
def running(venue: Venue) -> Iterator[tuple[Program, Sink]]:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "sink.py").write_text(SINK)
        program = Program(folder, venue)
        try:
            venue.wait_connected()
            yield program, Sink(Path(folder) / "delivered")
        finally:
            program.stop()


def measure(times: int, rate: float, replace: Callable[[Program], None]) -> Found:
    rng = random.Random(7)
    with Venue(remember=0) as venue, running(venue) as (program, sink):
        sender = Sender(venue, rate)
        sender.start()
        pid = sink.wait_for_another(0).pid
        gaps = []
        for _ in range(times):
            time.sleep(rng.uniform(0.2, 0.5))
            replace(program)
            first = sink.wait_for_another(pid)
            last = next(each for each in reversed(sink.all) if each.pid == pid)
            gaps.append(first.at - last.at)
            pid = first.pid
        sender.stop()
        known = 0
        # What is still on its way comes within a second, or does not come.
        while len(sink.all) > known or not known:
            known = len(sink.all)
            time.sleep(1.0)
            sink.look()
        return Found(gaps, sender.sent, sink.all)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=20, help="reloads, and restarts")
    parser.add_argument("--rate", type=float, default=500.0, help="messages a second")
    options = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}; {options.rate:g} messages a second\n")
    print("                 gap (ms)  least  most     lost    twice disorder  messages")
    medians = []
    for name, replace in (("qehost reload", Program.reload), ("a restart", Program.restart)):
        found = measure(options.times, options.rate, replace)
        medians.append(statistics.median(found.gaps))
        print(f"{name:<15} {found.row()}", flush=True)
    print(f"\nratio of the gaps: {medians[1] / medians[0]:.1f}")


if __name__ == "__main__":
    main()
