"""One file, however it is damaged: no wrong event, and as few as can be are lost."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from journals import MARK, WRITTEN, add, numbers

from qehost.errors import JournalError
from qehost.storage.journal import Batch, Damage, JournalReader
from qehost.storage.journal.appending import create
from qehost.storage.journal.high_water import raise_high_water
from qehost.storage.journal.layout import HEAD_SIZE, HEADER_SIZE
from qehost.storage.journal.query import FOREVER, Query
from qehost.storage.journal.segments import Segment

NEVER = {5, 6}
END = 14
ENDS = [HEADER_SIZE]
"""Where the records end, and the header before them."""
for _batch in WRITTEN:
    ENDS.append(ENDS[-1] + HEAD_SIZE + len(_batch.events))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = create(tmp_path, MARK, synced=False)
    for batch in WRITTEN:
        add(file, batch)
    file.close()
    return file.path


def read(path: Path, chunk_bytes: int = 1 << 20) -> list[Batch | Damage]:
    """Everything, which is the same in both directions."""
    raise_high_water(path.parent, END)
    with JournalReader(path.parent) as reader:
        found = list(reader.read(chunk_bytes=chunk_bytes))
        back = list(reader.read(chunk_bytes=chunk_bytes, newest_first=True))
    assert numbers(back[::-1], Batch) == numbers(found, Batch)
    assert numbers(back[::-1], Damage) == numbers(found, Damage)
    return found


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
    assert read(path, chunk_bytes=1) == WRITTEN


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
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        found = read(path)
        count = sum(size >= end for end in ENDS[1:])
        assert [item for item in found if isinstance(item, Batch)] == WRITTEN[:count]
        # Between two records nothing shows; a reader of the journal sees a hole in the numbers.
        if size not in ENDS:
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
    spoiled = whole[:place] + piece + whole[place + instead :]
    path.write_bytes(spoiled)
    # Where just whole records were cut out, or a record's head stands where another was, a reader
    # of the journal sees a hole in the numbers.
    heads = [(place, whole[place : place + HEAD_SIZE]) for place in ENDS[:-1]]
    is_shifted = len(spoiled) != len(whole) or any(
        spoiled.count(head) > spoiled.startswith(head, place) for place, head in heads
    )
    check(read(path), complete=not is_shifted)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=st.lists(st.integers(1, 200), min_size=1))
def test_a_reader_beside_the_writer_sees_each_batch_once_and_no_damage(
    tmp_path: Path, steps: list[int]
) -> None:
    """The file grows by any steps, as writes by the system may."""
    file = create(tmp_path, MARK, synced=False)
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
        query = Query(after_seq, FOREVER, 0, FOREVER, newest_first=False, chunk_bytes=1 << 20)
        if part := segment.read(query, there[-1].last_seq if there else 0):
            found += part.items
        assert found == there
    segment.close()


def place_of(batch: Batch) -> int:
    before = WRITTEN[: WRITTEN.index(batch)]
    return HEADER_SIZE + sum(HEAD_SIZE + len(each.events) for each in before)


def test_a_message_that_holds_a_record_is_not_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = create(tmp_path / "other", os.urandom(8), synced=False)
    add(other, Batch(2, 3, 1, 1, b"forged"))
    other.close()
    forged = other.path.read_bytes()[HEADER_SIZE:]
    file = create(tmp_path, MARK, synced=False)
    add(file, Batch(1, 4, 1, 1, forged * 20))
    add(file, Batch(5, 14, 1, 1, b""))
    file.close()
    content = bytearray(file.path.read_bytes())
    content[HEADER_SIZE + 20] ^= 1
    file.path.write_bytes(content)
    damage, after = read(file.path)
    assert isinstance(damage, Damage)
    assert damage[:2] == (1, 4)
    assert after == Batch(5, 14, 1, 1, b"", MARK.hex())


def test_what_the_disk_does_not_give_back_costs_what_stands_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = create(tmp_path, MARK, synced=False)
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
    file = create(tmp_path, MARK, synced=False)
    add(file, WRITTEN[0])
    file.close()

    def refusing(*_: object) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "pread", refusing)
    with JournalReader(tmp_path) as reader, pytest.raises(JournalError, match="Permission denied"):
        list(reader.read(0))
