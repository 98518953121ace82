"""A file that is replaced on a full disk, too, as often as need be."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from limits import no_room
from small_disk import fill, small_disk

from qehost.storage.alternating_file import (
    LEAST,
    AlternatingFile,
    Found,
    identity,
    read_alternating,
)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path, "8m") as disk:
        yield disk


def test_the_newest_content_is_read_also_by_the_next_process(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert read_alternating(path) == Found()
    file = AlternatingFile(path)
    assert read_alternating(path) == Found()
    for number in range(1, 4):
        file.write(b"x" * number)
        assert read_alternating(path) == Found(b"x" * number, number)
    AlternatingFile(path, 3).write(b"next")
    assert read_alternating(path) == Found(b"next", 4)
    assert {each.stat().st_mode & 0o777 for each in tmp_path.iterdir()} == {0o600}


def test_on_a_full_disk_it_is_written_as_often_as_one_likes(disk: Path) -> None:
    file = AlternatingFile(disk / "file")
    fill(disk)
    for number in range(1, 10):
        content = bytes([number]) * 100_000
        file.write(content)
        assert read_alternating(disk / "file").content == content


def test_it_has_room_for_more_than_it_was_given_so_far(disk: Path) -> None:
    file = AlternatingFile(disk / "file")
    for _ in range(2):
        file.write(bytes(3 * LEAST))
    fill(disk)
    for number in (1, 2, 3):
        content = bytes([number]) * (4 * LEAST)
        file.write(content)
        assert read_alternating(disk / "file").content == content


def test_what_has_no_room_is_an_error_and_leaves_what_was_before(disk: Path) -> None:
    file = AlternatingFile(disk / "file")
    file.write(b"before")
    fill(disk)
    for _ in range(3):
        with pytest.raises(OSError, match="No space left"):
            file.write(bytes(10 * LEAST))
        assert read_alternating(disk / "file") == Found(b"before", 1)
    (disk / "ballast").unlink()
    file.write(b"after")
    assert read_alternating(disk / "file") == Found(b"after", 2)


def test_without_room_from_the_start_it_is_an_error_only_when_it_is_written(
    tmp_path: Path,
) -> None:
    path = tmp_path / "file"
    with no_room():
        file = AlternatingFile(path)
        with pytest.raises(OSError, match="too large"):
            file.write(b"content")
    assert read_alternating(path) == Found()
    file.write(b"content")
    assert read_alternating(path).content == b"content"


@pytest.mark.parametrize("name", ["file", "file.2"])
def test_a_flipped_bit_or_a_lost_end_costs_the_content_it_is_in_and_no_other(
    tmp_path: Path, name: str
) -> None:
    path, spoiled = tmp_path / "file", tmp_path / name
    file = AlternatingFile(path)
    file.write(b"first")
    file.write(b"second")
    kept = Found(b"first", 1, (spoiled,)) if name == "file" else Found(b"second", 2, (spoiled,))
    whole = spoiled.read_bytes()[: 16 + 6]
    size = 16 + len(b"second" if name == "file" else b"first")
    flipped = [whole[:i] + bytes([whole[i] ^ 4]) + whole[i + 1 :] for i in range(size)]
    for content in [whole[:i] for i in range(9, size)] + flipped:
        spoiled.write_bytes(content)
        assert read_alternating(path) == kept


def test_a_link_that_was_planted_is_not_followed(tmp_path: Path) -> None:
    (target := tmp_path / "precious").write_text("precious")
    for name in ("file", "file.2"):
        (tmp_path / name).symlink_to(target)
    file = AlternatingFile(tmp_path / "file")
    for content in (b"first", b"second"):
        file.write(content)
    assert read_alternating(tmp_path / "file").content == b"second"
    (tmp_path / "file.2").unlink()
    (tmp_path / "file.2").symlink_to(target)
    with pytest.raises(OSError, match="symbolic link"):
        file.write(b"third")
    file.make()
    file.write(b"third")
    assert read_alternating(tmp_path / "file").content == b"third"
    assert target.read_text() == "precious"


def test_a_copy_is_told_from_the_files_that_were_written(tmp_path: Path) -> None:
    (folder := tmp_path / "folder").mkdir()
    file = AlternatingFile(folder / "file")
    before = identity(folder / "file")
    file.write(b"content")
    assert identity(folder / "file") == before
    shutil.copytree(folder, tmp_path / "copy")
    assert identity(tmp_path / "copy" / "file") != before


def test_a_folder_that_is_missing_is_an_error_when_it_is_written(tmp_path: Path) -> None:
    file = AlternatingFile(tmp_path / "gone" / "file")
    with pytest.raises(FileNotFoundError):
        file.write(b"content")
    (tmp_path / "gone").mkdir()
    file.write(b"content")
    assert read_alternating(tmp_path / "gone" / "file").content == b"content"
