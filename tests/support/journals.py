"""Journals of status events, and what is read of them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from waiting import wait_for

from qehost.events.codec import decode_events, encode_events
from qehost.messages import StatusEvent
from qehost.storage.journal import Batch, Damage, Journal, JournalReader, layout
from qehost.storage.journal.appending import OpenFile

SECOND = 10**9


def batch(first_seq: int, last_seq: int, text: str = "connected") -> bytes:
    return encode_events(
        [
            StatusEvent(seq, "main", f"id-{seq}", seq * SECOND, "stream", False, text, text)
            for seq in range(first_seq, last_seq + 1)
        ]
    )


def append(journal: Journal, first_seq: int, last_seq: int, text: str = "connected") -> None:
    events = batch(first_seq, last_seq, text)
    journal.append(events, first_seq, last_seq, first_seq * SECOND, last_seq * SECOND)


def append_until(
    journal: Journal, seq: int, done: Callable[[], bool], text: str = "x" * 500
) -> int:
    """Append until something has happened; the number of the last event."""

    def appended() -> bool:
        nonlocal seq
        if not done():
            seq += 1
            append(journal, seq, seq, text)
        return done()

    wait_for(appended, "something to happen while it is appended")
    return seq


def seqs(folder: Path, after_seq: int = 0) -> list[int]:
    with JournalReader(folder) as reader:
        return [
            event.seq
            for item in reader.read(after_seq)
            if isinstance(item, Batch)
            for event in decode_events(item.events)
            if event.seq > after_seq
        ]


def damages(folder: Path, after_seq: int = 0) -> list[Damage]:
    with JournalReader(folder) as reader:
        return [item for item in reader.read(after_seq) if isinstance(item, Damage)]


def files(folder: Path) -> list[Path]:
    return layout.segments(folder)


def many_files(folder: Path, count: int = 3) -> int:
    """A journal of several files; the number of its last event."""
    seq = 0
    for _ in range(count):
        with Journal(folder) as journal:
            for _ in range(20):
                seq += 1
                append(journal, seq, seq)
        written_at = time.time() - 30 * 86_400 + seq
        os.utime(files(folder)[-1], (written_at, written_at))
    assert len(files(folder)) == count
    return seq


# --- damage -----------------------------------------------------------------------------------


def flip(path: Path, needle: bytes) -> None:
    """Change one bit behind the first place where `needle` stands."""
    content = bytearray(path.read_bytes())
    place = content.index(needle) + len(needle)
    content[place] ^= 1
    path.write_bytes(content)


# --- single batches, the middle of which a hole follows ------------------------------------

SIZES = (40, 0, 300, 17, 5, 120)
# Two events each, the middle of which a hole follows: numbers 5 and 6 were never written.
NUMBERS = [(1, 2), (3, 4), (7, 8), (9, 10), (11, 12), (13, 14)]
MARK = bytes(range(0xA0, 0xA8))
WRITTEN = [
    Batch(first, last, first * 100, last * 100, bytes([index]) * size, MARK.hex())
    for index, ((first, last), size) in enumerate(zip(NUMBERS, SIZES, strict=True))
]


def add(file: OpenFile, batch: Batch) -> None:
    file.append(batch.events, *batch[:4])


def numbers(found: list[Batch | Damage], kind: type) -> list[int]:
    """The events that items of one kind are about."""
    return [
        seq
        for item in found
        if isinstance(item, kind)
        for seq in range(item.first_seq, item.last_seq + 1)
    ]
