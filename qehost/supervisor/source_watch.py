"""`qehost run --watch`: when the files of the plugins have changed, and are whole.

By asking for their times twice a second: it costs half a millisecond for 200 files, sees network
file systems, and needs no other package.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator
from math import inf
from pathlib import Path
from typing import NamedTuple, TypeAlias

from qehost.supervisor.children import HostChild

__all__ = ["LOOK_EVERY", "SourceWatch", "snapshot", "watched"]

log = logging.getLogger("qehost.supervisor")

LOOK_EVERY = 0.5
"""Seconds.  A change is obeyed when a second look has found the same: an editor, or pip, may still
be writing."""


class FileState(NamedTuple):
    """What changes when a file is written.  Its time alone may be what it was, as after `cp -p`."""

    changed: int
    modified: int
    size: int
    inode: int


Snapshot: TypeAlias = dict[Path, FileState]


def snapshot(sources: Iterable[Path]) -> Snapshot:
    """The Python files among the sources, and in those that are folders, at any depth."""
    found: Snapshot = {}
    for source in sources:
        for file in _files(source):
            try:
                seen = file.stat()
            except OSError:
                continue  # it is just being replaced
            found[file] = FileState(seen.st_ctime_ns, seen.st_mtime_ns, seen.st_size, seen.st_ino)
    return found


def watched(hosts: Iterable[HostChild]) -> frozenset[Path]:
    """The files and folders of the plugins, where they are watched."""
    return frozenset(Path(source) for host in hosts for source in host.task.sources or ())


class SourceWatch:
    """Tells when to reload.  `sources` are those of the plugins now; without any at the start
    nothing is ever watched.  `now` is on the monotonic clock, in seconds."""

    def __init__(self, sources: Callable[[], Collection[Path]], now: float) -> None:
        self._sources_now = sources
        self._sources = sources()
        self._obeyed = self._last = snapshot(self._sources)
        self.next_at = now + LOOK_EVERY if self._sources else inf

    def is_due(self, now: float) -> bool:
        """Whether there is something new to load.

        What is no Python is logged, once, and nothing follows from it.
        """
        if now < self.next_at:
            return False
        self.next_at = now + LOOK_EVERY
        sources = self._sources_now()
        seen = snapshot(sources)
        if sources != self._sources:
            # They are those of a reload, which has just read them.
            self._sources, self._obeyed, self._last = sources, seen, seen
            return False
        quiet, self._last = seen == self._last, seen
        if not quiet or seen == self._obeyed:
            return False
        changed = [
            file for file in sorted(seen | self._obeyed) if seen.get(file) != self._obeyed.get(file)
        ]
        self._obeyed = seen
        mistakes = [text for file in changed if file in seen and (text := _mistake(file))]
        for text in mistakes:
            log.error("not reloaded: %s", text)
        if not mistakes:
            log.info("changed: %s", ", ".join(map(str, changed)))
        return not mistakes


def _files(source: Path) -> Iterator[Path]:
    if source.suffix == ".py":
        yield source
        return
    for folder, below, names in os.walk(source):
        below[:] = [name for name in below if name != "__pycache__"]
        yield from (Path(folder, name) for name in names if name.endswith(".py"))


def _mistake(file: Path) -> str:
    """Why it can't be compiled, or `""`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(file.read_bytes(), str(file), "exec", dont_inherit=True)
    except SyntaxError as error:
        place = f"{file}:{error.lineno}" if error.lineno else str(file)
        return f"{place}: {error.msg}"
    except (OSError, ValueError) as error:
        return f"{file}: {error}"
    return ""
