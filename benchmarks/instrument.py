"""What measures, and how it is run: in rounds, so that everything takes turns with everything else
and a busy moment of the machine does not fall on one side alone."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import corpus
import peer
from blast import Broken, Server
from programs import Peer, Program, Qehost
from table import Row, as_json, as_text, machine

__all__ = ["Instrument", "Sizes", "carry_out", "command", "in_turn", "options", "say", "sides"]


class Sizes(NamedTuple):
    """How much of everything."""

    messages: int
    """Of a blast."""
    seconds: float
    """Of each pace."""
    idle: float
    """Seconds of doing nothing."""


class Instrument(Protocol):
    """It measures one thing in each round, and has a row for each figure."""

    def run(self, number: int) -> None:
        """Round `number`, from 0."""

    @property
    def rows(self) -> Sequence[Row]: ...


Build = Callable[[Server, Sizes], Sequence[Instrument]]


def sides() -> list[type[Program]]:
    """qehost, and the peer where it is installed."""
    return [Qehost, *([Peer] if peer.version() else [])]


def in_turn(number: int) -> list[type[Program]]:
    """Each goes first as often as the other, give or take one."""
    return sides()[:: -1 if number % 2 else 1]


def options(doc: str | None, *, messages: int = 150_000) -> argparse.ArgumentParser:
    """The options that all have."""
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=5, help="rounds (%(default)s)")
    parser.add_argument(
        "--messages", type=int, default=messages, help="messages of a blast (%(default)s)"
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="of each pace (%(default)s)")
    parser.add_argument("--idle", type=float, default=5.0, help="seconds idle (%(default)s)")
    parser.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="JSON, in place of text or into FILE"
    )
    return parser


def command(doc: str | None, build: Build) -> None:
    """The command line of one instrument, or of several together."""
    chosen = options(doc).parse_args()
    say(*carry_out(chosen, build), chosen.json)


def carry_out(chosen: argparse.Namespace, build: Build) -> tuple[list[Row], dict[str, Any], float]:
    """Measure; the rows, where that was, and how many seconds it took.

    Whatever happens, nothing that was started is left.

    Where something does not do its part, the program ends, and says what and why.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    where, begun = machine(), time.monotonic()
    try:
        with Server(min(corpus.BLOCK, chosen.messages)) as server:
            sizes = Sizes(chosen.messages, chosen.seconds, chosen.idle)
            instruments = build(server, sizes)
            for number in range(chosen.runs):
                for instrument in instruments:
                    _progress(f"round {number + 1} of {chosen.runs}: {type(instrument).__name__}")
                    instrument.run(number)
            _progress("")
    except Broken as broken:
        _progress("")
        sys.exit(f"not measured: {broken}")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    rows = [row for instrument in instruments for row in instrument.rows]
    return rows, where, time.monotonic() - begun


def say(rows: Sequence[Row], where: dict[str, Any], seconds: float, json: str | None) -> None:
    """Print the rows: as text, or as JSON where that is wanted and no file named for it."""
    if json == "-":
        sys.stdout.write(as_json(rows, where, seconds))
        return
    sys.stdout.write(as_text(rows, where, seconds))
    if json:
        Path(json).write_text(as_json(rows, where, seconds), encoding="utf-8")


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
