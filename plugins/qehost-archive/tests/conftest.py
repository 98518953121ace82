"""An archive in a folder of its own, and events for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from archives import START_MS
from qehost.testing import Events

from qehost_archive.dataset import Dataset


@pytest.fixture
def events() -> Events:
    """An event each second from the beginning of the year on."""
    return Events(start_ms=START_MS, step_ms=1_000)


@pytest.fixture
def dataset(tmp_path: Path) -> Iterator[Dataset]:
    found = Dataset(tmp_path / "archive")
    found.open()
    yield found
    found.close()
