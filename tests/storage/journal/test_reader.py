"""Reading a journal beside its writer: everything in order, and damage told."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from zlib import crc32

import pytest
from journals import SECOND, append, append_until, batch, damages, files, flip, many_files, seqs
from waiting import PATIENCE

from qehost.errors import NewerFormat
from qehost.storage.journal import Batch, Damage, Journal, JournalReader, appending, layout
from qehost.storage.journal.pruning import prune

# --- writing and reading --------------------------------------------------------------------


def test_what_was_appended_is_read_back_byte_for_byte(folder: Path) -> None:
    with Journal(folder) as journal:
        append(journal, 1, 64)
        append(journal, 65, 65)
        name = journal.journal_id
        with JournalReader(folder) as reader:
            assert list(reader.read(0)) == [
                Batch(1, 64, SECOND, 64 * SECOND, batch(1, 64), name),
                Batch(65, 65, 65 * SECOND, 65 * SECOND, batch(65, 65), name),
            ]


def test_reading_after_an_event_in_the_middle_of_a_batch_begins_with_that_batch(
    folder: Path,
) -> None:
    with Journal(folder) as journal:
        append(journal, 1, 10)
        append(journal, 11, 20)
    with JournalReader(folder) as reader:
        assert [item.first_seq for item in reader.read(4)] == [1, 11]
        assert [item.first_seq for item in reader.read(10)] == [11]
        assert list(reader.read(20)) == []


def test_files_follow_one_another_and_are_read_as_one(folder: Path, small: Journal) -> None:
    last = append_until(small, 0, lambda: len(files(folder)) >= 4)
    assert seqs(folder) == list(range(1, last + 1))
    assert seqs(folder, last - 3) == list(range(last - 2, last + 1))
    small.close()
    assert seqs(folder) == list(range(1, last + 1))
    assert not any(path.stat().st_size == layout.HEADER_SIZE for path in files(folder))


def test_another_process_reads_everything_while_it_is_written(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from qehost.storage.journal import JournalReader\n"
        "reader, seq, last = JournalReader(Path(sys.argv[1])), 0, int(sys.argv[2])\n"
        "while seq < last:\n"
        "    for batch in reader.read(seq):\n"
        "        assert batch.first_seq == seq + 1, (batch.first_seq, seq)\n"
        "        assert len(batch.events) == 700, batch\n"
        "        seq = batch.last_seq"
    )
    with Journal(folder, segment_bytes=200_000) as journal:
        args = [sys.executable, "-c", code, str(folder), "3000"]
        with subprocess.Popen(args) as process:
            for seq in range(1, 3001):
                journal.append(bytes(700), seq, seq, seq, seq)
                if seq % 10 == 0:
                    time.sleep(0.005)
            assert process.wait(PATIENCE) == 0
    assert len(files(folder)) > 1


@pytest.mark.parametrize("since", [0, 1, 2])
def test_what_is_appended_between_reading_two_files_is_not_passed_over(
    folder: Path, since: int
) -> None:
    """The writer appends to the old file while the new one is there already, and then goes over."""
    folder.mkdir(parents=True)
    old, new = (appending.create(folder, os.urandom(8), synced=False) for _ in range(2))

    def add(file: appending.OpenFile, seq: int) -> None:
        file.append(b"x", seq, seq, seq, seq)

    class Slow(JournalReader):
        """Between its reads of the two files the writer gets on."""

        def _end(self, paths: list[Path], position: int) -> int:
            if position == 1 and not appended:
                appended.append(True)
                add(old, 2)
                add(new, 3)
            return super()._end(paths, position)

    appended: list[bool] = []
    add(old, 1)
    with Slow(folder) as reader:
        found = list(reader.read(since=since))
        assert [batch.first_seq for batch in found] == list(range(since or 1, 4))
    assert appended
    old.close()
    new.close()


def test_an_empty_or_missing_journal_has_nothing(folder: Path) -> None:
    with JournalReader(folder) as reader:
        assert list(reader.read(0)) == []
        assert list(reader.read(newest_first=True)) == []
        assert reader.last_seq() == 0


def test_a_newer_format_is_refused_with_advice(folder: Path) -> None:
    folder.mkdir(parents=True)
    newer = layout.HEADER.pack(layout.MAGIC, 99, bytes(8))
    (folder / "00000001.events").write_bytes(newer + struct.pack("<I", crc32(newer)))
    with pytest.raises(NewerFormat, match=r"format 99.*update qehost"):
        Journal(folder)
    with pytest.raises(NewerFormat), JournalReader(folder) as reader:
        list(reader.read(0))


def test_a_flipped_bit_costs_one_batch_and_is_told(folder: Path) -> None:
    with Journal(folder) as journal:
        for first in (1, 11, 21):
            append(journal, first, first + 9)
    flip(files(folder)[0], b"id-13")
    (damage,) = damages(folder)
    assert damage[:2] == (11, 20)
    assert "checksum" in str(damage.error)
    assert str(files(folder)[0]) in str(damage.error)
    assert seqs(folder) == [*range(1, 11), *range(21, 31)]


def test_a_spoiled_part_costs_what_stands_in_it(folder: Path) -> None:
    with Journal(folder) as journal:
        for seq in range(1, 201):
            append(journal, seq, seq)
    path = files(folder)[0]
    content = bytearray(path.read_bytes())
    place = content.index(b"id-100")
    content[place - 2000 : place + 2000] = b"\xff" * 4000
    path.write_bytes(content)
    # A batch whose beginning is whole is told apart from what is no journal any more.
    told = damages(folder)
    assert len(told) <= 2
    lost = range(told[0].first_seq, told[-1].last_seq + 1)
    assert 100 in lost
    assert len(lost) * len(batch(100, 100)) < 4000
    assert set(seqs(folder)) == set(range(1, 201)) - set(lost)


@pytest.mark.parametrize("part", [0, 0.001, 0.3, 0.95])
def test_a_file_that_was_cut_off_is_told_and_the_others_are_read(folder: Path, part: float) -> None:
    last = many_files(folder)
    path = files(folder)[1]
    os.truncate(path, int(path.stat().st_size * part))
    read = seqs(folder)
    assert set(read) >= {*range(1, 21), *range(41, last + 1)}
    told = {seq for item in damages(folder) for seq in range(item.first_seq, item.last_seq + 1)}
    assert told == set(range(1, last + 1)) - set(read)


def test_damage_at_the_beginning_of_a_file_is_told_in_every_way_of_reading(folder: Path) -> None:
    last = many_files(folder)
    path = files(folder)[1]
    content = bytearray(path.read_bytes())
    content[layout.HEADER_SIZE + 10] ^= 1
    path.write_bytes(content)
    assert [item[:2] for item in damages(folder)] == [(21, 21)]
    for newest_first in (False, True):
        with JournalReader(folder) as reader:
            found = list(reader.read(newest_first=newest_first))
        told = [item[:2] for item in found if isinstance(item, Damage)]
        assert told == [(21, 21)]
        assert len(found) == last


def test_a_reader_lets_go_of_a_file_that_was_pruned(folder: Path) -> None:
    last = many_files(folder)
    with JournalReader(folder) as reader:
        assert len(list(reader.read(0))) == last
        prune(folder, not_past_seq=last, keep_seconds=60)
        assert list(reader.read(last)) == []
        assert list(reader._open) == files(folder)[-1:]


def test_a_reader_goes_on_when_its_file_is_pruned(folder: Path) -> None:
    last = many_files(folder)
    with JournalReader(folder) as reader:
        assert next(iter(reader.read(0))).first_seq == 1
        prune(folder, not_past_seq=last, keep_seconds=60)
        assert [item.first_seq for item in reader.read(1)] == list(range(41, last + 1))


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("chunk_bytes", [1, 1000, 1 << 20])
def test_what_is_asked_for_is_read_and_nothing_else_in_both_directions(
    folder: Path, newest_first: bool, chunk_bytes: int
) -> None:
    last = many_files(folder)
    for after_seq, last_seq, since, until in (
        (0, last, 0, last),
        (0, 2 * last, 0, last),
        (17, 23, 0, last),
        (20, 40, 0, last),
        (20, 21, 0, last),
        (last, 2 * last, 0, last),
        (9, 9, 0, last),
        (0, last, 19, 22),
        (0, last, 21, 39),
        (19, last, 0, 18),
        (30, 45, 15, 42),
    ):
        with JournalReader(folder) as reader:
            found = reader.read(
                after_seq,
                last_seq,
                since=since * SECOND,
                until=until * SECOND,
                newest_first=newest_first,
                chunk_bytes=chunk_bytes,
            )
            wanted = range(max(after_seq + 1, since), min(last_seq, until) + 1)
            order = reversed(wanted) if newest_first else wanted
            assert [item.first_seq for item in found] == list(order)


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_journal_of_any_size_is_read_with_the_memory_of_a_chunk(
    folder: Path, newest_first: bool
) -> None:
    with Journal(folder, segment_bytes=1 << 20) as journal:
        size, last = 10_000, 2_000
        for seq in range(1, last + 1):
            journal.append(bytes(size), seq, seq, seq, seq)
    with JournalReader(folder) as reader:
        tracemalloc.start()
        try:
            count = sum(1 for _ in reader.read(newest_first=newest_first, chunk_bytes=10 * size))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert count == last
    assert peak < 100 * size
