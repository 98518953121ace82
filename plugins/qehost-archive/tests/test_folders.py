"""What Python's library does not have for folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from qehost_archive.folders import exchange


def test_two_folders_are_exchanged_in_one_step(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for each in (one, other):
        each.mkdir()
        (each / each.name).touch()
    if not exchange(one, other):
        pytest.skip("the file system can't")
    assert (one / "other").exists()
    assert (other / "one").exists()


def test_where_it_can_not_be_done_nothing_has_changed(tmp_path: Path) -> None:
    one = tmp_path / "one"
    one.mkdir()
    assert not exchange(one, tmp_path / "missing")
    assert one.exists()
