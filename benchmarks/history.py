"""`python benchmarks/history.py`: what reading a journal's past costs, in µs of CPU an event.

The events were written one by one, as at 20 messages a second, which is the dearest way to read
them.  Beside it Python's `json` reads the same texts, the outer object and the inner one, and
nothing else.  The journal is written anew unless `--folder` has one.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import corpus

from qehost.blotter import Blotter
from qehost.events import wire
from qehost.events.codec import encode_events, first_seq, last_seq
from qehost.events.pipeline import Pipeline
from qehost.storage.journal import Journal, JournalReader
from qehost.storage.journal.history import JournalHistory, range_of
from qehost.storage.journal.layout import segments
from qehost.storage.journal.open_orders import keep_open_orders

EVERYTHING = 2**62


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--events", type=int, default=200_000, help="in the journal (%(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="alternating runs (%(default)s)")
    parser.add_argument("--folder", type=Path, help="the journal, kept for the next time")
    options = parser.parse_args()
    print(f"python {platform.python_version()}, cores {os.cpu_count()}, load {os.getloadavg()[0]}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary) / "journal"
        if not segments(folder):
            write(folder, options.events)
        measure(folder, options.runs)


def write(folder: Path, events: int) -> None:
    """The messages of the corpus, each read of the socket one, over and over."""
    texts = [text.decode() for text in corpus.messages(min(events, corpus.BLOCK))]
    at, pipeline = time.time_ns(), Pipeline("main")
    with Journal(folder) as journal:
        while pipeline.next_seq <= events:
            # To the next pipeline the same messages are new.
            pipeline = Pipeline("main", pipeline.next_seq)
            for text in texts:
                at += 1_000_000
                if records := pipeline.feed([text], at):
                    numbers = first_seq(records[0]), last_seq(records[-1])
                    journal.append(encode_events(records), *numbers, at, at)


def measure(folder: Path, runs: int) -> None:
    with JournalReader(folder) as reader:
        events = reader.last_seq()
    consume(folder, limit=5_000)
    before = largest_memory()
    consume(folder)
    grown = largest_memory() - before
    raws = [event.raw for event in past(folder, limit=20_000)]

    def by_json() -> None:
        for raw in raws:
            if raw:
                json.loads(json.loads(raw)["data"])

    def states() -> None:
        path = segments(folder)[-1]
        path.with_suffix(".orders").unlink(missing_ok=True)
        keep_open_orders(folder, path)

    ways: dict[str, tuple[Callable[[], object], int]] = {
        "events": (lambda: consume(folder), events),
        "events with detail": (lambda: consume(folder, wire.detail), events),
        "master orders alone": (lambda: consume(folder, kinds=["master_order"]), events),
        "fills alone": (lambda: consume(folder, kinds=["fill"]), events),
        "open orders (made once for a file)": (states, events),
        "json.loads of the texts": (by_json, len(raws)),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, (way, count) in ways.items():
            begun = time.process_time()
            way()
            taken[name].append((time.process_time() - begun) * 1e6 / count)
    peer = median(taken["json.loads of the texts"])
    print(f"\n{f'{events:,} events written one by one':<36}{'µs an event':>14}", end="")
    print(f"{'a million':>12}{'json / it':>12}")
    for name, each in taken.items():
        cost = median(each)
        print(f"{name:<38}{cost:>12.2f}{cost:>10.1f} s{peer / cost:>12.1f}")
    print(f"\nmemory that reading all events took: {grown:.1f} MB")
    for since in (1_000, 20_000):
        cost = go_on(folder, events, since)
        print(f"a Blotter that was dumped {since:,} events ago is level after {cost:.2f} s of CPU")


def go_on(folder: Path, last_seq: int, since: int) -> float:
    """Load a dump and read what came after it, as a plugin does at its start."""
    blotter, at = Blotter(), max(1, last_seq - since)
    blotter.add_all(past(folder, after_seq=max(0, at - since), before_seq=at + 1))
    dump = blotter.dump()
    begun = time.process_time()
    level = Blotter()
    level.load(dump)
    level.add_all(past(folder, after_seq=level.seq["main"]))
    return time.process_time() - begun


def largest_memory() -> float:
    """Of this process so far, MB."""
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def past(folder: Path, **selection: object) -> JournalHistory:
    return JournalHistory(folder, range_of(**selection), EVERYTHING)  # type: ignore[arg-type]


def consume(
    folder: Path, each: Callable[[object], object] = lambda event: None, **selection: object
) -> None:
    for event in past(folder, **selection):
        each(event)


if __name__ == "__main__":
    main()
