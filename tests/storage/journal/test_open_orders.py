"""The orders that are open at a place in a journal, also where their last events were deleted."""

from __future__ import annotations

from pathlib import Path

import pytest
from order_lives import END, EVENTS, START, named, write

from qehost.events.codec import RawBatch, encode_events
from qehost.messages import OrderEvent
from qehost.storage.journal import Journal, JournalReader
from qehost.storage.journal.history import JournalHistory, range_of
from qehost.storage.journal.layout import segments
from qehost.storage.journal.open_orders import SUFFIX, keep_open_orders, note_open_orders
from qehost.storage.journal.pruning import prune
from qehost.testing import detail
from qehost.testing.journals import GivenHistory


def open_at(seq: int) -> list[int]:
    """The last states of the orders that are open after that event, as a list knows it."""
    told = GivenHistory([e for e in EVENTS if e.seq <= seq], range_of(after_seq=seq))
    return [event.seq for event in told]


def test_the_open_orders_come_first_also_where_their_last_events_were_deleted(
    tmp_path: Path,
) -> None:
    write(tmp_path, EVENTS, [2], set(range(2, 20, 2)))
    files = segments(tmp_path)
    with JournalReader(tmp_path) as reader:
        begins = [file.first_seq for file in reader.files()]
    report = prune(tmp_path, not_past_seq=END, keep_seconds=0)
    assert report.last_seq == begins[-1] - 1
    assert segments(tmp_path) == files[-1:]
    history = JournalHistory(tmp_path, range_of(), END)
    told = list(history)
    baseline = [event for event in told if event.origin == "baseline"]
    assert [event.seq for event in baseline] == open_at(begins[-1] - 1)
    assert baseline
    assert told == baseline + [event for event in told if event.seq >= begins[-1]]
    assert history.pruned_before == begins[-1]
    assert JournalHistory(tmp_path, range_of(after_seq=begins[-1] - 1), END).pruned_before == 0
    for event in baseline:
        if isinstance(event, OrderEvent):
            assert detail(event) == detail(EVENTS[event.seq - 1])


def test_states_survive_one_pruning_after_the_other(tmp_path: Path) -> None:
    """The states stand beside a file whose own events were deleted long ago."""
    write(tmp_path, EVENTS, [1], set(range(100)))
    while len(files := segments(tmp_path)) > 1:
        size = sum(path.stat().st_size for path in files[1:])
        prune(tmp_path, not_past_seq=END, keep_bytes=size)
        if segments(tmp_path) == files:  # what stands beside them counts, too
            prune(tmp_path, not_past_seq=END, keep_bytes=1)
        first = next(iter(JournalHistory(tmp_path, range_of(kinds=["status"]), END)), None)
        history = JournalHistory(tmp_path, range_of(), END)
        begin = history.pruned_before
        told = [event.seq for event in history if event.origin == "baseline"]
        assert told == open_at(begin - 1)
        assert first is None or first.seq >= begin
    assert [path.stem for path in tmp_path.glob(f"*{SUFFIX}")] == [files[-1].stem]


def test_damaged_states_are_made_of_what_stands_before_them(tmp_path: Path) -> None:
    write(tmp_path, EVENTS, [2], {3, 6})
    for path in segments(tmp_path)[1:]:
        keep_open_orders(tmp_path, path)
    expected = named(list(JournalHistory(tmp_path, range_of(after_seq=END - 1), END)))
    for path in tmp_path.glob(f"*{SUFFIX}"):
        content = bytearray(path.read_bytes())
        content[-3] ^= 1
        path.write_bytes(content)
        assert named(list(JournalHistory(tmp_path, range_of(after_seq=END - 1), END))) == expected


def test_states_that_belong_to_another_file_of_that_name_do_not_count(tmp_path: Path) -> None:
    write(tmp_path / "a", EVENTS, [2], {3})
    write(tmp_path / "b", EVENTS[:6] + EVENTS[8:], [2], {3})
    keep_open_orders(tmp_path / "b", segments(tmp_path / "b")[-1])
    (foreign,) = (tmp_path / "b").glob(f"*{SUFFIX}")
    (tmp_path / "a" / foreign.name).write_bytes(foreign.read_bytes())
    told = JournalHistory(tmp_path / "a", range_of(after_seq=END), END)
    assert [event.seq for event in told] == open_at(END)


def test_the_states_are_noted_beside_files_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, EVENTS, [2], set(range(1, 20)))
    note_open_orders(tmp_path)
    assert not list(tmp_path.glob(f"*{SUFFIX}")), "a few small files need none"
    monkeypatch.setattr("qehost.storage.journal.open_orders.EVERY", 3000)
    note_open_orders(tmp_path)
    made = {path: path.read_bytes() for path in tmp_path.glob(f"*{SUFFIX}")}
    assert 0 < len(made) < len(segments(tmp_path))
    note_open_orders(tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.glob(f"*{SUFFIX}")} == made


def test_states_without_their_file_are_removed(tmp_path: Path) -> None:
    write(tmp_path, EVENTS, [2], {3})
    keep_open_orders(tmp_path, segments(tmp_path)[-1])
    segments(tmp_path)[-1].unlink()  # as an earlier version does
    note_open_orders(tmp_path)
    assert not list(tmp_path.glob(f"*{SUFFIX}"))


def test_what_v1_pushed_is_a_state_with_its_figures(tmp_path: Path) -> None:
    inner = (
        '{\\"type\\":\\"order\\",\\"master_order_id\\":\\"m\\",\\"order_id\\":\\"o\\",'
        '\\"symbol\\":\\"BTCUSDT\\",\\"side\\":\\"buy\\",\\"price\\":100.10,\\"quantity\\":2,'
        '\\"status\\":\\"PLACED\\",\\"cum_filled_qty\\":0.5}'
    )
    text = f'{{"type":"data","messageId":"1","userId":"u","data":"{inner}"}}'
    with Journal(tmp_path) as journal:
        record = RawBatch(1, "main", START, [text])
        journal.append(encode_events([record]), 1, 1, START, START)
    (state,) = JournalHistory(tmp_path, range_of(after_seq=1), 1)
    assert isinstance(state, OrderEvent)
    assert (state.origin, state.seq) == ("baseline", 1)
    exact = detail(state)
    assert (str(exact.price), str(exact.filled_quantity)) == ("100.10", "0.5")
    assert exact.order_id == state.message.order_id == "o"
