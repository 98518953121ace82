"""A file that a command writes is written whole, or what was there is kept."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

import pytest
from journalled import run

from qehost.cli import export
from qehost.storage.state_folder import StateFolder


@pytest.mark.parametrize("trouble", [OSError(28, "No space left"), KeyboardInterrupt()])
def test_an_export_that_ends_early_leaves_the_earlier_one_as_it_was(
    folder: StateFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    trouble: BaseException,
) -> None:
    def write_some(_: object, file: BinaryIO, **__: object) -> int:
        file.write(b"half of it")
        raise trouble

    monkeypatch.setattr(export, "write_jsonl", write_some)
    (place := tmp_path / "exports").mkdir()
    (place / "all.jsonl").write_text("the earlier one")
    result = run(
        folder,
        "export",
        "-o",
        str(place / "all.jsonl"),
        code=3 if isinstance(trouble, OSError) else 1,
    )
    assert (place / "all.jsonl").read_text() == "the earlier one"
    assert [file.name for file in place.iterdir()] == ["all.jsonl"]
    assert "Traceback" not in result.stderr
    if isinstance(trouble, OSError):
        assert result.stderr == f"qehost: {place}/all.jsonl can't be written: No space left\n"


def test_an_export_into_a_pipe_goes_through_it(folder: StateFolder, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reading, writing = os.pipe()
    with open(os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)) as by_name, open(reading) as by_number:
        run(folder, "export", "--kind", "fill", "-o", str(fifo))
        run(folder, "export", "--kind", "fill", "-o", f"/dev/fd/{writing}")
        os.close(writing)
        assert len(by_name.readlines()) == 2
        assert len(by_number.readlines()) == 2
    assert fifo.is_fifo()


def test_an_export_through_a_link_replaces_what_it_points_to_and_keeps_its_mode(
    folder: StateFolder, tmp_path: Path
) -> None:
    (tmp_path / "far").mkdir()
    file, link = tmp_path / "far" / "file", tmp_path / "link.jsonl"
    link.symlink_to("far/file")
    run(folder, "export", "-o", str(link))  # It need not be there.
    file.write_text("old")
    file.chmod(0o640)
    run(folder, "export", "-o", str(link))
    assert link.is_symlink()
    assert len(file.read_text().splitlines()) == 14
    assert file.stat().st_mode & 0o777 == 0o640


def test_an_export_that_cannot_be_written_is_told_in_words(
    folder: StateFolder, tmp_path: Path
) -> None:
    missing = tmp_path / "missing" / "all.csv"
    told = run(folder, "export", "-o", str(missing), code=3).stderr
    assert told == f"qehost: {missing} can't be written: No such file or directory\n"
