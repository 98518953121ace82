"""Which events a partition has, so that what comes again is not written twice.

`(account, journal_id, seq)` never names two events, and an event that comes again was received when
it was received the first time: so it is looked for in one partition, by that name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pyarrow.parquet import ParquetFile
from qehost.messages import AnyEvent

from qehost_archive.layout import KEY

__all__ = ["WrittenEvents"]

PAGE_BITS = 12


class WrittenEvents:
    """A bit for each event: numbers follow one another, so a million take 0.2 MB."""

    def __init__(self) -> None:
        self._pages: dict[tuple[str, str, int], int] = {}

    def __len__(self) -> int:
        return sum(map(int.bit_count, self._pages.values()))

    def read(self, file: ParquetFile) -> None:
        """Add those of a part."""
        for batch in file.iter_batches(columns=list(KEY)):
            accounts, journals, numbers = (batch.column(name).to_pylist() for name in KEY)
            for account, journal_id, seq in zip(accounts, journals, numbers, strict=True):
                self._add(account, journal_id, seq)

    def add(self, events: Iterable[AnyEvent]) -> None:
        for event in events:
            self._add(event.account, event.journal_id, event.seq)

    def missing(self, events: Sequence[AnyEvent]) -> list[AnyEvent]:
        """Those that are not here, each once."""
        fresh = {
            (event.account, event.journal_id, event.seq): event
            for event in events
            if not self._has(event)
        }
        return list(fresh.values())

    def _add(self, account: str, journal_id: str, seq: int) -> None:
        page = account, journal_id, seq >> PAGE_BITS
        self._pages[page] = self._pages.get(page, 0) | 1 << (seq & (1 << PAGE_BITS) - 1)

    def _has(self, event: AnyEvent) -> bool:
        page = event.account, event.journal_id, event.seq >> PAGE_BITS
        return bool(self._pages.get(page, 0) >> (event.seq & (1 << PAGE_BITS) - 1) & 1)
