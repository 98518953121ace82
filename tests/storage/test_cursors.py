"""A host process's cursors: from one process to the next, whatever happened to memory or disk."""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import pytest
from limits import no_room
from small_disk import fill, small_disk
from unwritable import unwritable

from qehost.errors import JournalError, NewerFormat
from qehost.storage.cursor_file import LOST, UNSET, Cursor, own_key, read_cursors
from qehost.storage.cursors import Cursors, known_cursors
from qehost.storage.progress import ProgressMemory

PLUGINS = ("console", "sink")
ACCOUNTS = ("main", "other")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hosts" / "main" / "marks"


@pytest.fixture
def memory() -> Iterator[ProgressMemory]:
    """What a supervisor holds."""
    memory = ProgressMemory()
    yield memory
    memory.close()


def opened(path: Path, memory: ProgressMemory | None = None) -> Cursors:
    return Cursors.open(path, PLUGINS, ACCOUNTS, memory)


def standing(cursors: Cursors, account: str = "main") -> tuple[int | None, int]:
    return cursors.cursor(account), cursors.in_flight(account)


def advance(cursors: Cursors, done: int, in_flight: int) -> None:
    cursors.put_in_flight("main", in_flight)
    cursors.advance("main", done)


def test_a_cursor_is_none_until_it_is_set_and_then_what_was_set(path: Path) -> None:
    cursors = opened(path)
    assert standing(cursors) == (None, 0)
    cursors.advance("main", 0)
    cursors.advance("other", 2**40)
    assert (cursors.cursor("main"), cursors.cursor("other")) == (0, 2**40)
    stored = read_cursors(path)
    assert stored is not None
    assert {name: cursor.done for name, cursor in stored.cursors.items()} == {
        "main": 0,
        "other": 2**40,
    }


def test_the_next_process_knows_what_was_done_and_what_was_in_flight(path: Path) -> None:
    advance(opened(path), 10, 12)
    again = opened(path)
    assert standing(again) == (10, 12)
    assert not again.lost


def test_cursors_are_kept_through_other_plugins_and_other_accounts(path: Path) -> None:
    opened(path).advance("other", 5)
    Cursors.open(path, ("new", "console", "sink"), ("main",)).advance("main", 9)
    again = Cursors.open(path, (), ("third", "other", "main"))
    assert [again.cursor(name) for name in ("third", "other", "main")] == [None, 5, 9]


def test_closing_brings_them_to_the_disk(path: Path) -> None:
    cursors = opened(path)
    cursors.advance("main", 8)
    path.unlink()
    cursors.close()
    assert standing(opened(path)) == (8, 0)


# --- a file that was lost -------------------------------------------------------------------------


def damage(path: Path, how: str) -> None:
    if how == "deleted":
        path.unlink()
    elif how == "slot":
        content = bytearray(path.read_bytes())
        content[128 : 128 + 48] = bytes(48)
        path.write_bytes(content)
    else:
        path.write_bytes({"empty": b"", "rubbish": b"\xff" * 4096}[how])


@pytest.mark.parametrize("how", ["empty", "rubbish", "slot"])
def test_a_damaged_file_brings_everything_again(
    path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    advance(opened(path), 100, 110)
    damage(path, how)
    content = path.read_bytes()
    cursors = opened(path)
    assert "main" in cursors.lost
    assert standing(cursors) == (0, 0)
    assert "delivered again" in caplog.text
    asides = [file.read_bytes() for file in path.parent.glob("marks.damaged-*")]
    assert asides == ([] if how == "slot" else [content])
    cursors.close()
    # As long as nobody says what may have been in flight, nobody knows.
    assert "main" in opened(path).lost


def test_what_an_earlier_status_reported_is_better_than_nothing(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    advance(opened(path), 100, 110)
    damage(path, "slot")
    cursors = Cursors.open(path, PLUGINS, ACCOUNTS, reported={"main": 96, "other": 7})
    assert standing(cursors) == (96, 0)
    assert cursors.lost == {"main"}
    assert "after event 96" in caplog.text


@pytest.mark.parametrize("how", ["empty", "rubbish", "slot", "deleted"])
def test_as_long_as_the_supervisor_lives_no_file_is_needed(
    path: Path, how: str, memory: ProgressMemory
) -> None:
    advance(opened(path, memory), 100, 110)
    damage(path, how)
    again = opened(path, memory)
    assert standing(again) == (100, 110)
    assert not again.lost
    assert standing(opened(path)) == (100, 110)


def test_what_the_disk_did_not_take_the_memory_has(path: Path, memory: ProgressMemory) -> None:
    cursors = opened(path, memory)
    advance(cursors, 50, 60)
    with unwritable(path.parent):
        advance(cursors, 100, 110)
        assert cursors.problem is not None
        again = opened(path, memory)
        assert standing(again) == (100, 110)
        known = known_cursors(path, ACCOUNTS, memory)
        assert known is not None
        assert known.cursors == {"main": Cursor(100, 110)}
    again.look_after()
    assert again.problem is None
    assert standing(opened(path)) == (100, 110)


def test_what_neither_has_counts_as_in_flight(path: Path, memory: ProgressMemory) -> None:
    cursors = opened(path, memory)
    advance(cursors, 6, 7)
    with unwritable(path.parent):
        advance(cursors, 8, 9)
        # The same supervisor knows it, the next one does not.
        assert standing(opened(path, memory)) == (8, 9)
        known = known_cursors(path, ACCOUNTS)
        assert known is not None
        assert known.cursors["main"] == Cursor(6, LOST)
    assert "main" in opened(path).lost


def test_on_the_disk_again_they_are_in_doubt_no_more(path: Path) -> None:
    cursors = opened(path)
    with unwritable(path.parent):
        advance(cursors, 8, 9)
    # Nothing has to be put right any more, and still it was behind.
    cursors.advance("main", 9)
    cursors.put_in_flight("main", 9)
    cursors.look_after()
    assert cursors.problem is None
    again = opened(path)
    assert (standing(again), again.lost) == ((9, 9), frozenset())


def test_a_death_in_the_middle_of_a_word_leaves_the_file_and_a_doubt(
    path: Path, memory: ProgressMemory
) -> None:
    advance(opened(path, memory), 100, 110)
    slot = memory.slot("main", Cursor(100, 110))
    assert slot is not None
    slot[2] = 120
    again = opened(path, memory)
    assert again.cursor("main") == 100
    assert again.lost == {"main"}
    del slot


def test_a_memory_of_another_time_does_not_set_a_file_back(
    path: Path, memory: ProgressMemory
) -> None:
    advance(opened(path, memory), 10, 11)
    advance(opened(path), 20, 21)
    assert standing(opened(path, memory)) == (20, 21)


def test_what_is_known_of_a_process(path: Path, memory: ProgressMemory) -> None:
    assert known_cursors(path, ACCOUNTS, memory) is None
    cursors = opened(path, memory)
    assert known_cursors(path, ACCOUNTS, memory) == (PLUGINS, {})
    advance(cursors, 3, 4)
    assert known_cursors(path, ACCOUNTS, memory) == (PLUGINS, {"main": Cursor(3, 4)})
    path.unlink()
    assert known_cursors(path, ACCOUNTS, memory) == ((), {"main": Cursor(3, 4)})
    assert known_cursors(path, ACCOUNTS) is None
    cursors.advance("main", 5)
    del cursors


# --- disks that take nothing ----------------------------------------------------------------------


def test_a_file_that_cannot_be_read_now_is_not_begun_anew(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    advance(opened(path), 100, 110)

    def refuse(_: Path) -> bytes:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", refuse)
        with pytest.raises(JournalError, match="Too many open files"):
            opened(path)
    assert standing(opened(path)) == (100, 110)


def test_the_file_of_a_newer_qehost_is_refused(path: Path) -> None:
    words = 0x736B72616D6571, 4, 0, 2
    check = crc32(b"{}", crc32(struct.pack("=4q", *words)))
    content = struct.pack("=5q88x", *words, check) + b"{}"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(NewerFormat):
        opened(path)
    assert path.read_bytes() == content


def test_where_nothing_can_be_written_the_cursors_go_on_and_come_to_the_disk_later(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    advance(opened(path), 10, 12)
    with no_room():
        cursors = Cursors.open(path, PLUGINS, (*ACCOUNTS, "new"))
        assert standing(cursors) == (10, 12)
        assert not cursors.lost
        advance(cursors, 20, 22)
        cursors.look_after()
        assert cursors.problem is not None
        assert standing(cursors) == (20, 22)
    assert [record.levelno for record in caplog.records] == [logging.CRITICAL]
    cursors.look_after()
    assert cursors.problem is None
    assert standing(opened(path)) == (20, 22)


def test_on_a_full_disk_a_damaged_file_brings_everything_again_too(tmp_path: Path) -> None:
    with small_disk(tmp_path, "64k") as disk:
        path = disk / "marks"
        advance(opened(path), 10, 12)
        damage(path, "rubbish")
        fill(disk)
        cursors = opened(path)
        assert cursors.lost == {"main", "other"}
        assert cursors.problem is None
        # The only copy was written over.
        assert [file.name for file in disk.glob("marks*")] == ["marks"]
        stored = read_cursors(path)
        assert stored is not None
        assert stored.cursors["main"] == Cursor(0, LOST)
        cursors.close()


# --- plugins that don't stand at the head ------------------------------------------------------

SINK = own_key("sink", "main")


def with_sink_apart(path: Path, memory: ProgressMemory) -> Cursors:
    cursors = opened(path, memory)
    cursors.place("main", Cursor(9, 9))
    cursors.place(SINK, Cursor(4, 6))
    return cursors


def test_a_plugins_own_cursor_is_found_by_the_next_process_until_it_is_given_up(path: Path) -> None:
    memory = ProgressMemory()
    cursors = with_sink_apart(path, memory)
    assert standing(opened(path, memory), SINK) == (4, 6)
    cursors.place(SINK, UNSET)
    assert standing(opened(path, memory), SINK) == (None, 0)
    assert standing(opened(path), SINK) == (None, 0)


def test_the_memory_says_where_a_plugin_stands_also_where_the_file_is_older(path: Path) -> None:
    memory = ProgressMemory()
    with_sink_apart(path, memory).close()
    memory.slot(SINK, UNSET)  # it has come level, and the disk could not be written
    assert standing(opened(path, memory), SINK) == (None, 0)
    known = known_cursors(path, ACCOUNTS, memory)
    assert known is not None
    assert known.of_plugin("sink", "main") == Cursor(9, 9)


@pytest.mark.parametrize(
    ("in_file", "found"), [(UNSET, (None, 0)), (Cursor(4, 6), (4, 0))], ids=["level", "apart"]
)
def test_a_death_in_the_middle_of_a_note_of_a_plugins_cursor_costs_no_event(
    path: Path, in_file: Cursor, found: tuple[int | None, int]
) -> None:
    """The memory is written first, so the file has what was before: at the head, the plugin had not
    missed anything yet, and apart it stood there."""
    memory = ProgressMemory()
    cursors = with_sink_apart(path, memory)
    cursors.place(SINK, in_file)
    slot = memory.slot(SINK, Cursor(7, 8))
    assert slot is not None
    slot[1] = 12  # and its check is not written
    again = opened(path, memory)
    assert standing(again, SINK) == found
    assert (SINK in again.lost) == (found[0] is not None)


def test_the_cursor_of_a_plugin_that_is_gone_is_forgotten(path: Path) -> None:
    memory = ProgressMemory()
    with_sink_apart(path, memory).close()
    Cursors.open(path, ("console",), ACCOUNTS).close()
    assert SINK not in opened(path)._places or standing(opened(path), SINK) == (None, 0)
