"""What children are started with in these tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from answers import ANSWERS


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the import path that is neither the current one nor a script's."""
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "child_that_answers.py").write_text(ANSWERS)
    monkeypatch.syspath_prepend(str(folder))
    return folder
