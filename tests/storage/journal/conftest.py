"""A folder for a journal, and maintenance that does not let a test wait."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from qehost.storage.journal import Journal


@pytest.fixture(autouse=True)
def quick_maintenance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qehost.storage.journal.writer.MAINTAIN_EVERY", 0.02)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "accounts" / "main" / "journal"


@pytest.fixture
def small(folder: Path) -> Iterator[Journal]:
    """A journal that begins a new file all the time."""
    with Journal(folder, segment_bytes=50_000, retry_interval=0.05) as journal:
        yield journal
