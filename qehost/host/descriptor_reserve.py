"""File descriptors in reserve, for what is written although a plugin has used up all others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["DescriptorReserve"]

SIZE = 8
"""The dead letters and the cursors need up to three at a time."""

PATIENCE = 10.0
"""Seconds: a plugin may hold all of them for a moment."""


class DescriptorReserve:
    def __init__(self) -> None:
        self._descriptors: list[int] = []
        self._none_left_since: float | None = None
        self.refill()

    def refill(self) -> bool:
        """Whether the process could open as many files, now and besides those it has open."""
        with suppress(OSError):
            while len(self._descriptors) < SIZE:
                self._descriptors.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        return len(self._descriptors) == SIZE

    def is_short(self, now: float) -> bool:
        """Whether no file could be opened for a while; to be asked about once a second.

        `now` is on the monotonic clock.
        """
        if self._none_left_since is None or self._can_open():
            self._none_left_since = None if self._can_open() else now
            return False
        return now >= self._none_left_since + PATIENCE

    def _can_open(self) -> bool:
        try:
            os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        except OSError:
            return False
        return self.refill()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Within, so many files can be opened."""
        self.close()
        try:
            yield
        finally:
            self.refill()

    def close(self) -> None:
        while self._descriptors:
            os.close(self._descriptors.pop())
