"""One encoded frame for all who listen, and what each of them may be behind.

A listener has room for two frames.  One that reads more slowly loses both, and gets the whole state
in their place once it reads again; so what it costs is bounded, and the others don't wait.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

__all__ = ["Broadcast", "Listener"]

ROOM = 2


class Listener:
    """One stream.  Its first frame is the whole state."""

    def __init__(self, whole: Callable[[], bytes]) -> None:
        self._whole = whole
        self._frames: deque[bytes] = deque()
        self._is_behind = True
        self._has_ended = False
        self._wake = asyncio.Event()
        self._wake.set()

    def put(self, frame: bytes) -> None:
        if self._is_behind:
            return  # what it gets next has it
        if len(self._frames) >= ROOM:
            self._frames.clear()
            self._is_behind = True
        else:
            self._frames.append(frame)
        self._wake.set()

    def end(self) -> None:
        self._has_ended = True
        self._wake.set()

    async def next(self) -> bytes | None:
        """The next frame; None: there are no more."""
        await self._wake.wait()
        if self._has_ended:
            return None
        if self._is_behind:
            self._is_behind = False
            frame = self._whole()
        else:
            frame = self._frames.popleft()
        if not self._frames:
            self._wake.clear()
        return frame


class Broadcast:
    """Not for several threads."""

    def __init__(self, most: int, whole: Callable[[], bytes]) -> None:
        self._most = most
        self._whole = whole
        self._listeners: set[Listener] = set()
        self._has_ended = False

    def __len__(self) -> int:
        return len(self._listeners)

    def join(self) -> Listener | None:
        """None: there are as many as may be, or it has ended."""
        if self._has_ended or len(self._listeners) >= self._most:
            return None
        listener = Listener(self._whole)
        self._listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        self._listeners.discard(listener)

    def send(self, frame: bytes) -> None:
        for listener in self._listeners:
            listener.put(frame)

    def end(self) -> None:
        self._has_ended = True
        for listener in self._listeners:
            listener.end()
