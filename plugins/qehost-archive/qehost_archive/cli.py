"""`qehost archive`: look at the archive, merge its days, fill it up."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import groupby, islice
from operator import attrgetter

import click
from qehost import Context, Error, plugin_command
from qehost.messages import AnyEvent

from qehost_archive.compaction import Compaction
from qehost_archive.dataset import Dataset, part_file
from qehost_archive.layout import Partition
from qehost_archive.settings import folder_of
from qehost_archive.written import WrittenEvents

__all__ = ["command"]

WRONG = 1
CHUNK = 5_000
"""Events that are added at once."""


@click.group()
def command() -> None:
    """Look at the Parquet archive, merge its days, fill it up."""


@command.command()
@plugin_command("archive")
def check(context: Context) -> None:
    """Read all of it: is every file whole, is no event there twice?

    Ends with 1 if not. A running qehost may go on.
    """
    with _told():
        dataset = Dataset(folder_of(context))
        problems: list[str] = []
        for kind, days in groupby(dataset.partitions(), attrgetter("kind")):
            found = [_read(dataset, day, problems) for day in days]
            files, rows = (sum(numbers) for numbers in zip(*found, strict=True))
            click.echo(f"{kind}: {rows:,} rows, {len(found):,} days, {files:,} files")
    for problem in problems:
        click.echo(problem, err=True)
    if problems:
        sys.exit(WRONG)
    click.echo(f"{dataset.folder}: all files are whole, no event is there twice")


def _read(dataset: Dataset, partition: Partition, problems: list[str]) -> tuple[int, int]:
    """How many files and rows it has."""
    parts, found, rows = dataset.parts(partition), WrittenEvents(), 0
    for part in parts:
        try:
            with part_file(part) as file:
                found.read(file)
                rows += file.metadata.num_rows
        except FileNotFoundError:  # merged just now: all is read anew
            return _read(dataset, partition, problems)
        except OSError as error:
            problems.append(str(error))
    if rows != len(found):
        problems.append(f"{partition.path}: {rows - len(found):,} rows are there twice")
    return len(parts), rows


@command.command()
@plugin_command("archive")
def compact(context: Context) -> None:
    """Merge each day that is over into one file for each kind.

    A running qehost does this by itself, and has the archive to itself.
    """
    with _told(), _opened(context) as dataset:
        compaction = Compaction(dataset)
        for partition in compaction.due(time.time()):
            count = compaction.merge(partition)
            click.echo(f"{partition.path}: {count:,} rows in one file")


@command.command()
@click.option("--days", type=click.FloatRange(0, min_open=True), help="The last so many; or all.")
@click.option("--dry-run", is_flag=True, help="Count them only.")
@plugin_command("archive")
def backfill(context: Context, days: float | None, dry_run: bool) -> None:
    """Add what the journal has and the archive does not: after it was restored from a copy, or to
    have what came before the plugin was there.
    """
    since = datetime.now(UTC) - timedelta(days=days) if days else datetime.fromtimestamp(0, UTC)
    first = since.timestamp() * 1e9
    with _told(), _opened(context) as dataset:
        for account in context.accounts:
            # In front of them come the orders that were open then, as they were received earlier.
            past = context.history(account, since=since)
            events = (event for event in past if event.received_at >= first)
            count = sum(
                len(dataset.missing(chunk)) if dry_run else dataset.add(chunk)
                for chunk in _chunks(events)
            )
            click.echo(f"{account}: {count:,} events {'are missing' if dry_run else 'added'}")


def _chunks(events: Iterator[AnyEvent]) -> Iterator[Sequence[AnyEvent]]:
    while chunk := list(islice(events, CHUNK)):
        yield chunk


@contextmanager
def _opened(context: Context) -> Iterator[Dataset]:
    dataset = Dataset(folder_of(context), raw=context.config.raw)
    dataset.open()
    try:
        yield dataset
    finally:
        dataset.close()


@contextmanager
def _told() -> Iterator[None]:
    """What the system refuses is one line for the user."""
    try:
        yield
    except OSError as error:
        raise Error(f"the archive: {error}") from error
