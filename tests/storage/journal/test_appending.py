"""One file, being written."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from journals import MARK, WRITTEN, add

from qehost.storage.journal import JournalReader
from qehost.storage.journal.appending import create


def test_an_append_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = create(tmp_path, MARK, synced=True)
    add(file, WRITTEN[0])

    def failing(fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("qehost.storage.journal.appending._sync", failing)
    with pytest.raises(OSError, match="Input/output"):
        add(file, WRITTEN[1])
    monkeypatch.undo()
    add(file, WRITTEN[2])
    file.close()
    with JournalReader(tmp_path) as reader:
        assert [*reader.read(0)] == [WRITTEN[0], WRITTEN[2]]
