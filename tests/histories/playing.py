"""A story from its beginning to the verdict."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from .judge import Finding, judge
from .listener import Heard, Told, listen
from .story import Story
from .venue import Venue

__all__ = ["played"]

IN_MEMORY = Path("/dev/shm")
"""Where files need no disk, on Linux: a history needs none of its own afterwards."""


def played(story: Story) -> tuple[Venue, list[Told], Heard, list[Finding]]:
    """The venue, what was told, what there was to know, and the promises that did not hold."""
    venue = Venue(story)
    folder = _scratch() / "journal"
    shutil.rmtree(folder, ignore_errors=True)
    told, heard = listen(story, folder, venue)
    return venue, told, heard, judge(story, venue, told, heard)


@cache
def _scratch() -> Path:
    folder = tempfile.mkdtemp(prefix="histories-", dir=IN_MEMORY if IN_MEMORY.is_dir() else None)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
