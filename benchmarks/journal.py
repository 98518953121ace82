"""`python benchmarks/journal.py`: what the journal costs, in µs a message.

The connection process's own path, from the text of a message to the encoded batch: decoding,
duplicates, derived fills, encoding; with the journal and without it, by turns.  The file stands
where `--folder` says; the default is the system's folder for temporary files, which should be on a
disk.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Literal

import corpus

from qehost.connection.publisher import Publisher
from qehost.events.pipeline import Pipeline
from qehost.storage.journal import Journal

QUEUE_BYTES = 8 << 20
# How many messages one read of the socket brings: one by one, and under load.
BATCHES = (1, 64)


class Nowhere:
    """The journal that costs nothing."""

    def append(self, *_: object) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=5, help="alternating runs (%(default)s)")
    parser.add_argument("--messages", type=int, default=20_000, help="a run (%(default)s)")
    parser.add_argument("--folder", type=Path, help="where the journal is written")
    options = parser.parse_args()
    texts = [text.decode() for text in corpus.messages(options.messages)]

    print(f"python {platform.python_version()}, cores {os.cpu_count()}, load {os.getloadavg()[0]}")
    print(f"{'':34}{'µs a message':>14}{'without':>10}{'ratio':>8}{'p99 of an append':>20}")
    durabilities: tuple[Literal["process", "power"], ...] = ("process", "power")
    for durability in durabilities:
        for batch in BATCHES:
            # A disk syncs some thousand times a second at best.
            part = texts[: len(texts) // 20] if (durability, batch) == ("power", 1) else texts
            with_it: list[float] = []
            without: list[float] = []
            appends: list[float] = []
            for _ in range(options.runs):
                with (
                    tempfile.TemporaryDirectory(dir=options.folder) as folder,
                    Journal(Path(folder), durability) as journal,
                ):
                    with_it.append(measure(Timed(journal, appends), part, batch))
                without.append(measure(Nowhere(), part, batch))
            on, off = median(with_it), median(without)
            name = f"durability {durability}, batches of {batch}"
            p99 = quantiles(appends, n=100)[98] * 1e6
            print(f"{name:<34}{on:>14.1f}{off:>10.1f}{on / off:>8.2f}{p99:>17,.0f} µs")


class Timed:
    """Notes how long each append takes; that costs a tenth of a microsecond."""

    def __init__(self, journal: Journal, times: list[float]) -> None:
        self._journal = journal
        self._times = times

    def append(self, *batch: object) -> None:
        begun = time.perf_counter()
        self._journal.append(*batch)  # type: ignore[arg-type]
        self._times.append(time.perf_counter() - begun)


def measure(journal: Nowhere | Timed, texts: list[str], batch: int) -> float:
    pipeline = Pipeline("main")
    publisher = Publisher(journal, QUEUE_BYTES, time.monotonic)
    begun = time.perf_counter()
    for at in range(0, len(texts), batch):
        publisher.emit(pipeline.feed(texts[at : at + batch], 1))
    took = time.perf_counter() - begun
    publisher.close()
    return took * 1e6 / len(texts)


if __name__ == "__main__":
    main()
