"""What the supervisor waits for: the pipes of its children and the one that a signal wakes."""

from __future__ import annotations

import selectors
from collections.abc import Iterable
from typing import Any

__all__ = ["Sources"]


class Sources:
    """One selector for all turns.

    `multiprocessing.connection.wait` makes one by `poll` each time, which the system refuses where
    there are more descriptors than a process may open by now (a limit can be lowered at any time).
    """

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def watch(self, sources: Iterable[Any]) -> None:
        """These from now on, and no others."""
        wanted = {id(source): source for source in sources}
        # First those that are gone: their descriptors may be those of new ones.
        for key in list(self._selector.get_map().values()):
            if wanted.pop(id(key.fileobj), None) is None:
                self._selector.unregister(key.fd)
        for source in wanted.values():
            self._selector.register(source, selectors.EVENT_READ)

    def ready(self, timeout: float) -> list[Any]:
        """Those that something can be read of, after `timeout` seconds at most."""
        return [key.fileobj for key, _ in self._selector.select(timeout)]

    def close(self) -> None:
        self._selector.close()
