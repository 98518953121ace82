"""Reading one file of a journal, damaged parts included, also while it is written."""

from __future__ import annotations

import errno
import os
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zlib import crc32

from qehost.errors import JournalError, NewerFormat
from qehost.journal.layout import (
    FORMAT,
    HEAD_SIZE,
    HEADER_SIZE,
    MARK_SIZE,
    Batch,
    Damage,
    Head,
    read_head,
    read_header,
)
from qehost.state import trouble

__all__ = ["Segment", "Unreadable", "access"]

WINDOW = 1 << 16
PAGE = 4096


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
        # The records before which something stands that can't be read.
        self._breaks: set[int] = set()
        self._noted = HEADER_SIZE  # how far that goes
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.inode = os.fstat(self._fd).st_ino
            self._mark = self._read_mark()
        except BaseException:
            os.close(self._fd)
            raise

    def close(self) -> None:
        os.close(self._fd)

    def first_seq(self) -> int | None:
        """None: there is nothing in it."""
        self._note(at_most=1)
        return self._first_seqs[0] if self._first_seqs else None

    def last_seq(self) -> int | None:
        self._note()
        return self._last_seqs[-1] if self._last_seqs else None

    def read(self, after_seq: int, limit_bytes: int, end: int) -> list[Batch | Damage]:
        """Batches with events after `after_seq`, until `limit_bytes` are exceeded.

        The first may begin before.  `end` is the last event that the file can hold, for telling how
        far a damage goes.
        """
        left_over = self._note()
        start = stop = bisect_right(self._last_seqs, after_seq)
        size = 0
        while stop < len(self._offsets) and size < limit_bytes:
            size += self._lengths[stop]
            stop += 1
        found: list[Batch | Damage] = []
        for index, item in zip(range(start, stop), self._batches(start, stop), strict=True):
            if index in self._breaks:
                self._lose(found, after_seq, self._first_seqs[index] - 1)
            if isinstance(item, Damage):
                self._lose(found, max(after_seq, item.first_seq - 1), item.last_seq, item.error)
            else:
                found.append(item)
            after_seq = item.last_seq
        if left_over and stop == len(self._offsets):
            self._lose(found, after_seq, end)
        return found

    def keys(self, since: int, until: int, end: int) -> list[int | Damage]:
        """The `first_seq` of each batch that reaches into the time from `since` to `until`, and
        between them what can't be read, whatever its time was.

        It reads no events.  `end` is the last event that the file can hold; a damage at its
        beginning reaches back to event 1 as far as this file knows.
        """
        left_over = self._note()
        found: list[int | Damage] = []
        after_seq = 0
        for index, (first_seq, last_seq, first_at, last_at) in enumerate(
            zip(self._first_seqs, self._last_seqs, self._first_ats, self._last_ats, strict=True)
        ):
            if index in self._breaks:
                self._lose(found, after_seq, first_seq - 1)
            if last_at >= since and first_at <= until:
                found.append(first_seq)
            after_seq = last_seq
        if left_over:
            self._lose(found, after_seq, end)
        return found

    def batch(self, first_seq: int) -> Batch | Damage | None:
        """The batch of that key; None: this is another file than that of the key."""
        self._note()
        index = bisect_left(self._first_seqs, first_seq)
        if first_seq not in self._first_seqs[index : index + 1]:
            return None
        (item,) = self._batches(index, index + 1)
        return item

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

    def _note(self, at_most: int = 1 << 62) -> int:
        """Look at what is new; the number of bytes at the end that are no record.

        They may be one by and by, as long as the file is written.
        """
        size = os.fstat(self._fd).st_size
        window, begin = b"", 0
        while self._noted < size and len(self._offsets) < at_most:
            at = self._noted
            if not begin <= at <= begin + len(window) - HEAD_SIZE:
                window, begin = self._pread(WINDOW, at), at
            if head := self._head(window, at - begin, size - begin):
                self._add(head, at + HEAD_SIZE)
                continue
            at = self._find(at + 1, size)
            if at < 0:
                break
            self._breaks.add(len(self._offsets))
            self._noted = at
        return size - self._noted

    def _head(self, data: bytes, at: int, size: int) -> Head | None:
        """The head of the record that stands at `at`, if the whole record is within `size`."""
        head = read_head(data, at, self._mark)
        if head is None or at + HEAD_SIZE + head.length > size:
            return None
        # The checksum says that it was written like this; what follows relies on the order.
        before = self._last_seqs[-1] if self._last_seqs else 0
        return head if before < head.first_seq <= head.last_seq else None

    def _find(self, at: int, size: int) -> int:
        """Where the next whole record stands, at `at` or after; -1: nowhere."""
        while at + HEAD_SIZE <= size:
            window = self._pread(WINDOW, at)
            if len(window) < HEAD_SIZE:
                break
            place = window.find(self._mark)
            while 0 <= place <= len(window) - HEAD_SIZE:
                if self._head(window, place, size - at):
                    return at + place
                place = window.find(self._mark, place + 1)
            # A head may begin in this window and end in the next.
            at += len(window) - HEAD_SIZE + 1
        return -1

    def _add(self, head: Head, offset: int) -> None:
        self._offsets.append(offset)
        self._lengths.append(head.length)
        self._first_seqs.append(head.first_seq)
        self._last_seqs.append(head.last_seq)
        self._first_ats.append(head.first_at)
        self._last_ats.append(head.last_at)
        self._crcs.append(head.crc)
        self._noted = offset + head.length

    def _batches(self, start: int, stop: int) -> list[Batch | Damage]:
        if start == stop:
            return []
        begin = self._offsets[start]
        data = self._pread(self._offsets[stop - 1] + self._lengths[stop - 1] - begin, begin)
        found: list[Batch | Damage] = []
        for index in range(start, stop):
            place = self._offsets[index] - begin
            events = data[place : place + self._lengths[index]]
            first_seq, last_seq = self._first_seqs[index], self._last_seqs[index]
            if crc32(events) == self._crcs[index]:
                times = self._first_ats[index], self._last_ats[index]
                found.append(Batch(first_seq, last_seq, *times, events))
            else:
                error = self._error("checksum: the disk changed what was written")
                found.append(Damage(first_seq, last_seq, error))
        return found

    def _lose(
        self,
        found: list[Batch | Damage] | list[int | Damage],
        after_seq: int,
        last_seq: int,
        error: JournalError | None = None,
    ) -> None:
        if last_seq > after_seq:
            told = error or self._error("a part of it is no journal, or it was cut off")
            found.append(Damage(after_seq + 1, last_seq, told))

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
    """Raises Unreadable for what concerns this file, JournalError for what concerns them all."""
    try:
        yield
    except NewerFormat:
        raise
    except FileNotFoundError as error:
        raise Unreadable(trouble(path, error), pruned=True) from error
    except JournalError as error:
        raise Unreadable(error) from error
    except OSError as error:
        raise trouble(path, error) from error


class Unreadable(Exception):
    """One file can't be read; `pruned`: because it was deleted a moment ago."""

    def __init__(self, error: JournalError, pruned: bool = False) -> None:
        super().__init__(str(error))
        self._error = error
        self._pruned = pruned

    def damage(self, first_seq: int, last_seq: int) -> list[Damage]:
        if self._pruned or last_seq < first_seq:
            return []
        return [Damage(first_seq, last_seq, self._error)]
