"""When the plugins' files count as changed; the clock is passed in."""

from __future__ import annotations

import logging
import os
from math import inf
from pathlib import Path

import pytest

from qehost.supervisor.source_watch import LOOK_EVERY, SourceWatch, snapshot


class Watched:
    """A watch, and its clock."""

    def __init__(self, *sources: Path) -> None:
        self.sources = frozenset(sources)
        self.now = 100.0
        self.watch = SourceWatch(lambda: self.sources, self.now)

    def look(self) -> bool:
        self.now += LOOK_EVERY
        return self.watch.is_due(self.now)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "mine.py"
    file.write_text("x = 1\n")
    return file


def test_a_change_counts_when_one_more_look_has_found_the_same(file: Path) -> None:
    watched = Watched(file)
    assert not watched.look()
    file.write_text("x = 22\n")
    assert not watched.look()
    file.write_text("x = 333\n")
    assert not watched.look()
    assert watched.look()
    assert not watched.look()


def test_between_two_looks_nothing_is_read(file: Path) -> None:
    watched = Watched(file)
    file.unlink()
    assert not watched.watch.is_due(watched.now + LOOK_EVERY / 2)
    assert watched.watch.next_at == watched.now + LOOK_EVERY


def test_without_anything_to_watch_it_never_looks() -> None:
    assert Watched().watch.next_at == inf


def test_the_same_size_and_time_of_another_content_is_a_change(file: Path) -> None:
    watched = Watched(file)
    before = file.stat()
    file.write_text("x = 2\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    watched.look()
    assert watched.look()


def test_what_does_not_compile_is_told_once_and_changes_nothing(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    watched = Watched(file)
    file.write_text("x = 1\nx = (\n")
    assert [watched.look() for _ in range(4)] == [False] * 4
    (record,) = caplog.records
    assert record.getMessage() == f"not reloaded: {file}:2: '(' was never closed"
    file.write_text("x = 2\n")
    watched.look()
    assert watched.look()


@pytest.mark.parametrize("content", [b"x = '\xff'", b"x = 1\0"])
def test_what_is_no_text_is_told_too(
    file: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    watched = Watched(file)
    file.write_bytes(content)
    assert [watched.look() for _ in range(2)] == [False] * 2
    assert f"not reloaded: {file}" in caplog.text


def test_files_of_a_package_that_come_and_go_are_changes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    package = tmp_path / "package"
    (package / "inner").mkdir(parents=True)
    (package / "__pycache__").mkdir()
    (package / "__init__.py").write_text("")
    watched = Watched(package)
    (package / "__pycache__" / "__init__.py").write_text("")
    (package / "notes.txt").write_text("")
    assert [watched.look() for _ in range(2)] == [False, False]
    (package / "inner" / "new.py").write_text("")
    assert [watched.look() for _ in range(2)] == [False, True]
    assert f"changed: {package / 'inner' / 'new.py'}" in caplog.text
    (package / "inner" / "new.py").unlink()
    assert [watched.look() for _ in range(2)] == [False, True]


def test_the_sources_of_a_reload_are_what_changes_count_from(file: Path, tmp_path: Path) -> None:
    watched = Watched(file)
    other = tmp_path / "other.py"
    other.write_text("")
    watched.sources = frozenset([file, other])
    assert [watched.look() for _ in range(3)] == [False] * 3
    other.write_text("x = 1\n")
    assert [watched.look() for _ in range(3)] == [False, True, False]


def test_what_is_not_there_is_left_out(tmp_path: Path) -> None:
    assert snapshot([tmp_path / "nowhere.py", tmp_path / "nowhere"]) == {}
