"""`python benchmarks/memory.py`: what the processes take at rest and after many messages.

With more `--messages` than that, or `--every`: `qehost run` gets so many, and its memory is printed
after each `--every`.  The journal is pruned by hand in between (`qehost journal prune`), so that
the disk need not hold them all.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TextIO

from bench import Bench, running
from blast import Server
from instrument import Sizes, carry_out, in_turn, options, say
from processes import MEMORY
from programs import Program, Qehost, qehost_command
from table import Row, as_json

__all__ = ["Checkpoint"]

SECTION = "memory and idling"
LONG_RUN = "long run"
ROLES = ("connection", "host", "supervisor")
NAMES = {"all": "", **{role: f", {role} process" for role in ROLES}}
MESSAGES = 200_000
"""After so many the connection process remembers as many ids and orders as it ever will."""
EVERY = 500_000
PART = 100_000  # messages that are sent at once
SETTLED = 1.0  # seconds after which the start is over
KEEP = "256M"


class Checkpoint:
    """Measured in the first round alone: nothing takes turns with doing nothing."""

    def __init__(self, server: Server, sizes: Sizes) -> None:
        # As many as are worth it, but in a short run as few as everywhere.
        messages = MESSAGES if sizes.messages >= PART else sizes.messages
        self._server = server
        self._sizes = sizes
        self._counts = {"after the start": 0}
        self._counts |= {f"after {n:,} messages": n for n in (messages, 3 * messages)}
        self._memory = {
            count: {
                role: Row(SECTION, f"memory {when}{name}", "MiB", "less", count)
                for role, name in NAMES.items()
            }
            for when, count in self._counts.items()
        }
        self._idle = Row(SECTION, "idle CPU", "% of a core", "less")

    @property
    def rows(self) -> list[Row]:
        return [*(row for rows in self._memory.values() for row in rows.values()), self._idle]

    def run(self, number: int) -> None:
        if number:
            return
        for kind in in_turn(number):
            with running(self._server, kind) as bench:
                time.sleep(SETTLED)
                idle = bench.idle(self._sizes.idle)
                if idle is not None:
                    (self._idle.ours if kind is Qehost else self._idle.peers).append(idle)
                sent = 0
                for count, rows in self._memory.items():
                    _send(bench, count - sent)
                    sent = count
                    self._note(kind, bench.memory(), rows)

    @staticmethod
    def _note(kind: type[Program], memory: dict[str, float], rows: dict[str, Row]) -> None:
        if kind is Qehost:
            for role, row in rows.items():
                row.ours.append(memory[role])
        else:
            rows["all"].peers.append(memory["all"])


class LongRun:
    """`total` messages through one `qehost run`; a line for each `every` of them."""

    def __init__(self, server: Server, total: int, every: int, out: TextIO) -> None:
        self._server = server
        self._total = total
        self._every = every
        self._out = out
        self.rows: list[Row] = []

    def run(self, number: int) -> None:
        with running(self._server, Qehost) as bench:
            heads = (f"{role:>10}" for role in (*ROLES, "all"))
            print(f"{'messages':>12}", *heads, f" MiB, {MEMORY}", file=self._out)
            self._look(bench, 0)
            for sent in range(self._every, self._total + 1, self._every):
                _send(bench, self._every)
                self._look(bench, sent)
                _prune(bench.program)
        self._tell_growth()

    def _look(self, bench: Bench, sent: int) -> None:
        memory = bench.memory()
        for role, name in NAMES.items():
            row = Row(LONG_RUN, f"memory after {sent:,} messages{name}", "MiB", "less", sent)
            row.ours.append(memory[role])
            self.rows.append(row)
        shown = (f"{memory[role]:>10.1f}" for role in (*ROLES, "all"))
        print(f"{sent:>12,}", *shown, file=self._out, flush=True)

    def _tell_growth(self) -> None:
        """What the second half of the messages has added: next to nothing, if memory is flat."""
        every = len(NAMES)
        looks = [self.rows[place : place + every] for place in range(0, len(self.rows), every)]
        middle, last = looks[(len(looks) - 1) // 2], looks[-1]
        grown = {
            role: after.ours[0] - before.ours[0]
            for role, before, after in zip(NAMES, middle, last, strict=True)
        }
        shown = (f"{grown[role]:>+10.1f}" for role in (*ROLES, "all"))
        print(f"{'second half':>12}", *shown, file=self._out)


def _send(bench: Bench, total: int) -> None:
    while total:
        part = min(total, PART)
        bench.warm_up(part)
        total -= part


def _prune(program: Program) -> None:
    assert isinstance(program, Qehost)
    subprocess.run(
        [
            *(qehost_command(), "journal", "prune", "--keep-size", KEEP),
            *("--state-dir", str(program.state_dir)),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )


def main() -> None:
    parser = options(__doc__, messages=MESSAGES)
    parser.add_argument("--every", type=int, help=f"messages between two lines ({EVERY:,})")
    chosen = parser.parse_args()
    if chosen.messages <= MESSAGES and not chosen.every:
        say(*carry_out(chosen, lambda server, sizes: [Checkpoint(server, sizes)]), chosen.json)
        return
    chosen.runs = 1
    every = chosen.every or EVERY
    out = sys.stderr if chosen.json == "-" else sys.stdout
    rows, where, seconds = carry_out(
        chosen, lambda server, _: [LongRun(server, chosen.messages, every, out)]
    )
    # As text it has been told already.
    if chosen.json == "-":
        say(rows, where, seconds, chosen.json)
    elif chosen.json:
        Path(chosen.json).write_text(as_json(rows, where, seconds), encoding="utf-8")


if __name__ == "__main__":
    main()
