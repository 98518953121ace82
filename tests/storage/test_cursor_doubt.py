"""That cursors are behind is noted beside their file, or where no disk is at fault."""

from __future__ import annotations

from pathlib import Path

import pytest
from unwritable import unwritable

from qehost.storage import cursor_doubt
from qehost.storage.cursor_doubt import forget_doubt, is_in_doubt, note_doubt


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (folder := tmp_path / "hosts").mkdir()
    (file := folder / "marks").write_bytes(b"marks")
    return file


def test_it_is_in_doubt_from_the_note_until_that_is_taken_back(file: Path) -> None:
    assert not is_in_doubt(file)
    assert note_doubt(file)
    assert note_doubt(file)
    assert is_in_doubt(file)
    assert not is_in_doubt(file.with_name("other"))
    forget_doubt(file)
    forget_doubt(file)
    assert not is_in_doubt(file)


def test_where_the_folder_takes_no_note_the_memory_does(file: Path) -> None:
    with unwritable(file.parent):
        assert note_doubt(file)
        assert is_in_doubt(file)
    assert [each.name for each in file.parent.iterdir()] == ["marks"]
    assert is_in_doubt(file)
    forget_doubt(file)
    assert not is_in_doubt(file)


def test_where_nothing_takes_it_that_is_said(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cursor_doubt, "SHARED_MEMORY", file.parent)
    with unwritable(file.parent):
        assert not note_doubt(file)
    assert not is_in_doubt(file)
