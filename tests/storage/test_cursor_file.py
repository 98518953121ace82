"""The file of the cursors, against everything that can happen to it on a disk."""

from __future__ import annotations

import logging
import struct
import subprocess
import sys
from pathlib import Path
from zlib import crc32

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from limits import no_room
from small_disk import fill, small_disk
from unwritable import unwritable

from qehost.errors import JournalError, NewerFormat
from qehost.storage.cursor_file import (
    UNKNOWN,
    UNSET,
    Cursor,
    CursorFile,
    DamagedCursors,
    furthest_behind,
    own_key,
    read_cursors,
)
from qehost.storage.state_folder import StateFolder

PLUGINS = ("console", "sink")
ACCOUNTS = ("main", "other", "never")
CURSORS = [Cursor(7, 71), Cursor(2**40, 2**40 + 1), UNSET]
STORED = {"main": CURSORS[0], "other": CURSORS[1]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hosts" / "main" / "marks"


def saved(path: Path, plugins: tuple[str, ...] = PLUGINS) -> CursorFile:
    file = CursorFile(path, plugins, ACCOUNTS)
    file.save(CURSORS)
    return file


def read(path: Path) -> dict[str, Cursor]:
    stored = read_cursors(path)
    assert stored is not None
    return stored.cursors


def test_what_was_written_is_read(path: Path) -> None:
    assert read_cursors(path) is None
    file = saved(path)
    assert read_cursors(path) == (PLUGINS, STORED)
    file.write(1, (5, 6))
    assert read(path) == {**STORED, "other": Cursor(5, 6)}
    file.write(2, (0, 0))
    assert read(path)["never"] == Cursor(0, 0)
    assert file.problem is None
    file.close()


@given(
    st.lists(st.text(min_size=1, max_size=9), max_size=5, unique=True),
    st.lists(st.tuples(st.integers(0, 2**62), st.integers(-2, 2**62)), min_size=5, max_size=5),
)
def test_any_names_and_numbers_survive(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], pairs: list[tuple[int, int]]
) -> None:
    path = tmp_path_factory.mktemp("cursors") / "marks"
    file = CursorFile(path, names, names)
    file.save(pairs[: len(names)])
    assert read_cursors(path) == (tuple(names), dict(zip(names, pairs, strict=False)))
    file.close()


def test_the_file_is_the_users_alone(path: Path) -> None:
    saved(path).close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [entry.name for entry in path.parent.iterdir()] == ["marks"]


# --- what a disk may do to it -------------------------------------------------------------------


def test_no_flipped_bit_changes_a_cursor(path: Path) -> None:
    """One in the slots costs nothing; one in the names is told."""
    saved(path).close()
    whole = path.read_bytes()
    slots = range(128, 128 + 48 * len(ACCOUNTS))
    for place in range(8 * len(whole)):
        spoiled = bytearray(whole)
        spoiled[place // 8] ^= 1 << place % 8
        path.write_bytes(spoiled)
        try:
            assert read(path) == STORED
        except DamagedCursors:
            assert place // 8 not in slots


@pytest.mark.parametrize("rubbish", [b"", b"short", bytes(4096), b"\xff" * 4096])
def test_a_file_that_is_something_else_is_damaged(path: Path, rubbish: bytes) -> None:
    saved(path).close()
    path.write_bytes(rubbish)
    with pytest.raises(DamagedCursors, match=r"marks: .* can't be read"):
        read_cursors(path)


def test_a_file_that_was_cut_off_anywhere_is_damaged(path: Path) -> None:
    saved(path).close()
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(DamagedCursors):
            read_cursors(path)


def test_a_slot_that_is_spoiled_whole_costs_that_account_alone(path: Path) -> None:
    saved(path).close()
    content = bytearray(path.read_bytes())
    content[128 : 128 + 48] = b"\x5a" * 48
    path.write_bytes(content)
    assert read(path) == {**STORED, "main": UNKNOWN}
    # Nor is another account's slot taken for it.
    content[128 : 128 + 48] = content[128 + 48 : 128 + 96]
    path.write_bytes(content)
    assert read(path) == {**STORED, "main": UNKNOWN}


def test_what_cannot_be_read_now_is_no_damage(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(path).close()

    def refuse(_: Path) -> bytes:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(JournalError, match="Too many open files") as caught:
        read_cursors(path)
    assert not isinstance(caught.value, DamagedCursors)


# --- other versions -------------------------------------------------------------------------------


def test_the_file_of_a_newer_qehost_is_refused(path: Path) -> None:
    saved(path).close()
    words = (0x736B72616D6571, 4, 0, 2)
    check = crc32(b"{}", crc32(struct.pack("=4q", *words)))
    path.write_bytes(struct.pack("=5q88x", *words, check) + b"{}")
    with pytest.raises(NewerFormat, match="newer qehost"):
        read_cursors(path)


def first_version(accounts: dict[str, Cursor]) -> bytes:
    names = msgspec.json.encode(
        {"plugins": PLUGINS, "hooks": ["on_order"], "accounts": list(accounts)}
    )
    names = names.ljust(-(-len(names) // 8) * 8)
    length = 16 + 2 * len(accounts)
    words = [0x736B72616D6571, 1, length, len(names), crc32(names), *[0] * 11]
    for cursor in accounts.values():
        words += cursor
    return struct.pack(f"={length}q", *words) + names


def test_the_file_of_the_first_version_is_read(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(first_version({**STORED, "never": UNSET}))
    assert read_cursors(path) == (PLUGINS, STORED)
    path.write_bytes(first_version({"main": UNKNOWN}))
    assert read(path) == {"main": UNKNOWN}
    path.write_bytes(first_version(STORED)[:-9])
    with pytest.raises(DamagedCursors):
        read_cursors(path)


# --- disks that take nothing ----------------------------------------------------------------------


def test_on_a_full_disk_the_file_that_is_there_is_used(tmp_path: Path) -> None:
    with small_disk(tmp_path, "64k") as disk:
        path = disk / "marks"
        saved(path).close()
        ballast = fill(disk)
        file = CursorFile(path, PLUGINS[::-1], ACCOUNTS)
        file.save([Cursor(8, 9), *CURSORS[1:]])
        assert file.problem is None
        assert read_cursors(path) == (PLUGINS[::-1], {**STORED, "main": Cursor(8, 9)})
        file.write(0, (9, 9))
        assert read(path)["main"] == Cursor(9, 9)
        file.close()
        ballast.unlink()


def test_where_longer_names_have_no_room_it_is_told_and_the_file_stays_as_it_was(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with small_disk(tmp_path, "64k") as disk:
        path = disk / "marks"
        saved(path).close()
        ballast = fill(disk)
        file = CursorFile(path, ("another", *PLUGINS), ACCOUNTS)
        file.save(CURSORS)
        file.write(0, (8, 9))
        file.look_after([Cursor(8, 9), *CURSORS[1:]])
        assert "full" in str(file.problem)
        assert read_cursors(path) == (PLUGINS, STORED)
        assert [r.levelno for r in caplog.records] == [logging.CRITICAL]
        ballast.unlink()
        file.look_after([Cursor(8, 9), *CURSORS[1:]])
        assert file.problem is None
        assert read(path) == {**STORED, "main": Cursor(8, 9)}
        assert caplog.messages[1:] == [f"{path}: the cursors are on the disk again"]
        file.close()


def test_a_folder_that_cannot_be_made_is_told_and_tried_again(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("in the way")
    path = tmp_path / "hosts" / "main" / "marks"
    file = saved(path)
    file.write(0, (8, 9))
    file.sync()
    assert "hosts" in str(file.problem)
    (tmp_path / "hosts").unlink()
    file.look_after(CURSORS)
    assert file.problem is None
    assert read(path) == STORED
    file.close()


USER = """
import sys
from pathlib import Path
from qehost.storage.cursor_file import CursorFile

file = CursorFile(Path(sys.argv[1]), ["sink"], ["main"])
file.save([(1, 1)])
for word in ("ready", "refused", "again"):
    print(word, flush=True)
    input()
    cursor = 1000 * len(word), 0
    for _ in range(3):
        file.write(0, cursor)
        file.sync()
        file.look_after([cursor])
    print(file.problem, flush=True)
file.close()
"""


def test_a_folder_that_cannot_be_written_for_a_while_does_not_end_the_process(path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", USER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def go_on() -> str:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdout.readline()
            print(file=process.stdin, flush=True)
            return process.stdout.readline()

        assert go_on() == "None\n"
        with unwritable(path.parent):
            assert "marks" in go_on()
            assert read(path) == {"main": Cursor(5000, 0)}
        assert go_on() == "None\n"
        assert process.wait() == 0
        assert process.stderr is not None
        assert process.stderr.read().count("on the disk again") == 1
    assert read(path) == {"main": Cursor(5000, 0)}


# --- what others do to it -------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["deleted", "cut", "flipped", "replaced", "folder deleted"])
def test_what_others_did_to_the_file_is_told_and_put_right(
    path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = saved(path)
    file.look_after(CURSORS)
    assert not caplog.records
    content = path.read_bytes()
    if how == "deleted":
        path.unlink()
    elif how == "folder deleted":
        path.unlink()
        path.parent.rmdir()
    elif how == "replaced":
        path.rename(path.with_name("old"))
        path.write_bytes(content)
    else:
        path.write_bytes(content[:20] if how == "cut" else content.replace(b"sink", b"sunk"))
    file.look_after(CURSORS)
    assert "deleted or changed" in caplog.text
    assert read_cursors(path) == (PLUGINS, STORED)
    file.write(0, (8, 9))
    assert read(path)["main"] == Cursor(8, 9)
    caplog.clear()
    file.look_after([Cursor(8, 9), *CURSORS[1:]])
    assert not caplog.records
    file.close()


def test_a_link_in_its_place_is_not_followed(path: Path, tmp_path: Path) -> None:
    (target := tmp_path / "precious").write_bytes(b"x" * 500)
    path.parent.mkdir(parents=True)
    path.symlink_to(target)
    with no_room():
        file = saved(path)
        assert "symbolic link" in str(file.problem)
    file.look_after(CURSORS)
    assert file.problem is None
    assert not path.is_symlink()
    assert target.read_bytes() == b"x" * 500
    file.close()


def test_who_is_furthest_behind_is_found_for_each_host(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    waits = {"main": 9, own_key("sink", "main"): 4, own_key("view", "main"): 12}
    for host, slots in (("fast", waits), ("slow", {"main": 5, "other": 4})):
        file = CursorFile(folder.progress_file(host), ("sink", "view"), list(slots))
        file.save([Cursor(seq, seq) for seq in slots.values()])
        file.close()
    assert furthest_behind(folder, "main") == {"fast": ("sink", 4), "slow": ("", 5)}
    assert furthest_behind(folder, "other") == {"slow": ("", 4)}
    assert furthest_behind(folder, "third") == {}


def test_a_plugin_stands_at_its_own_cursor_or_else_at_the_head(path: Path) -> None:
    slots = ["main", own_key("sink", "main"), own_key("console", "main")]
    file = CursorFile(path, PLUGINS, slots)
    file.save([Cursor(9, 9), Cursor(4, 6), UNSET])
    file.close()
    stored = read_cursors(path)
    assert stored is not None
    assert stored.heads() == {"main": Cursor(9, 9)}
    assert stored.of_plugin("sink", "main") == Cursor(4, 6)
    assert stored.of_plugin("console", "main") == Cursor(9, 9)
    assert stored.of_plugin("other", "main") is None
    assert stored.of_plugin("sink", "other") is None
