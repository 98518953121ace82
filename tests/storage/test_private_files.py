"""Files that are the user's alone, whatever stands in their place already."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from limits import no_room

from qehost.errors import JournalError
from qehost.storage.private_files import (
    create_file,
    open_file,
    private_folder,
    replace_file,
    trouble,
)


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def test_folders_and_files_are_made_for_the_user_alone(tmp_path: Path) -> None:
    private_folder(tmp_path / "a" / "b")
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in ("a", "a/b")} == {0o700}
    os.close(open_file(tmp_path / "opened"))
    os.close(create_file(tmp_path / "created"))
    replace_file(tmp_path / "replaced", b"content")
    names = ("opened", "created", "replaced")
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in names} == {0o600}


def test_a_file_is_replaced_as_a_whole_or_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace_file(path, b"before")
    replace_file(path, b"after", sync=True)
    assert path.read_bytes() == b"after"
    with no_room(), pytest.raises(OSError, match="too large"):
        replace_file(path, b"never")
    assert path.read_bytes() == b"after"
    replace_file(path, b"at last")
    assert path.read_bytes() == b"at last"


@pytest.mark.parametrize("planted", ["file", "file.new"])
@pytest.mark.parametrize("exists", [True, False])
def test_a_planted_link_has_no_other_file_written(
    tmp_path: Path, planted: str, exists: bool
) -> None:
    target = tmp_path / "precious"
    if exists:
        target.write_text("precious")
    (tmp_path / planted).symlink_to(target)
    replace_file(tmp_path / "file", b"content")
    assert (tmp_path / "file").read_bytes() == b"content"
    assert not (tmp_path / "file").is_symlink()
    (tmp_path / "other").symlink_to(target)
    with pytest.raises(OSError, match="symbolic links") as caught:
        open_file(tmp_path / "other")
    assert "symbolic link" in str(trouble(tmp_path / "other", caught.value))
    os.close(create_file(tmp_path / "other"))
    assert not (tmp_path / "other").is_symlink()
    assert target.exists() == exists
    assert not exists or target.read_text() == "precious"


def test_a_folder_that_this_user_may_not_make_is_an_error_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, **_: object) -> os.stat_result:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(JournalError, match="can't be made: Permission denied"):
        private_folder(tmp_path / "a" / "b")
