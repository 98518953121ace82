"""How a file of a journal is laid out."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from qehost.storage.journal.layout import (
    FORMAT,
    HEAD_SIZE,
    HEADER_SIZE,
    head_of,
    header_of,
    next_path,
    read_head,
    read_header,
    segments,
    span,
)

marks = st.binary(min_size=8, max_size=8)
numbers = st.integers(0, 2**63 - 1)


def test_events_are_named_as_one_reads_them() -> None:
    assert span(4, 4) == "event 4"
    assert span(4, 9) == "events 4 to 9"


@given(marks, st.binary(max_size=20))
def test_a_header_is_read_back_whatever_stands_behind_it(mark: bytes, behind: bytes) -> None:
    assert read_header(header_of(mark) + behind) == (FORMAT, mark)


@given(marks, st.integers(0, HEADER_SIZE * 8 - 1))
def test_a_header_in_which_a_bit_is_flipped_is_none(mark: bytes, bit: int) -> None:
    spoiled = bytearray(header_of(mark))
    spoiled[bit // 8] ^= 1 << bit % 8
    assert read_header(bytes(spoiled)) is None
    assert read_header(header_of(mark)[:-1]) is None


@given(marks, st.binary(max_size=40), numbers, numbers, numbers, numbers, st.integers(0, 9))
def test_a_head_is_read_back_from_where_it_stands(
    mark: bytes, events: bytes, first: int, last: int, since: int, until: int, at: int
) -> None:
    head = head_of(mark, events, first, last, since, until)
    found = read_head(bytes(at) + head + events, at, mark)
    assert found is not None
    assert found[:-1] == (len(events), first, last, since, until)


@given(marks, st.binary(max_size=40), st.integers(0, HEAD_SIZE * 8 - 1))
def test_a_head_in_which_a_bit_is_flipped_is_none(mark: bytes, events: bytes, bit: int) -> None:
    spoiled = bytearray(head_of(mark, events, 1, 2, 3, 4))
    spoiled[bit // 8] ^= 1 << bit % 8
    assert read_head(bytes(spoiled), 0, mark) is None


def test_files_are_numbered_and_others_are_left_alone(tmp_path: Path) -> None:
    assert segments(tmp_path / "nowhere") == []
    assert next_path(tmp_path).name == "00000001.events"
    for name in ("00000009.events", "100000000.events", "last-seq", "x.events", "00000010.old"):
        (tmp_path / name).touch()
    assert [path.name for path in segments(tmp_path)] == ["00000009.events", "100000000.events"]
    assert next_path(tmp_path).name == "100000001.events"
