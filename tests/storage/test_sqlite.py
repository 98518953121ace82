"""SQLite files as all of ours are opened, brought up to date, and explained."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from qehost.errors import JournalError, NewerFormat
from qehost.storage.sqlite import check_format, connect, explain, migrate, set_aside

OURS = 0x7165
STEPS = (("CREATE TABLE one(a)",), ("CREATE TABLE two(b)", "INSERT INTO two VALUES (1)"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    # `%` and `?` would be read as parts of an address.
    return tmp_path / "100%? of it.sqlite"


def test_a_file_is_the_users_alone_whatever_its_name(path: Path) -> None:
    with closing(connect(path)) as db:
        db.execute("CREATE TABLE one(a)")
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(path.parent) == [path.name]


def test_a_new_file_is_brought_up_to_date_and_stays_so(path: Path) -> None:
    for version in (0, 2):
        with closing(connect(path)) as db:
            assert check_format(db, path, OURS, 2, "file") == version
            migrate(db, version, OURS, STEPS)
            assert db.execute("SELECT b FROM two").fetchall() == [(1,)]


def test_a_step_that_fails_changes_nothing(path: Path) -> None:
    with closing(connect(path)) as db:
        with pytest.raises(sqlite3.OperationalError):
            migrate(db, 0, OURS, (*STEPS, ("no SQL",)))
        assert db.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
        assert check_format(db, path, OURS, 2, "file") == 0


def test_a_newer_file_and_one_that_is_something_else_are_refused(path: Path) -> None:
    with closing(connect(path)) as db:
        migrate(db, 0, OURS, STEPS)
        with pytest.raises(NewerFormat, match="format 2, this one knows up to 1"):
            check_format(db, path, OURS, 1, "file")
        with pytest.raises(JournalError, match="no file of qehost"):
            check_format(db, path, OURS + 1, 2, "file")


def test_what_is_wrong_is_told_in_words(path: Path) -> None:
    path.write_bytes(b"rubbish" * 1000)
    with closing(connect(path)) as db, pytest.raises(sqlite3.DatabaseError) as caught:
        db.execute("SELECT * FROM sqlite_master")
    assert "the file is damaged" in str(explain(path, caught.value))
    full = OSError(errno.ENOSPC, "No space left on device")
    assert "the disk is full" in str(explain(path, full))


def test_a_lock_of_another_process_is_told(path: Path) -> None:
    with closing(connect(path)) as one, closing(connect(path)) as other:
        one.execute("CREATE TABLE one(a)")
        one.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError) as caught:
            other.execute("BEGIN IMMEDIATE")
        one.execute("ROLLBACK")
    assert "another process has it locked" in str(explain(path, caught.value))


def test_a_damaged_file_goes_aside_with_what_belongs_to_it(path: Path) -> None:
    assert set_aside(path) is None
    for suffix in ("", "-wal"):
        Path(f"{path}{suffix}").write_text(suffix)
    aside = set_aside(path)
    assert aside is not None
    assert aside.read_text() == ""
    assert Path(f"{aside}-wal").read_text() == "-wal"
    assert not path.exists()
