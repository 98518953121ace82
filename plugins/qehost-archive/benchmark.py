"""`python benchmark.py day.jsonl`: what an event costs in the archive, and what merging a day does.

The events are those of a `qehost journal export -o day.jsonl`.  They are added in batches as the
plugin gets them; then the parts are merged in a process of its own, once as they are and once
with each of them `--copies` times, which shows whether memory grows.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import shutil
import sys
import tempfile
import time
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from qehost.testing import events_from

from qehost_archive.compaction import Compaction
from qehost_archive.dataset import Dataset

LIMIT = 350
"""MB that the process may take."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("file", type=Path)
    parser.add_argument("--copies", type=int, default=4, help="of each part (%(default)s)")
    parser.add_argument("--rows", type=int, default=5_000, help="of a batch (%(default)s)")
    parser.add_argument("--no-raw", action="store_true", help="without the venue's text")
    options = parser.parse_args()
    print(f"python {platform.python_version()}, cores {os.cpu_count()}, load {os.getloadavg()[0]}")
    with tempfile.TemporaryDirectory(dir=options.file.parent) as temporary:
        folder = Path(temporary)
        spawn = get_context("spawn")
        with spawn.Pool(1) as pool:
            pool.apply(add, (folder, options.file, options.rows, not options.no_raw))
        copied = folder / "copied"
        shutil.copytree(folder / "once", copied)
        for part in list(copied.rglob("*.parquet")):
            for number in range(1, options.copies):
                os.link(part, part.with_name(f"{part.stem}-{number}.parquet"))
        for each in (folder / "once", copied):
            with spawn.Pool(1) as pool:
                pool.apply(merge, (each,))


def add(folder: Path, file: Path, rows: int, raw: bool) -> None:
    dataset = Dataset(folder / "once", raw=raw)
    dataset.open()
    count, seconds, wall = 0, 0.0, 0.0
    remaining = events_from(file)
    while chunk := list(islice(remaining, rows)):
        started, started_wall = time.process_time(), time.monotonic()
        dataset.add(chunk)
        seconds += time.process_time() - started
        wall += time.monotonic() - started_wall
        count += len(chunk)
    dataset.close()
    print(
        f"{count:,} events added: {seconds / count * 1e6:.0f} µs of CPU and "
        f"{wall / count * 1e6:.0f} µs each, {size(folder) / count:.0f} bytes"
    )


def merge(folder: Path) -> None:
    dataset = Dataset(folder)
    dataset.open()
    compaction = Compaction(dataset)
    before, started, started_wall = peak(), time.process_time(), time.monotonic()
    count = sum(compaction.merge(partition) for partition in dataset.partitions())
    seconds, wall = time.process_time() - started, time.monotonic() - started_wall
    dataset.close()
    print(
        f"{count:,} events merged: {seconds / count * 1e6:.2f} µs of CPU and "
        f"{wall / count * 1e6:.2f} µs each, {size(folder) / count:.0f} bytes; {peak()}, of which "
        f"{before} before"
    )


def size(folder: Path) -> int:
    return sum(each.stat().st_size for each in folder.rglob("*.parquet"))


def peak() -> str:
    unit = 2**20 if sys.platform == "darwin" else 2**10
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    return f"{megabytes:.0f} MB{' (too much)' if megabytes > LIMIT else ''}"


if __name__ == "__main__":
    main()
