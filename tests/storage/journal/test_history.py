"""The past of a journal: every event once and in order, and the states before the first one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from order_lives import END, EVENTS, START, named, write

from qehost.messages import EventKind, OrderEvent
from qehost.storage.journal import JournalReader
from qehost.storage.journal.history import FOREVER, JournalHistory, epoch_ns, range_of
from qehost.storage.journal.layout import segments
from qehost.storage.journal.open_orders import keep_open_orders
from qehost.testing import detail
from qehost.testing.journals import GivenHistory

SECOND = 10**9

moments = st.none() | st.integers(START, EVENTS[-1].received_at + SECOND)
seqs = st.none() | st.integers(0, END + 3)
selections = st.fixed_dictionaries(
    {
        "after_seq": seqs,
        "before_seq": seqs,
        "since": moments,
        "until": moments,
        "limit": st.none() | st.integers(0, END),
        "newest_first": st.booleans(),
        "kinds": st.none()
        | st.sets(st.sampled_from(["master_order", "order", "status", "fill", "error"])),
    }
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The same events in one file and in several, in batches of one and of several."""
    made = []
    for sizes, new_files in (([1], set()), ([1, 3], {3, 5}), ([5, 2, 1], {1, 2, 3, 4, 5})):
        folder = tmp_path_factory.mktemp("journal")
        write(folder, EVENTS, sizes, new_files)
        made.append(folder)
    for path in segments(made[1])[1:]:
        keep_open_orders(made[1], path)
    return made


@settings(max_examples=150, deadline=None)
@given(selections, st.integers(0, END + 2), st.integers(0, 2))
def test_every_selection_gives_what_a_list_of_all_events_gives(
    folders: list[Path], selection: dict[str, Any], position: int, which: int
) -> None:
    wanted = range_of(**selection)
    had = [event for event in EVENTS if event.seq <= position]
    expected = list(GivenHistory(had, wanted))
    history = JournalHistory(folders[which], wanted, position)
    assert named(list(history)) == named(expected)
    assert not history.damaged
    assert history.pruned_before == 0


def test_events_have_the_journals_id_and_exact_figures(folders: list[Path]) -> None:
    for event in JournalHistory(folders[1], range_of(after_seq=5), END):
        with JournalReader(folders[1]) as reader:
            assert reader.has(event.journal_id, event.seq)
        if isinstance(event, OrderEvent):
            assert detail(event) == detail(EVENTS[event.seq - 1])


def test_what_is_damaged_is_named_and_the_rest_is_told(tmp_path: Path) -> None:
    write(tmp_path, EVENTS, [2], set())
    (path,) = segments(tmp_path)
    content = bytearray(path.read_bytes())
    place = content.index(EVENTS[4].raw.encode()[-40:])
    content[place] ^= 1
    path.write_bytes(content)
    history = JournalHistory(tmp_path, range_of(), END)
    told = [event.seq for event in history]
    assert history.damaged == [(5, 6)]
    assert told == [seq for seq in range(1, END + 1) if seq not in (5, 6)]


def test_a_history_is_flat_in_memory_and_may_be_left_early(folders: list[Path]) -> None:
    told = iter(JournalHistory(folders[0], range_of(), END))
    assert next(told).seq == 1
    told.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("moment", "ns"),
    [
        (START, START),
        (START // SECOND, START),
        (START / SECOND + 0.5, START + SECOND // 2),
        (START // 10**6, START),
        (datetime.fromtimestamp(START // SECOND, UTC), START),
    ],
)
def test_a_time_may_be_written_in_several_ways(moment: Any, ns: int) -> None:
    assert epoch_ns(moment) == ns


def test_a_duration_is_so_long_ago() -> None:
    assert epoch_ns(timedelta(0)) - epoch_ns(timedelta(hours=1)) == pytest.approx(
        3600 * SECOND, abs=60 * SECOND
    )


@pytest.mark.parametrize(
    "selection",
    [{"kinds": ["fil"]}, {"limit": -1}, {"since": datetime(2026, 1, 1)}],
)
def test_a_selection_that_cannot_be_one_is_refused(selection: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"kind|limit|time zone"):
        range_of(**selection)


def test_without_a_selection_all_is_in_the_range() -> None:
    assert range_of().before_seq == range_of().until == FOREVER
    kinds: EventKind = "fill"
    assert range_of(kinds=[kinds]).kinds == {"fill"}
