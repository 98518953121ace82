"""Reading one file of a journal, damaged parts included, also while it is written."""

from __future__ import annotations

import errno
import os
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from zlib import crc32

from qehost.errors import JournalError, NewerFormat
from qehost.storage.journal.layout import (
    FORMAT,
    HEAD,
    HEAD_SIZE,
    HEADER_SIZE,
    MARK_SIZE,
    WHOLE_HEAD,
    Batch,
    Damage,
    FileHeader,
    read_head,
    read_header,
)
from qehost.storage.journal.query import FOREVER, Part, Query, part_of
from qehost.storage.private_files import trouble

__all__ = ["Segment", "UnreadableFile", "access"]

WINDOW = 1 << 16
PAGE = 4096
BROKEN = -1
"""In a checksum's place: no record stands here."""


class Segment:
    """One file, for reading.

    It notes where each record stands, and of a file that grows it looks at what is new.  A record
    is checked each time it is read.  The methods raise OSError where the file can't be read.
    """

    def __init__(self, path: Path) -> None:
        """Raises OSError or JournalError; NewerFormat for a file of a newer qehost."""
        self.path = path
        self._offsets = array("q")
        self._lengths = array("q")
        self._first_seqs = array("q")
        self._last_seqs = array("q")
        self._first_ats = array("q")
        self._last_ats = array("q")
        self._crcs = array("q")
        self._noted = HEADER_SIZE  # how far that goes
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.inode = os.fstat(self._fd).st_ino
            self.mark = self._read_mark()
            self._journal_id = self.mark.hex()
        except BaseException:
            os.close(self._fd)
            raise

    def close(self) -> None:
        os.close(self._fd)

    def first_seq(self) -> int | None:
        """None: there is nothing in it."""
        self._note(at_most=2)  # the first may be what is broken before it
        firsts = (f for f, crc in zip(self._first_seqs, self._crcs, strict=True) if crc != BROKEN)
        return next(firsts, None)

    def last_seq(self) -> int | None:
        self._note()
        return self._last_seqs[-1] if self._last_seqs else None

    def read(self, query: Query, end: int) -> Part | None:
        """The first batches that are wanted, or the last ones; None where there are none.

        `end` is the last event that the file can hold.  Damage at the beginning of the file goes
        back to the first event that is wanted: this file does not know better.
        """
        left_over = self._note(until=query.last_seq)
        start = bisect_right(self._last_seqs, query.after_seq)
        stop = max(start, bisect_right(self._first_seqs, query.last_seq))
        seen, run = self._run(start, stop, query)
        items = self._items(run) if query.join is None else self._joined(run, query)
        if left_over and seen.stop == len(self._offsets):
            items.append(self._broken(self._last_seqs[-1] + 1 if self._last_seqs else 1, end))
        if not seen:
            return part_of(items, query)
        return part_of(items, query, self._first_seqs[seen[0]], self._last_seqs[seen[-1]])

    def _run(self, start: int, stop: int, query: Query) -> tuple[range, range]:
        """Of these records those to look at, from one end on; and of them those to read, which
        stand one behind the other."""
        order = range(start, stop)[:: -1 if query.newest_first else 1]
        if not query.newest_first and query.since <= 0 and query.until >= FOREVER and order:
            full = bisect_right(self._offsets, self._offsets[start] + query.chunk_bytes)
            whole = range(start, max(start + 1, min(stop, full)))
            return whole, whole

        def is_wanted(index: int) -> bool:
            return self._last_ats[index] >= query.since and self._first_ats[index] <= query.until

        skipped = size = 0
        while skipped < len(order) and not is_wanted(order[skipped]):
            skipped += 1
        count = skipped
        while count < len(order) and size < query.chunk_bytes and is_wanted(order[count]):
            size += self._lengths[order[count]]
            count += 1
        if query.newest_first:
            return range(stop - count, stop), range(stop - count, stop - skipped)
        return range(start, start + count), range(start + skipped, start + count)

    def _read_mark(self) -> bytes:
        data = self._pread(HEADER_SIZE + HEAD_SIZE, 0)
        if header := read_header(data):
            version, mark = header
            if version > FORMAT:
                raise NewerFormat(
                    str(self.path),
                    f"was written by a newer qehost (format {version}, this one knows up to "
                    f"{FORMAT}): update qehost, or choose another state folder with --state-dir",
                )
            return mark
        # Each record begins with it, too.
        mark = data[HEADER_SIZE : HEADER_SIZE + MARK_SIZE]
        if read_head(data, HEADER_SIZE, mark) is None:
            cut_off = len(data) < HEADER_SIZE
            raise self._error("it was cut off" if cut_off else "its beginning")
        return mark

    def _note(self, at_most: int = 1 << 62, until: int = FOREVER) -> int:
        """Look at what is new, up to event `until`; the number of bytes at the end that are no
        record.

        They may be one by and by, as long as the file is written.
        """
        size = os.fstat(self._fd).st_size
        window, begin = b"", 0
        while self._noted < size and len(self._offsets) < at_most:
            if self._first_seqs and self._first_seqs[-1] > until:
                return 0  # what stands at the end is not known, and does not matter
            self._note_whole(at_most, until, size)
            at = self._noted
            if at >= size or len(self._offsets) >= at_most:
                break
            if not begin <= at <= begin + len(window) - HEAD_SIZE:
                window, begin = self._pread(WINDOW, at), at
            head = self._head(window, at - begin, size - begin)
            if head is None:
                found = self._find(at + 1, size)
                if found is None:
                    break
                at, head = found
                self._add_broken(head.first_seq - 1, at)
            self._add(head, at + HEAD_SIZE)
        return size - self._noted

    def _note_whole(self, at_most: int, until: int, size: int) -> None:
        """Look at the records that follow and are whole, up to event `until`.

        The same as `_note` does with each, for the many that are as they were written.
        """
        mark, unpack, head_size, checked = self.mark, WHOLE_HEAD.unpack_from, HEAD_SIZE, HEAD.size
        offsets, lengths, crcs = self._offsets, self._lengths, self._crcs
        first_seqs, last_seqs = self._first_seqs, self._last_seqs
        first_ats, last_ats = self._first_ats, self._last_ats
        before = last_seqs[-1] if last_seqs else 0
        room = at_most - len(offsets)
        while room > 0 and self._noted + head_size <= size:
            data = self._pread(min(WINDOW, size - self._noted), self._noted)
            view, at, end = memoryview(data), 0, len(data) - head_size
            while at <= end and room > 0:
                found, length, first, last, first_at, last_at, crc, check = unpack(data, at)
                stop = self._noted + at + head_size + length
                if (
                    found != mark
                    or crc32(view[at : at + checked]) != check
                    or not before < first <= last
                    or stop > size
                    or first > until
                ):
                    room = 0
                    break
                offsets.append(self._noted + at + head_size)
                lengths.append(length)
                first_seqs.append(first)
                last_seqs.append(last)
                first_ats.append(first_at)
                last_ats.append(last_at)
                crcs.append(crc)
                before = last
                room -= 1
                at += head_size + length
            if not at:
                break
            self._noted += at

    def _head(self, data: bytes, at: int, size: int) -> FileHeader | None:
        """The head of the record that stands at `at`, if the whole record is within `size`."""
        head = read_head(data, at, self.mark)
        if head is None or at + HEAD_SIZE + head.length > size:
            return None
        # The checksum says that it was written like this; what follows relies on the order.
        before = self._last_seqs[-1] if self._last_seqs else 0
        return head if before < head.first_seq <= head.last_seq else None

    def _find(self, at: int, size: int) -> tuple[int, FileHeader] | None:
        """The next whole record that stands at `at` or after: where, and its head."""
        while at + HEAD_SIZE <= size:
            window = self._pread(WINDOW, at)
            if len(window) < HEAD_SIZE:
                break
            place = window.find(self.mark)
            while 0 <= place <= len(window) - HEAD_SIZE:
                if head := self._head(window, place, size - at):
                    return at + place, head
                place = window.find(self.mark, place + 1)
            # A head may begin in this window and end in the next.
            at += len(window) - HEAD_SIZE + 1
        return None

    def _add(self, head: FileHeader, offset: int) -> None:
        self._offsets.append(offset)
        self._lengths.append(head.length)
        self._first_seqs.append(head.first_seq)
        self._last_seqs.append(head.last_seq)
        self._first_ats.append(head.first_at)
        self._last_ats.append(head.last_at)
        self._crcs.append(head.crc)
        self._noted = offset + head.length

    def _add_broken(self, last_seq: int, stop: int) -> None:
        """What stands before `stop` is no record; events up to `last_seq` are lost."""
        first_seq = self._last_seqs[-1] + 1 if self._last_seqs else 1
        if first_seq <= last_seq:
            length = stop - self._noted
            # When that was is not known, so it is part of every time that is asked for.
            self._add(FileHeader(length, first_seq, last_seq, 0, FOREVER, BROKEN), self._noted)

    def _items(self, run: range) -> list[Batch | Damage]:
        if not run:
            return []
        begin, last = self._offsets[run[0]], run[-1]
        data = self._pread(self._offsets[last] + self._lengths[last] - begin, begin)
        found: list[Batch | Damage] = []
        for index in run:
            place = self._offsets[index] - begin
            events = data[place : place + self._lengths[index]]
            first_seq, last_seq = self._first_seqs[index], self._last_seqs[index]
            if self._crcs[index] == BROKEN:
                found.append(self._broken(first_seq, last_seq))
            elif crc32(events) == self._crcs[index]:
                times = self._first_ats[index], self._last_ats[index]
                found.append(Batch(first_seq, last_seq, *times, events, self._journal_id))
            else:
                error = self._error("checksum: the disk changed what was written")
                found.append(Damage(first_seq, last_seq, error))
        return found

    def _joined(self, run: range, query: Query) -> list[Batch | Damage]:
        """As `_items`, in few batches: of single records each would cost as much as its events."""
        if not run or query.join is None:
            return []
        first, last = run[0], run[-1]
        begin = self._offsets[first]
        data = self._pread(self._offsets[last] + self._lengths[last] - begin, begin)
        may_hold = query.may_hold
        found: list[Batch | Damage] = []
        parts: list[bytes] = []
        since = first
        places = zip(
            self._offsets[first : last + 1],
            self._lengths[first : last + 1],
            self._crcs[first : last + 1],
            strict=True,
        )
        for index, (offset, length, crc) in enumerate(places, first):
            place = offset - begin
            events = data[place : place + length]
            if crc32(events) == crc:
                if may_hold is None or may_hold(events):
                    parts.append(events)
                continue
            found += self._join(parts, range(since, index), query.join)
            found += self._items(range(index, index + 1))
            parts, since = [], index + 1
        return found + self._join(parts, range(since, last + 1), query.join)

    def _join(
        self, parts: list[bytes], run: range, join: Callable[[list[bytes]], bytes]
    ) -> list[Batch]:
        if not parts:
            return []
        first, last = run[0], run[-1]
        return [
            Batch(
                self._first_seqs[first],
                self._last_seqs[last],
                self._first_ats[first],
                self._last_ats[last],
                join(parts),
                self._journal_id,
            )
        ]

    def _broken(self, first_seq: int, last_seq: int) -> Damage:
        error = self._error("a part of it is no journal, or it was cut off")
        return Damage(first_seq, last_seq, error)

    def _error(self, what: str) -> JournalError:
        return JournalError(str(self.path), f"the file is damaged ({what})")

    def _pread(self, size: int, at: int) -> bytes:
        """Fewer bytes at the end of the file; zeros for what the disk does not give back."""
        try:
            return os.pread(self._fd, size, at)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
        data = bytearray()
        while len(data) < size:
            begin = at + len(data)
            wanted = min(size - len(data), PAGE - begin % PAGE)
            try:
                part = os.pread(self._fd, wanted, begin)
            except OSError:
                part = bytes(wanted)
            data += part
            if len(part) < wanted:
                break
        return bytes(data)


@contextmanager
def access(path: Path) -> Iterator[None]:
    """Raises UnreadableFile for what concerns this file, JournalError for what concerns all."""
    try:
        yield
    except NewerFormat:
        raise
    except FileNotFoundError as error:
        raise UnreadableFile(trouble(path, error), pruned=True) from error
    except JournalError as error:
        raise UnreadableFile(error) from error
    except OSError as error:
        raise trouble(path, error) from error


class UnreadableFile(Exception):
    """One file can't be read; `pruned`: because it was deleted a moment ago."""

    def __init__(self, error: JournalError, pruned: bool = False) -> None:
        super().__init__(str(error))
        self._error = error
        self._pruned = pruned

    def part(self, query: Query, end: int) -> Part | None:
        """All that the file can hold, up to event `end`, is lost."""
        return None if self._pruned else part_of([Damage(1, end, self._error)], query)
