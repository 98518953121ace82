"""Reading a journal from any process, while it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from qehost.storage.journal.high_water import read_high_water
from qehost.storage.journal.layout import HEADER_SIZE, Batch, Damage, segments
from qehost.storage.journal.query import FOREVER, Part, Query
from qehost.storage.journal.segments import Segment, UnreadableFile, access

__all__ = ["JournalFile", "JournalReader"]

KEPT_OPEN = 4


class JournalFile(NamedTuple):
    """One that holds events and can be read."""

    path: Path
    mark: bytes
    first_seq: int
    size: int


class JournalReader:
    """The batches of one journal.

    It never writes, holds no lock between calls, and needs no qehost to run.  What is damaged is
    yielded as `Damage`.  Every method raises JournalError where this user may not read the folder
    or a file in it, or the system refuses for now.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # The files read last.  Each has noted where its records stand, which takes a while.
        self._open: dict[Path, Segment] = {}
        # Where each file (and inode) begins; once it has a first record, that stays.
        self._first: dict[tuple[Path, int], int] = {}
        self._marks: dict[tuple[Path, int], bytes] = {}

    def close(self) -> None:
        for segment in self._open.values():
            segment.close()
        self._open.clear()

    def __enter__(self) -> JournalReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(
        self,
        after_seq: int = 0,
        last_seq: int = FOREVER,
        *,
        since: int = 0,
        until: int = FOREVER,
        newest_first: bool = False,
        chunk_bytes: int = 1 << 20,
        join: Callable[[list[bytes]], bytes] | None = None,
        may_hold: Callable[[bytes], bool] | None = None,
    ) -> Iterator[Batch | Damage]:
        """The batches that hold events after `after_seq`, up to `last_seq`, and reach into the time
        from `since` to `until` (epoch ns); damage among those numbers, whatever its time was.

        A batch may begin before and end behind these events.  Without `last_seq` it goes to the end
        that the journal has when it is reached.  A hole between two batches was never written,
        since the journal could not be at that time, or it has been pruned.  About `chunk_bytes` are
        held in memory; what is not asked for is not read.

        `join` makes one of the events of several batches: then few large ones are yielded, with
        only what `may_hold` something that is wanted.
        """
        query = Query(after_seq, last_seq, since, until, newest_first, chunk_bytes, join, may_hold)
        while query.after_seq < query.last_seq and (part := self._next(query)):
            if newest_first:
                yield from reversed(part.items)
                query = query._replace(last_seq=part.first_seq - 1)
            else:
                yield from part.items
                query = query._replace(after_seq=part.last_seq)

    def has(self, journal_id: str, seq: int) -> bool:
        """Whether it can read the event of that name."""
        part = next(self.read(seq - 1, seq, chunk_bytes=1), None)
        return isinstance(part, Batch) and part.journal_id == journal_id

    def files(self) -> list[JournalFile]:
        """Those that hold events and can be read, oldest first."""
        found = []
        for path in self._paths():
            if (first := self._first_seq(path)) is not None:
                inode, size = _inode_and_size(path)
                found.append(JournalFile(path, self._marks[path, inode], first, size))
        return found

    def last_seq(self) -> int:
        """The number of the last event that was ever given one, 0 if none was.

        It counts those too that could not be written.
        """
        paths = self._paths()
        return max(self._before(paths, len(paths)), read_high_water(self.folder))

    def _next(self, query: Query) -> Part | None:
        """What is wanted first."""
        paths = self._paths()
        files = self._files(paths, query)
        for position in files[:: -1 if query.newest_first else 1]:
            part = self._part(paths, position, query)
            if part is None:
                continue
            jumps = part.first_seq > query.after_seq + 1 or part.begins_with_damage
            if jumps and not query.newest_first:
                # The writer may have appended to a file after it was read here, and then gone on in
                # this one.  It never goes back, so those before are final now.
                for earlier in files[: position - files.start]:
                    if late := self._part(paths, earlier, query):
                        return late
            return part
        return None

    def _part(self, paths: list[Path], position: int, query: Query) -> Part | None:
        # First where the next file begins, then what is in this one: what was appended in between
        # must not be taken for a damage.
        end = self._end(paths, position)
        try:
            with self._segment(paths[position]) as segment:
                part = segment.read(query, end)
        except UnreadableFile as unreadable:
            part = unreadable.part(query, end)
        if query.newest_first and part is not None and part.begins_with_damage:
            # Where damage at the beginning of a file begins, only the files before can tell.
            before = self._before(paths, position)
            if query.after_seq < before >= part.first_seq:
                return self._part(paths, position, query._replace(after_seq=before))
        return part

    def _files(self, paths: list[Path], query: Query) -> range:
        """Those that may hold something that is wanted."""
        start, stop = 0, len(paths)
        for position in reversed(range(len(paths))):
            first = self._first_seq(paths[position])
            if first is None:
                continue
            if first > query.last_seq:
                stop = position + 1  # events may be lost at its beginning
            elif first <= query.after_seq + 1:
                start = position
                break
        return range(start, stop)

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
            except UnreadableFile:
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
                    first, mark = segment.first_seq(), segment.mark
            except UnreadableFile:
                return None
            if first is None:
                return None
            self._first[key], self._marks[key] = first, mark
        return self._first[key]

    def _paths(self) -> list[Path]:
        """The files that are there; pruned ones are closed, or their room would stay taken."""
        paths = segments(self.folder)
        for path in [path for path in self._open if path not in paths]:
            self._close(path)
        return paths

    @contextmanager
    def _segment(self, path: Path) -> Iterator[Segment]:
        """The file, opened; it stays open for the next calls.

        Raises UnreadableFile for a damaged file, JournalError for what concerns all of them.
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
        except UnreadableFile:
            self._close(path)
            raise

    def _close(self, path: Path) -> None:
        if segment := self._open.pop(path, None):
            segment.close()


def _inode_and_size(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_ino, found.st_size
