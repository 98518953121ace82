"""The journal's id: one for each that writes, and a new one where the clock jumps."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journals import batch

from qehost.storage.journal import Batch, Journal, JournalReader
from qehost.storage.journal.identity import JUMP_NS, JournalIdentity
from qehost.storage.journal.layout import segments

SECOND = 10**9


class Clocks:
    wall = 1_700_000_000 * SECOND
    monotonic = 1_000 * SECOND

    def pass_by(self, ns: int) -> None:
        self.wall += ns
        self.monotonic += ns


def identity(clocks: Clocks) -> JournalIdentity:
    return JournalIdentity(lambda: clocks.wall, lambda: clocks.monotonic)


def test_two_never_have_the_same_id() -> None:
    ids = [JournalIdentity().journal_id for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert all(len(each) == 16 and each == each.lower() for each in ids)


def test_time_that_passes_changes_no_id() -> None:
    clocks = Clocks()
    made = identity(clocks)
    before = made.journal_id
    for hours in (0, 1, 100):
        clocks.pass_by(hours * 3600 * SECOND)
        assert not made.note(clocks.wall, clocks.wall)
    assert made.journal_id == before


@given(st.integers(2 * JUMP_NS, 10**18), st.sampled_from((1, -1)))
def test_a_wall_clock_that_jumps_against_the_monotonic_one_draws_another_id(
    ns: int, sign: int
) -> None:
    clocks = Clocks()
    made = identity(clocks)
    before = made.journal_id
    made.note(clocks.wall, clocks.wall)
    clocks.pass_by(SECOND)
    clocks.wall += sign * ns
    clocks.wall = max(clocks.wall, 0)
    assert made.note(clocks.wall, clocks.wall)
    assert made.journal_id != before
    assert not made.note(clocks.wall, clocks.wall), "once for each jump"


def test_a_clock_that_is_put_right_by_little_changes_no_id() -> None:
    clocks = Clocks()
    made = identity(clocks)
    for _ in range(20):
        clocks.pass_by(10 * SECOND)
        clocks.wall += SECOND // 2
        assert not made.note(clocks.wall, clocks.wall)


def read(folder: Path) -> list[Batch]:
    with JournalReader(folder) as reader:
        return [part for part in reader.read() if isinstance(part, Batch)]


def append(journal: Journal, seq: int, at: int = 0) -> None:
    at = at or journal_now()
    journal.append(batch(seq, seq), seq, seq, at, at)


def journal_now() -> int:
    import time

    return time.time_ns()


def test_each_opening_writes_under_an_id_of_its_own_and_what_is_written_keeps_it(
    tmp_path: Path,
) -> None:
    ids = []
    for seq in (1, 2, 3):
        with Journal(tmp_path / "journal") as journal:
            append(journal, seq)
            ids.append(journal.journal_id)
    assert len(set(ids)) == 3
    assert [part.journal_id for part in read(tmp_path / "journal")] == ids


def test_all_files_of_one_opening_have_one_id(tmp_path: Path) -> None:
    with Journal(tmp_path, segment_bytes=1, retry_interval=0.01) as journal:
        for seq in range(1, 200):
            append(journal, seq)
            if len(segments(tmp_path)) > 3:
                break
        ids = {part.journal_id for part in read(tmp_path)}
        assert ids == {journal.journal_id}


def test_after_a_jump_of_the_clock_events_have_another_id_from_the_first_one_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Journal(tmp_path) as journal:
        append(journal, 1)
        before = journal.journal_id
        clock = journal_now
        monkeypatch.setattr(journal._identity, "_wall", lambda: clock() + 3600 * SECOND)
        append(journal, 2, clock() + 3600 * SECOND)
        append(journal, 3, clock() + 3600 * SECOND)
        assert journal.journal_id != before
        assert journal.problem is None
        after = journal.journal_id
    parts = read(tmp_path)
    assert [part.first_seq for part in parts] == [1, 2, 3]
    assert [part.journal_id for part in parts] == [before, after, after]


def test_a_journal_has_an_event_only_under_its_own_id(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        append(journal, 1)
        first = journal.journal_id
    with Journal(tmp_path) as journal:
        append(journal, 2)
        second = journal.journal_id
        with JournalReader(tmp_path) as reader:
            assert reader.has(first, 1)
            assert reader.has(second, 2)
            assert not reader.has(second, 1)
            assert not reader.has(first, 2)
            assert not reader.has(first, 3)
            assert not reader.has(first, 0)
            assert not reader.has("", 1)
