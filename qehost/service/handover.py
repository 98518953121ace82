"""From the service's thread to a coroutine that takes events one by one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

from qehost.messages import AnyEvent

__all__ = ["Handover"]

LOOK_EVERY = 1.0
"""Seconds between two looks whether the loop is still there."""


class Handover:
    """A consumer for the courier on one side, an iterator for the loop on the other.

    There is one slice of events on its way at most: the next is handed over when the coroutine has
    come back for more.  So a slow coroutine is waited for, and what it was given counts as
    delivered once it is through with it.
    """

    at_once = 64

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._slices: asyncio.Queue[Sequence[AnyEvent]] = asyncio.Queue()
        self._through = threading.Event()
        self._taken = 0
        self._stopped = threading.Event()

    # --- the courier's thread, and whoever closes the service -----------------------------

    def deliver(self, events: Sequence[AnyEvent]) -> int:
        self._taken = 0
        self._through.clear()
        if self._stopped.is_set() or not self._send(events):
            return 0
        while not self._through.wait(LOOK_EVERY):
            if self._loop.is_closed():
                break
        return self._taken

    def last_words(self, event: AnyEvent) -> None:
        """Nobody takes events any more."""

    def gone(self) -> bool:
        return self._loop.is_closed()

    def stop(self) -> None:
        self._stopped.set()
        self._through.set()
        self._send(())

    def _send(self, events: Sequence[AnyEvent]) -> bool:
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._slices.put_nowait, events)
            return True
        return False

    # --- the loop -----------------------------------------------------------------------------

    async def events(self) -> AsyncIterator[AnyEvent]:
        """Until the service is closed."""
        while not self._stopped.is_set():
            for event in await self._slices.get():
                if self._stopped.is_set():
                    return
                yield event
                self._taken += 1
            self._through.set()
