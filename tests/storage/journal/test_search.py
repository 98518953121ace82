"""Finding events by what they hold and when they came."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest
from journals import SECOND, append, files, many_files

from qehost.errors import ConnectError
from qehost.events.codec import encode_events, first_seq, last_seq
from qehost.events.pipeline import Pipeline
from qehost.messages import Connected, Disconnected, StatusEvent
from qehost.storage.journal import Damage, Journal, JournalReader, search
from qehost.storage.journal.search import KINDS, Wanted, find


def test_a_search_tells_damage_and_finds_the_rest(folder: Path) -> None:
    last = many_files(folder)
    files(folder)[1].write_bytes(b"not a journal at all, " * 1000)
    for newest_first in (False, True):
        with JournalReader(folder) as reader:
            found = list(find(reader, Wanted(), newest_first=newest_first))
        (damage,) = (item for item in found if isinstance(item, Damage))
        assert damage[:2] == (21, 40)
        read = [item.seq for item in found if not isinstance(item, Damage)]
        assert sorted(read) == [*range(1, 21), *range(41, last + 1)]
        assert read == sorted(read, reverse=newest_first)


# --- searching ----------------------------------------------------------------------------------


def test_a_search_by_time_reads_no_other_batches(folder: Path) -> None:
    many_files(folder)
    with JournalReader(folder) as reader:
        found = list(find(reader, Wanted(since=30 * SECOND, until=45 * SECOND)))
    assert [event.seq for event in found if isinstance(event, StatusEvent)] == list(range(30, 46))


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_search_by_number_reads_no_files_far_from_it(folder: Path, newest_first: bool) -> None:
    many_files(folder, 5)
    for path in (files(folder)[0], files(folder)[-1]):
        path.write_bytes(b"not a journal at all, " * 1000)
    with JournalReader(folder) as reader:
        found = list(find(reader, Wanted(first_seq=42, last_seq=47), newest_first=newest_first))
        assert reader._open.keys() <= set(files(folder)[2:4])
    seqs = [event.seq for event in found if isinstance(event, StatusEvent)]
    assert seqs == sorted(range(42, 48), reverse=newest_first)
    assert len(found) == 6


def test_the_newest_events_come_without_reading_the_old_ones(folder: Path) -> None:
    last = many_files(folder)
    for path in files(folder)[:-1]:
        path.write_bytes(b"")
    with JournalReader(folder) as reader:
        found = find(reader, Wanted(), newest_first=True)
        newest = [next(found) for _ in range(5)]
    assert [event.seq for event in newest if isinstance(event, StatusEvent)] == list(
        range(last, last - 5, -1)
    )


def test_the_first_events_of_a_file_come_without_reading_what_stands_behind_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Journal(folder) as journal:
        for seq in range(1, 2001):
            append(journal, seq, seq, "x" * 5000)
    read = 0
    pread = os.pread

    def counting(fd: int, size: int, at: int) -> bytes:
        nonlocal read
        data = pread(fd, size, at)
        read += len(data)
        return data

    monkeypatch.setattr(os, "pread", counting)
    with JournalReader(folder) as reader:
        found = list(find(reader, Wanted(first_seq=3, last_seq=10)))
    assert [event.seq for event in found if isinstance(event, StatusEvent)] == list(range(3, 11))
    assert read < files(folder)[0].stat().st_size / 10


def mixed_journal(folder: Path) -> None:
    """Batches of one event each, of every kind, in the venue's different ways to write them."""
    pipeline = Pipeline("main")
    order = {"id": "v", "masterOrderId": "m", "status": "PLACED", "filledQuantity": "1"}
    master = {"type": "master_order", "master_order_id": "m", "status": "NEW"}
    texts = [
        {"type": "status", "data": "welcome"},
        {"type": "error", "data": "no funds"},
        {"type": "order_data", "data": json.dumps(order)},
        {"type": "order_data", "data": {**order, "id": "w"}},
        {"type": "data", "data": json.dumps(master)},
        {"type": "news", "data": "?"},
    ]
    with Journal(folder) as journal:
        for number, text in enumerate(texts * 2):
            message = json.dumps({**text, "messageId": str(number), "userId": ""})
            if number == 6:
                message = message.replace("status", "stat\\u0075s")
            records = [
                pipeline.connected(Connected("wss://venue"), number),
                *pipeline.feed([message], number),
                pipeline.problem(ConnectError("no answer"), number),
                pipeline.disconnected(Disconnected("over"), number),
            ]
            for record in records:
                span = first_seq(record), last_seq(record)
                journal.append(encode_events([record]), *span, number, number)


@pytest.mark.parametrize("kind", KINDS)
def test_a_search_for_a_kind_finds_all_of_it_however_the_venue_wrote_it(
    folder: Path, kind: str
) -> None:
    mixed_journal(folder)
    with JournalReader(folder) as reader:
        everything = list(find(reader, Wanted()))
        found = list(find(reader, Wanted(kinds=frozenset([kind]))))
    assert found == [event for event in everything if getattr(event, "kind", "") == kind]
    assert found


def test_a_search_for_a_rare_kind_takes_no_other_batches_apart(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixed_journal(folder)
    decoded: Counter[int] = Counter()
    decode = search.decode_events
    monkeypatch.setattr(
        search, "decode_events", lambda *batch: decoded.update([1]) or decode(*batch)
    )
    with JournalReader(folder) as reader:
        found = list(find(reader, Wanted(kinds=frozenset(["disconnected"]))))
    # And the one batch whose text is written with escapes.
    assert decoded[1] == len(found) + 1 == 13
