"""One file of a journal against everything that can happen to its bytes: what is read was written
like this, and what can't be read is told with its numbers."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from qehost.errors import JournalError
from qehost.journal import Batch, Damage, Journal, JournalReader
from qehost.journal.appending import OpenFile, create
from qehost.journal.layout import HEAD_SIZE, HEADER_SIZE, segments
from qehost.journal.segments import Segment

SIZES = (40, 0, 300, 17, 5, 120)
LAST = 2 * len(SIZES)
# Two events each, the middle of which a hole follows: numbers 5 and 6 were never written.
NUMBERS = [(1, 2), (3, 4), (7, 8), (9, 10), (11, 12), (13, 14)]
WRITTEN = [
    Batch(first, last, first * 100, last * 100, bytes([index]) * size)
    for index, ((first, last), size) in enumerate(zip(NUMBERS, SIZES, strict=True))
]
NEVER = {5, 6}
END = 14


def add(file: OpenFile, batch: Batch) -> None:
    file.append(batch.events, *batch[:4])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = create(tmp_path, synced=False)
    for batch in WRITTEN:
        add(file, batch)
    file.close()
    return file.path


def read(path: Path, limit: int = 1 << 20) -> list[Batch | Damage]:
    """Everything, in steps; a file that can't be opened is one damage."""
    try:
        segment = Segment(path)
    except JournalError as error:
        return [Damage(1, END, error)]
    found: list[Batch | Damage] = []
    after_seq = 0
    while chunk := segment.read(after_seq, limit, END):
        found += chunk
        after_seq = chunk[-1].last_seq
    keys = segment.keys(0, 1 << 62, END)
    again = [segment.batch(key) if isinstance(key, int) else key for key in keys]
    segment.close()
    assert numbers(again, Batch) == numbers(found, Batch)
    assert numbers(again, Damage) == numbers(found, Damage)
    return found


def numbers(found: list[Batch | Damage], kind: type) -> list[int]:
    return [
        seq
        for item in found
        if isinstance(item, kind)
        for seq in range(item.first_seq, item.last_seq + 1)
    ]


def check(found: list[Batch | Damage], *, complete: bool = True) -> set[int]:
    """The events that are told to be lost."""
    batches = [item for item in found if isinstance(item, Batch)]
    assert all(batch in WRITTEN for batch in batches)
    told = numbers(found, Batch) + numbers(found, Damage)
    assert sorted(told) == sorted(set(told))
    there = [seq for item in found for seq in range(item.first_seq, item.last_seq + 1)]
    assert there == sorted(there)
    assert not complete or set(told) | NEVER == set(range(1, END + 1))
    return set(numbers(found, Damage))


def test_what_was_written_is_read(path: Path) -> None:
    assert read(path) == WRITTEN
    assert read(path, limit=1) == WRITTEN


def test_no_flipped_bit_gives_a_wrong_event_or_costs_more_than_one_batch(path: Path) -> None:
    whole = path.read_bytes()
    for place in range(len(whole)):
        spoiled = bytearray(whole)
        spoiled[place] ^= 1 << place % 8
        path.write_bytes(spoiled)
        lost = check(read(path)) - NEVER
        assert len(lost) <= 2, place
        if place < HEADER_SIZE:
            assert not lost


def test_a_file_cut_off_anywhere_gives_what_is_before_and_tells_the_rest(path: Path) -> None:
    whole = path.read_bytes()
    ends = [HEADER_SIZE]
    for batch in WRITTEN:
        ends.append(ends[-1] + HEAD_SIZE + len(batch.events))
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        found = read(path)
        count = sum(size >= end for end in ends[1:])
        assert [item for item in found if isinstance(item, Batch)] == WRITTEN[:count]
        # Between two records nothing shows; a reader of the journal sees a hole in the numbers.
        if size not in ends:
            check(found)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_no_rubbish_gives_a_wrong_event(path: Path, data: st.DataObject) -> None:
    """Zeros, noise, and pieces of the file itself in the wrong place."""
    good = path.with_name("good")
    if not good.exists():
        good.write_bytes(path.read_bytes())
    whole = good.read_bytes()
    place = data.draw(st.integers(0, len(whole)))
    start = data.draw(st.integers(0, len(whole)))
    piece = data.draw(
        st.one_of(
            st.integers(0, 400).map(bytes),
            st.binary(max_size=200),
            st.integers(0, 400).map(lambda size: whole[start : start + size]),
        )
    )
    instead = data.draw(st.one_of(st.just(len(piece)), st.integers(0, 200)))
    path.write_bytes(whole[:place] + piece + whole[place + instead :])
    # Where just whole records were cut out, a reader of the journal sees a hole in the numbers.
    check(read(path), complete=instead == len(piece) <= len(whole) - place)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=st.lists(st.integers(1, 200), min_size=1))
def test_a_reader_beside_the_writer_sees_each_batch_once_and_no_damage(
    tmp_path: Path, steps: list[int]
) -> None:
    """The file grows by any steps, as writes by the system may."""
    file = create(tmp_path, synced=False)
    for batch in WRITTEN:
        add(file, batch)
    file.close()
    whole = file.path.read_bytes()
    file.path.write_bytes(whole[:HEADER_SIZE])
    segment = Segment(file.path)
    found: list[Batch | Damage] = []
    at = HEADER_SIZE
    for step in [*steps, len(whole)]:
        with file.path.open("ab") as growing:
            growing.write(whole[at : at + step])
        at += step
        after_seq = found[-1].last_seq if found else 0
        # What the writer says it has written, which is never more than is there.
        there = [b for b in WRITTEN if place_of(b) + HEAD_SIZE + len(b.events) <= at]
        found += segment.read(after_seq, 1 << 20, there[-1].last_seq if there else 0)
        assert found == there
    segment.close()


def place_of(batch: Batch) -> int:
    before = WRITTEN[: WRITTEN.index(batch)]
    return HEADER_SIZE + sum(HEAD_SIZE + len(each.events) for each in before)


def test_a_message_that_holds_a_record_is_not_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = create(tmp_path / "other", synced=False)
    add(other, Batch(2, 3, 1, 1, b"forged"))
    other.close()
    forged = other.path.read_bytes()[HEADER_SIZE:]
    file = create(tmp_path, synced=False)
    add(file, Batch(1, 4, 1, 1, forged * 20))
    add(file, Batch(5, 14, 1, 1, b""))
    file.close()
    content = bytearray(file.path.read_bytes())
    content[HEADER_SIZE + 20] ^= 1
    file.path.write_bytes(content)
    damage, after = read(file.path)
    assert isinstance(damage, Damage)
    assert damage[:2] == (1, 4)
    assert after == Batch(5, 14, 1, 1, b"")


def test_what_the_disk_does_not_give_back_costs_what_stands_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = create(tmp_path, synced=False)
    for seq in range(1, 101):
        add(file, Batch(seq, seq, seq, seq, bytes(1000)))
    file.close()
    real = os.pread

    def failing(fd: int, size: int, at: int) -> bytes:
        if at < 20_000 and at + size > 16_384:
            raise OSError(errno.EIO, "Input/output error")
        return real(fd, size, at)

    monkeypatch.setattr(os, "pread", failing)
    with JournalReader(tmp_path) as reader:
        found = list(reader.read(0))
    lost = numbers(found, Damage)
    assert lost == list(range(lost[0], lost[-1] + 1))
    assert 4 <= len(lost) <= 6
    assert sorted(lost + numbers(found, Batch)) == list(range(1, 101))


def test_an_error_that_is_no_damage_is_told_as_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = create(tmp_path, synced=False)
    add(file, WRITTEN[0])
    file.close()

    def refusing(*_: object) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "pread", refusing)
    with JournalReader(tmp_path) as reader, pytest.raises(JournalError, match="Permission denied"):
        list(reader.read(0))


WRITER = """
import sys
from pathlib import Path
from qehost.journal import Journal
journal = Journal(Path(sys.argv[1]), segment_bytes=3_000_000)
seq = journal.last_seq()
while True:
    journal.append(bytes([seq % 251]) * 300_000, seq + 1, seq + 10, 1, 1)
    seq += 10
    print(seq, flush=True)
"""


def test_a_writer_killed_in_mid_append_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    last = 0
    for kill_after in (1, 3, 7, 12, 20):
        args = [sys.executable, "-c", WRITER, str(tmp_path)]
        with subprocess.Popen(args, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(kill_after):
                last = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
            # What it still said before it died.
            last = max([last, *(int(line) for line in process.stdout if line.endswith("\n"))])
        with JournalReader(tmp_path) as reader:
            found = list(reader.read(0))
            assert not numbers(found, Damage)
            read = numbers(found, Batch)
            assert read == list(range(1, len(read) + 1))
            assert len(read) >= last
            assert reader.last_seq() in (len(read), len(read) - 10)
    with Journal(tmp_path) as journal:
        assert journal.last_seq() == len(read)
    assert all(path.stat().st_size > HEADER_SIZE for path in segments(tmp_path))


def test_an_append_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = create(tmp_path, synced=True)
    add(file, WRITTEN[0])

    def failing(fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("qehost.journal.appending._sync", failing)
    with pytest.raises(OSError, match="Input/output"):
        add(file, WRITTEN[1])
    monkeypatch.undo()
    add(file, WRITTEN[2])
    file.close()
    with JournalReader(tmp_path) as reader:
        assert [*reader.read(0)] == [WRITTEN[0], WRITTEN[2]]
