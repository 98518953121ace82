"""Reading a journal from any process, while it is written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from qehost.journal.high_water import read_high_water
from qehost.journal.layout import HEADER_SIZE, Batch, Damage, segments
from qehost.journal.segments import Segment, Unreadable, access

__all__ = ["JournalReader"]

FOREVER = 2**62
KEPT_OPEN = 4


class JournalReader:
    """The batches of one journal.

    It never writes, holds no lock between calls, and needs no qehost to run.  What is damaged is
    told as `Damage`.  Every method raises JournalError where this user may not read the folder or a
    file in it, or the system refuses for now.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # The files read last.  Each has noted where its records stand, which takes a while.
        self._open: dict[Path, Segment] = {}
        # Where each file (and inode) begins; once it has a first record, that stays.
        self._first: dict[tuple[Path, int], int] = {}

    def close(self) -> None:
        for segment in self._open.values():
            segment.close()
        self._open.clear()

    def __enter__(self) -> JournalReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, after_seq: int, chunk_bytes: int = 1 << 20) -> Iterator[Batch | Damage]:
        """Everything after event `after_seq`, to the end that the journal has when it is reached.

        The first batch may begin at or before `after_seq`.  A hole between two batches was never
        written, since the journal could not be at that time, or it has been pruned.  About
        `chunk_bytes` are held in memory.
        """
        while chunk := self._chunk(after_seq, chunk_bytes):
            yield from chunk
            after_seq = chunk[-1].last_seq

    def _chunk(self, after_seq: int, limit_bytes: int) -> list[Batch | Damage]:
        paths = self._paths()
        start = self._start(paths, after_seq)
        for position in range(start, len(paths)):
            found = self._found(paths, position, after_seq, limit_bytes)
            if not found:
                continue
            if found[0].first_seq > after_seq + 1 or isinstance(found[0], Damage):
                # The writer may have appended to a file after it was read here, and then gone on in
                # this one.  It never goes back, so those before are final now.
                for earlier in range(start, position):
                    if late := self._found(paths, earlier, after_seq, limit_bytes):
                        return late
            return found
        return []

    def _found(
        self, paths: list[Path], position: int, after_seq: int, limit_bytes: int
    ) -> list[Batch | Damage]:
        # First where the next file begins, then what is in this one: what was appended in between
        # must not be taken for a damage.
        end = self._end(paths, position)
        try:
            with self._segment(paths[position]) as segment:
                return segment.read(after_seq, limit_bytes, end)
        except Unreadable as unreadable:
            return [*unreadable.damage(after_seq + 1, end)]

    def tail(self, events: int) -> list[Batch]:
        """The newest batches that hold that many events between them, oldest first.

        What is damaged is left out.
        """
        found: list[Batch] = []
        for batch in self.scan(newest_first=True):
            if events <= 0:
                break
            if isinstance(batch, Batch):
                found.append(batch)
                events -= batch.last_seq - batch.first_seq + 1
        return found[::-1]

    def scan(
        self, since: int = 0, until: int = FOREVER, *, newest_first: bool = False
    ) -> Iterator[Batch | Damage]:
        """Every batch that reaches into the time from `since` to `until` (epoch ns).

        The events of a batch are read only when it is asked for, and the others not at all.
        """
        paths = self._paths()
        order = range(len(paths))
        # The file that the writer may still have appended to after it was looked through.
        unfinished: int | None = None
        last = 0
        for position in reversed(order) if newest_first else order:
            is_final = any(self._first_seq(path) is not None for path in paths[position + 1 :])
            found = self._scan_file(paths, position, since, until)
            if newest_first:
                found.reverse()
            elif found and unfinished is not None:
                # As in `_chunk`: what came late.
                late = self._scan_file(paths, unfinished, since, until)
                yield from self._items(paths[unfinished], [x for x in late if _begin(x) > last])
            yield from self._items(paths[position], found)
            if found or unfinished is None:
                unfinished = None if is_final else position
            if found:
                last = _begin(found[-1])

    def _items(self, path: Path, found: list[int | Damage]) -> Iterator[Batch | Damage]:
        for item in found:
            if isinstance(item, Damage):
                yield item
            elif batch := self._batch(path, item):
                yield batch

    def _batch(self, path: Path, first_seq: int) -> Batch | Damage | None:
        """None: the file was pruned."""
        try:
            with self._segment(path) as segment:
                return segment.batch(first_seq)
        except Unreadable as unreadable:
            damage = unreadable.damage(first_seq, first_seq)
            return damage[0] if damage else None

    def _scan_file(
        self, paths: list[Path], position: int, since: int, until: int
    ) -> list[int | Damage]:
        """The keys of its batches, and what can't be read."""
        found: list[int | Damage] = []
        end = self._end(paths, position)
        try:
            with self._segment(paths[position]) as segment:
                found += segment.keys(since, until, end)
        except Unreadable as unreadable:
            found += unreadable.damage(1, end)
        if found and isinstance(damage := found[0], Damage):
            # Where it begins, only the files before can tell.
            begin = max(damage.first_seq, self._before(paths, position) + 1)
            found[:1] = [damage._replace(first_seq=begin)] if begin <= damage.last_seq else []
        return found

    def last_seq(self) -> int:
        """The number of the last event that was ever given one, 0 if none was.

        It counts those too that could not be written.
        """
        newest = 0
        for path in reversed(self._paths()):
            try:
                with self._segment(path) as segment:
                    newest = segment.last_seq() or 0
            except Unreadable:
                continue
            if newest:
                break
        return max(newest, read_high_water(self.folder))

    def _start(self, paths: list[Path], after_seq: int) -> int:
        """The last file that begins at or before the event that is wanted."""
        for position in reversed(range(len(paths))):
            first = self._first_seq(paths[position])
            if first is not None and first <= after_seq + 1:
                return position
        return 0

    def _end(self, paths: list[Path], position: int) -> int:
        """The last event that a file can hold."""
        for path in paths[position + 1 :]:
            first = self._first_seq(path)
            if first is not None:
                return first - 1
        return read_high_water(self.folder)

    def _before(self, paths: list[Path], position: int) -> int:
        """The last event before a file, as far as that can be read."""
        for path in reversed(paths[:position]):
            try:
                with self._segment(path) as segment:
                    last = segment.last_seq()
            except Unreadable:
                continue
            if last is not None:
                return last
        return 0

    def _first_seq(self, path: Path) -> int | None:
        """None for a file that is empty or can't be read."""
        inode, size = _inode_and_size(path)
        if size == HEADER_SIZE:
            return None
        key = path, inode
        if key not in self._first:
            # In passing: it need not be one of those that are kept open.
            try:
                with access(path), closing(Segment(path)) as segment:
                    first = segment.first_seq()
            except Unreadable:
                return None
            if first is None:
                return None
            self._first[key] = first
        return self._first[key]

    def _paths(self) -> list[Path]:
        """The files that are there; what was pruned is let go of, or its disk would stay taken."""
        paths = segments(self.folder)
        for path in [path for path in self._open if path not in paths]:
            self._close(path)
        return paths

    @contextmanager
    def _segment(self, path: Path) -> Iterator[Segment]:
        """The file, opened; it stays open for the next calls.

        Raises Unreadable for a damaged file, JournalError for what concerns all of them.
        """
        try:
            with access(path):
                segment = self._open.get(path)
                # A file that stayed empty is deleted, and its name may be taken again.
                if segment is not None and segment.inode != _inode_and_size(path)[0]:
                    self._close(path)
                    segment = None
                if segment is None:
                    if len(self._open) >= KEPT_OPEN:
                        self._close(next(iter(self._open)))
                    segment = self._open[path] = Segment(path)
                yield segment
        except Unreadable:
            self._close(path)
            raise

    def _close(self, path: Path) -> None:
        if segment := self._open.pop(path, None):
            segment.close()


def _begin(item: int | Damage) -> int:
    return item if isinstance(item, int) else item.first_seq


def _inode_and_size(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_ino, found.st_size
