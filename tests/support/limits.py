"""A disk that takes no more, and files that can't be opened, without such a disk."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from qehost.storage.journal import Journal
from qehost.storage.journal.layout import segments

__all__ = ["full", "no_descriptors", "no_room", "unopenable"]


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


@contextmanager
def unopenable(folder: Path) -> Iterator[None]:
    """The files that this journal has now can be opened by no process, not even by root's: each
    name is a link to itself.  Who has one open already may go on with it."""
    hidden = {}
    for path in segments(folder):
        hidden[path] = path.with_suffix(".hidden")
        os.link(path, hidden[path])
        link = path.with_suffix(".link")
        link.symlink_to(path.name)
        link.rename(path)  # in one step: it is never missing
    try:
        yield
    finally:
        for path, kept in hidden.items():
            kept.rename(path)


@contextmanager
def no_descriptors() -> Iterator[None]:
    """This process can't open another file."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(before[0], 1024), before[1]))
    taken: list[int] = []
    try:
        with suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
