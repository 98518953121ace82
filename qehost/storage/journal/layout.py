"""How a file of a journal is laid out.

A journal is a folder of numbered files.  Only the newest is written, and only at its end; a full
one is never touched again.  So an event costs one system call, pruning deletes whole files, and a
damaged file costs at most what stands in it.

    file    a header, then records
    header  magic, format (u32), mark (8 bytes), checksum of these (u32)
    record  a head, then the events
    head    mark, length of the events (u32), first_seq, last_seq, first_at, last_at (i64),
            checksum of the events (u32), checksum of the head up to here (u32)

Numbers are little-endian, checksums CRC-32.  A record holds one batch of events: the very bytes
that the queue carries.  The mark is random, and how the next record is found behind a damage;
nothing that a message carries can pass for one.  It is drawn each time the journal is opened, which
begins a new file, and so it names the events, too: in hex it is their `journal_id`.  (Earlier
versions drew it for each file.)
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from qehost.errors import JournalError
from qehost.storage.private_files import trouble

__all__ = [
    "FORMAT",
    "HEAD",
    "HEADER_SIZE",
    "HEAD_SIZE",
    "MARK_SIZE",
    "WHOLE_HEAD",
    "Batch",
    "Damage",
    "FileHeader",
    "head_of",
    "header_of",
    "next_path",
    "read_head",
    "read_header",
    "segments",
    "span",
]

# The first byte is no text, and the last one is changed by whatever changes line ends.
MAGIC = b"\x89qehost\n"
FORMAT = 1
MARK_SIZE = 8
HEADER = struct.Struct("<8sI8s")
HEAD = struct.Struct("<8sIqqqqI")
CHECKSUM = struct.Struct("<I")
WHOLE_HEAD = struct.Struct(HEAD.format + "I")  # with its own checksum
HEADER_SIZE = HEADER.size + CHECKSUM.size
HEAD_SIZE = HEAD.size + CHECKSUM.size
SUFFIX = "events"


class Batch(NamedTuple):
    """Events `first_seq` to `last_seq`, received from `first_at` to `last_at` (epoch ns).

    `events` is what `qehost.events.codec.encode_events` made of them, `journal_id` the name of the
    journal as it was when they were written.
    """

    first_seq: int
    last_seq: int
    first_at: int
    last_at: int
    events: bytes
    journal_id: str = ""


class Damage(NamedTuple):
    """Events that were written but can't be read; `error` says where and why."""

    first_seq: int
    last_seq: int
    error: JournalError


def span(first_seq: int, last_seq: int) -> str:
    """How a text names them: `event 4`, `events 4 to 9`."""
    return f"event {last_seq}" if first_seq == last_seq else f"events {first_seq} to {last_seq}"


class FileHeader(NamedTuple):
    """What stands before the events of a record."""

    length: int
    first_seq: int
    last_seq: int
    first_at: int
    last_at: int
    crc: int


def segments(folder: Path) -> list[Path]:
    """The files of a journal, oldest first.  Raises JournalError."""
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise trouble(folder, error) from error
    numbered = sorted(
        (int(stem), name)
        for name in names
        for stem, _, suffix in (name.partition("."),)
        if suffix == SUFFIX and stem.isdecimal()
    )
    return [folder / name for _, name in numbered]


def next_path(folder: Path) -> Path:
    """The name of the file that comes after those that are there.  Raises JournalError."""
    paths = segments(folder)
    return folder / f"{int(paths[-1].stem) + 1 if paths else 1:08d}.{SUFFIX}"


def header_of(mark: bytes) -> bytes:
    return _checked(HEADER.pack(MAGIC, FORMAT, mark))


def read_header(data: bytes) -> tuple[int, bytes] | None:
    """Format and mark of the file that begins with `data`; None: that is no header."""
    if len(data) < HEADER_SIZE or not _is_checked(data[:HEADER_SIZE]):
        return None
    magic, version, mark = HEADER.unpack_from(data)
    return (version, mark) if magic == MAGIC else None


def head_of(
    mark: bytes, events: bytes, first_seq: int, last_seq: int, first_at: int, last_at: int
) -> bytes:
    head = HEAD.pack(mark, len(events), first_seq, last_seq, first_at, last_at, crc32(events))
    return _checked(head)


def read_head(data: bytes, at: int, mark: bytes) -> FileHeader | None:
    """The head that stands at `at`; None: there is no whole one."""
    part = data[at : at + HEAD_SIZE]
    if len(part) < HEAD_SIZE or not part.startswith(mark) or not _is_checked(part):
        return None
    return FileHeader(*HEAD.unpack_from(part)[1:])


def _checked(data: bytes) -> bytes:
    return data + CHECKSUM.pack(crc32(data))


def _is_checked(data: bytes) -> bool:
    return data[-CHECKSUM.size :] == CHECKSUM.pack(crc32(data[: -CHECKSUM.size]))
