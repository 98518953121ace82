"""Where an event stands: `kind=…/date=YYYY-MM-DD/part-….parquet`, and in which columns."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import date
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple, get_args

from qehost import ParquetTable
from qehost.messages import AnyEvent, EventKind

__all__ = [
    "ASIDE",
    "KEY",
    "KINDS",
    "NS_PER_DAY",
    "Partition",
    "day_of",
    "part_name",
    "partition_of",
    "partitions",
    "table",
]

KINDS: tuple[EventKind, ...] = get_args(EventKind)
KEY = "account", "journal_id", "seq"
"""The columns that name an event."""
ASIDE = ".qehost"
"""The folder for what is not whole yet, beside those of the kinds."""
NS_PER_DAY = 86_400 * 10**9
EPOCH = date(1970, 1, 1).toordinal()


class Partition(NamedTuple):
    """What is in one folder: the events of a kind that were received on a day in UTC."""

    kind: EventKind
    day: str
    """`2026-11-28`"""

    @property
    def path(self) -> Path:
        """Below the archive's folder."""
        return Path(f"kind={self.kind}", f"date={self.day}")


def partition_of(event: AnyEvent) -> Partition:
    return Partition(event.kind, day_of(event.received_at // NS_PER_DAY))


@lru_cache(maxsize=64)
def day_of(number: int) -> str:
    """Of the days since the epoch."""
    return date.fromordinal(EPOCH + number).isoformat()


def partitions(folder: Path) -> Iterator[Partition]:
    """Those that there are, by kind and day.  Raises OSError."""
    for kind in KINDS:
        below = folder / f"kind={kind}"
        if below.is_dir():
            for each in sorted(below.glob("date=*")):
                yield Partition(kind, each.name.removeprefix("date="))


def part_name(received_at: int) -> str:
    """A name that no other part has; in their order parts are in that of time."""
    return f"part-{received_at:020d}-{secrets.token_hex(4)}.parquet"


@cache
def table(kind: EventKind) -> ParquetTable:
    """The columns of a kind: those of `qehost journal export`, without the kind, which is in the
    path, and with the id of the journal, since `seq` alone names no event for good."""
    columns = [name for name in ParquetTable((kind,)).columns if name != "kind"]
    columns.insert(columns.index("seq") + 1, "journal_id")
    return ParquetTable((kind,), columns)
