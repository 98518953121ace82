"""The archive's folder, in which nothing but whole files ever stands, and no event twice.

What is not whole yet lies in `.qehost` beside the kinds' folders: a part is written there, synced
and renamed to its place; a day that was merged is made there as a folder, and exchanged with the
one of its parts.  So whatever is killed leaves what was before or what is after, and all that is
left in `.qehost` is to be thrown away.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from pyarrow import ArrowException
from pyarrow.parquet import ParquetFile
from qehost.errors import EventsRefused
from qehost.messages import AnyEvent

from qehost_archive.folders import exchange, sync
from qehost_archive.layout import ASIDE, Partition, part_name, partition_of, partitions
from qehost_archive.rows import rows, writer
from qehost_archive.written import WrittenEvents

__all__ = ["Dataset", "InUseError", "part_file"]

KNOWN = 64
"""Partitions whose events are in memory."""


class InUseError(OSError):
    """Another process writes to the archive."""


class Dataset:
    """One archive, for one process at a time; from any thread.

    `raw`: with the venue's texts.  All methods but `close` raise OSError.
    """

    def __init__(self, folder: Path, *, raw: bool = True) -> None:
        self.folder = folder
        self._raw = raw
        self._aside = folder / ASIDE
        self._lock = threading.Lock()
        """Of what stands in the partitions, and of `_known`."""
        self._lock_file: int | None = None
        self._known: OrderedDict[Partition, WrittenEvents] = OrderedDict()

    def open(self) -> None:
        """Take the folder, and clear away what a process left that was killed.  Raises InUseError.

        It is made where it does not exist.
        """
        self._aside.mkdir(parents=True, exist_ok=True)
        lock = os.open(self._aside / "lock", os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            if isinstance(error, BlockingIOError):
                raise InUseError(f"{self.folder} is in use by another process") from None
            raise
        self._lock_file = lock
        try:
            self._clear_away()
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Let others have it.  What is being merged is not put in place any more."""
        with self._lock:
            if self._lock_file is not None:
                os.close(self._lock_file)
            self._lock_file = None

    # --- adding ----------------------------------------------------------------------------------

    def add(self, events: Iterable[AnyEvent]) -> int:
        """Write those that are not there yet.  When it returns, they are on the disk.

        Where it raises OSError some may be, too: they are not written again.  Returns how many were
        written.  Raises EventsRefused for what can't be a row; the others are written.
        """
        refused: dict[int, BaseException] = {}
        count = 0
        with self._lock:
            try:
                for partition, fresh in self._missing(events):
                    taken = self._publish(partition, fresh, refused)
                    self._written(partition).add(taken)
                    count += len(taken)
            except OSError:
                # A part may be there; or the folder comes back from a copy that has less.
                self._known.clear()
                raise
        if refused:
            raise EventsRefused(refused)
        return count

    def missing(self, events: Iterable[AnyEvent]) -> list[AnyEvent]:
        """Those that are not there yet."""
        with self._lock:
            return [event for _, fresh in self._missing(events) for event in fresh]

    def _missing(self, events: Iterable[AnyEvent]) -> Iterator[tuple[Partition, list[AnyEvent]]]:
        groups: dict[Partition, list[AnyEvent]] = {}
        for event in events:
            groups.setdefault(partition_of(event), []).append(event)
        for partition, group in groups.items():
            if fresh := self._written(partition).missing(group):
                yield partition, fresh

    def _publish(
        self, partition: Partition, events: list[AnyEvent], refused: dict[int, BaseException]
    ) -> list[AnyEvent]:
        """A part with these events; without those that are refused."""
        try:
            data = rows(partition.kind, events, raw=self._raw)
        except (ValueError, TypeError, OverflowError) as error:  # pyarrow's are such
            if len(events) == 1:
                refused[events[0].seq] = error
                return []
            # One is at fault, and the others are not to suffer from it.
            half = len(events) // 2
            parts = (events[:half], events[half:])
            return [each for part in parts for each in self._publish(partition, part, refused)]
        with self._draft() as draft:
            with writer(partition.kind, draft) as file:
                file.write_table(data)
            sync(draft)
            folder = self._made(partition)
            os.rename(draft, folder / part_name(events[0].received_at))
        sync(folder)
        return events

    @contextmanager
    def _draft(self) -> Iterator[Path]:
        draft = self._aside / f"{token_hex(8)}.draft"
        try:
            yield draft
        finally:
            with suppress(OSError):
                draft.unlink()

    def _made(self, partition: Partition) -> Path:
        """The partition's folder."""
        folder = self.folder / partition.path
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            sync(folder.parent)
            sync(self.folder)
        return folder

    def _written(self, partition: Partition) -> WrittenEvents:
        """What the partition has, read once."""
        known = self._known.get(partition)
        if known is None:
            known = WrittenEvents()
            for path in self.parts(partition):
                with part_file(path) as file:
                    known.read(file)
            self._known[partition] = known
            if len(self._known) > KNOWN:
                self._known.popitem(last=False)
        self._known.move_to_end(partition)
        return known

    # --- what there is ---------------------------------------------------------------------------

    def partitions(self) -> list[Partition]:
        return list(partitions(self.folder))

    def parts(self, partition: Partition) -> list[Path]:
        """Its files, in the order of time."""
        return sorted((self.folder / partition.path).glob("*.parquet"))

    # --- replacing -------------------------------------------------------------------------------

    @contextmanager
    def replacement(self, partition: Partition) -> Iterator[Path]:
        """An empty folder, in which what is to stand in the partition's place is made."""
        made = self._aside / f"{token_hex(8)}.merged"
        made.mkdir()
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)

    def replace(self, partition: Partition, parts: Sequence[Path], made: Path) -> bool:
        """Let the files in `made` stand in the place of these parts.

        False: others have come meanwhile, or it was closed, and everything is as it was.
        """
        for each in made.iterdir():
            sync(each)
        sync(made)
        with self._lock:
            if self._lock_file is None or self.parts(partition) != list(parts):
                return False
            place = self.folder / partition.path
            if not exchange(made, place):
                # Two steps: what is killed between them is put back at the next start.
                replaced = self._aside / "replaced" / partition.path
                replaced.parent.mkdir(parents=True, exist_ok=True)
                os.rename(place, replaced)
                sync(replaced.parent)
                try:
                    os.rename(made, place)
                except OSError:
                    os.rename(replaced, place)
                    raise
                shutil.rmtree(replaced)
            sync(place.parent)
        return True

    def _clear_away(self) -> None:
        """What was taken away to be replaced is put back; all else was never whole."""
        for partition in partitions(self._aside / "replaced"):
            if not (self.folder / partition.path).is_dir():
                os.rename(self._aside / "replaced" / partition.path, self.folder / partition.path)
        for each in self._aside.iterdir():
            if each.is_dir():
                shutil.rmtree(each)
            elif each.name != "lock":
                each.unlink()


@contextmanager
def part_file(path: Path) -> Iterator[ParquetFile]:
    """Raises OSError, also for what is no Parquet file."""
    try:
        with ParquetFile(path) as file:
            yield file
    except ArrowException as error:
        raise OSError(f"{path} can't be read: {error}") from error
