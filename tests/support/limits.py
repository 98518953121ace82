"""A disk that takes no more, without a disk."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager

from qehost.journal import Journal

__all__ = ["full", "no_room"]


@contextmanager
def full(journal: Journal, room: int = 0) -> Iterator[None]:
    """No file may grow beyond the journal's newest, which takes `room` bytes more."""
    assert journal._active is not None
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (journal._active.size + room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def no_room() -> Iterator[None]:
    """No file takes a single byte."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
