"""Days that are over, merged into one file for each kind."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow

from qehost_archive.dataset import Dataset, part_file
from qehost_archive.layout import NS_PER_DAY, Partition, day_of
from qehost_archive.rows import conformed, is_current, writer

__all__ = ["Compaction", "Compactor", "Stopped"]

MANY = 200
"""Parts of a day that are merged before it is over, so that reading it stays fast."""
LARGE = 16 * 2**20
"""Bytes of a file that is left alone until its day is over: merging it again and again with what
came since would cost more each time."""
LATE = 15 * 60.0
"""Seconds after midnight (UTC) for what was received before it."""
QUIET = 60.0
"""Seconds since its newest part after which a day is merged: while it grows, it would be merged for
nothing."""
ROW_GROUP = 32_768
"""Rows that are read, and written, at a time."""
EVERY = 60.0
"""Seconds between two looks."""


class Stopped(Exception):
    """It was to stop, and everything is as it was."""


class Compaction:
    """Merges what is due in a dataset.  `stopping` is asked between two steps."""

    def __init__(self, dataset: Dataset, stopping: Callable[[], bool] = lambda: False) -> None:
        self._dataset = dataset
        self._stopping = stopping
        self._settled: dict[Partition, Path] = {}
        """Those that are one file, with all columns of today."""

    def due(self, now: float) -> list[Partition]:
        """Those to be merged at this time (epoch seconds).  Raises OSError."""
        return [each for each in self._dataset.partitions() if self._is_due(each, now)]

    def _is_due(self, partition: Partition, now: float) -> bool:
        parts = self._dataset.parts(partition)
        if not is_over(partition, now):
            return len(parts) > MANY and len(_small(parts)) > MANY
        if not parts or [self._settled.get(partition)] == parts:
            return False
        if now - max(part.stat().st_mtime for part in parts) < QUIET:
            return False
        if len(parts) == 1 and is_current(partition.kind, schema_of(parts[0])):
            self._settled[partition] = parts[0]
            return False
        return True

    def merge(self, partition: Partition, *, is_over: bool = True) -> int:
        """Make one file of its parts; while its day is not over, of the small ones.  Returns its
        rows; 0, where other parts have come meanwhile.

        Raises OSError and Stopped.
        """
        parts = self._dataset.parts(partition)
        merged = parts if is_over else _small(parts)
        with self._dataset.replacement(partition) as folder:
            for part in parts:
                if part not in merged:
                    os.link(part, folder / part.name)
            count = self._write(partition, merged, folder / merged[0].name)
            return count if self._dataset.replace(partition, parts, folder) else 0

    def _write(self, partition: Partition, parts: Sequence[Path], target: Path) -> int:
        count, waiting = 0, 0
        gathered: list[Any] = []
        with writer(partition.kind, target) as file:

            def write() -> None:
                file.write_table(pyarrow.concat_tables(gathered), row_group_size=ROW_GROUP)
                gathered.clear()

            for part in parts:
                with part_file(part) as source:
                    for data in _tables(source):
                        if self._stopping():
                            raise Stopped
                        gathered.append(conformed(partition.kind, data))
                        count += len(data)
                        waiting += len(data)
                        if waiting >= ROW_GROUP:
                            write()
                            waiting = 0
            if gathered:
                write()
        return count


class Compactor:
    """Merges in a thread of its own what is due.  `problem` is told what went wrong, or `""`."""

    def __init__(
        self, dataset: Dataset, problem: Callable[[str], None], log: logging.Logger
    ) -> None:
        self._stop = threading.Event()
        self._compaction = Compaction(dataset, self._stop.is_set)
        self._problem = problem
        self._log = log
        self._thread = threading.Thread(target=self._run, name="qehost archive", daemon=True)
        self._thread.start()

    def stop(self, seconds: float = 5.0) -> None:
        """What is being merged stays as it was."""
        self._stop.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._look()
            except Stopped:
                return
            except OSError as error:
                self._problem(f"nothing can be merged: {error}")
            self._stop.wait(EVERY)

    def _look(self) -> None:
        problems = []
        now = time.time()
        for partition in self._compaction.due(now):
            started = time.monotonic()
            try:
                count = self._compaction.merge(partition, is_over=is_over(partition, now))
            except OSError as error:
                problems.append(f"{partition.path} can't be merged: {error}")
                continue
            if count:
                seconds = time.monotonic() - started
                self._log.info("%s: %d rows in one file, %.1f s", partition.path, count, seconds)
        self._problem("; ".join(problems))


def is_over(partition: Partition, now: float) -> bool:
    """Whether nothing more is to be expected of its day at this time (epoch seconds)."""
    return partition.day < day_of(int(now - LATE) * 10**9 // NS_PER_DAY)


def _small(parts: Sequence[Path]) -> list[Path]:
    return [part for part in parts if part.stat().st_size < LARGE]


def _tables(file: Any) -> Iterator[Any]:
    """What is in a `ParquetFile`, in pieces of at most `ROW_GROUP` rows.

    Whole row groups: in batches they take a fifth longer to read.
    """
    for number in range(file.num_row_groups):
        if file.metadata.row_group(number).num_rows <= ROW_GROUP:
            yield file.read_row_group(number)
        else:
            for batch in file.iter_batches(ROW_GROUP, row_groups=[number]):
                yield pyarrow.Table.from_batches([batch])


def schema_of(part: Path) -> Any:
    """Raises OSError."""
    with part_file(part) as file:
        return file.schema_arrow
