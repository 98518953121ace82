"""A folder in which nothing can be written for a while, as when its file system turns read-only."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["unwritable"]


@contextmanager
def unwritable(folder: Path) -> Iterator[None]:
    """Every file and folder in it refuses to be changed, also those that are open already."""
    # Pages that were never written out stay writable: what matters happens to those that were.
    os.sync()
    if not _chattr("+i", folder):
        _chattr("-i", folder)
        pytest.skip("making a folder immutable takes root and a file system that can")
    try:
        yield
    finally:
        assert _chattr("-i", folder)


def _chattr(change: str, folder: Path) -> bool:
    try:
        done = subprocess.run(["chattr", "-R", change, str(folder)], capture_output=True)
    except FileNotFoundError:
        return False
    return done.returncode == 0
