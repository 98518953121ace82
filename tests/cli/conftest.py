"""What several commands are tested with: a folder in which a run would work, and journals."""

from __future__ import annotations

import importlib.metadata
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from journalled import events, write

from qehost.simulator import Venue
from qehost.storage.state_folder import StateFolder


@pytest.fixture(scope="module")
def venue() -> Iterator[Venue]:
    with Venue(port=0) as venue:
        yield venue


@pytest.fixture
def ready_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, venue: Venue) -> Iterator[None]:
    """The current folder has a plugin `sink`, the environment the account of the venue; no other
    plugin is installed."""
    path = list(sys.path)
    monkeypatch.setattr(importlib.metadata, "distributions", lambda: iter(()))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("QEHOST_API_KEY", venue.api_key)
    monkeypatch.setenv("QEHOST_API_SECRET", venue.api_secret)
    monkeypatch.setenv("QEHOST_ACCOUNTS__MAIN__WS_URL", venue.ws_url)
    monkeypatch.setenv("QEHOST_ACCOUNTS__MAIN__REST_URL", venue.rest_url)
    monkeypatch.setenv("QEHOST_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "sink.py").write_text("print('noise')\ndef on_fill(message): ...")
    yield
    sys.path[:] = path
    for name in ("sink", "broken", "idle"):
        sys.modules.pop(name, None)


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    """An hour-old batch and a new one, each in its own file."""
    folder = StateFolder(tmp_path / "state")
    now = time.time_ns()
    write(folder, "main", events("main", 1, now - 3600 * 10**9))
    write(folder, "main", events("main", 8, now - 60 * 10**9))
    return folder
